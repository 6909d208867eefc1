/**
 * The pages: one element a file in `pages/`, loaded when it is first shown.
 *
 * An element gets `params` (what the path names) and `query` as properties. `key`: `g` and this letter go there.
 */
export interface Page {
  path: string;
  tag: string;
  title: string;
  load: () => Promise<unknown>;
  /** Where in the navigation it stands; pages without it belong to `under`. */
  nav?: { label: string; key: string; group: "Plant" | "Frames" | "Cluster" };
  under?: string;
  /** What the role must be allowed to read: method and path. */
  needs?: readonly [string, string];
}

export const PAGES: readonly Page[] = [
  { path: "", tag: "page-overview", title: "Overview", load: () => import("./pages/overview"), nav: { label: "Overview", key: "o", group: "Plant" } },
  { path: "components", tag: "page-components", title: "Components", load: () => import("./pages/components"), nav: { label: "Components", key: "c", group: "Plant" } },
  { path: "components/:id", tag: "page-component", title: "Component", load: () => import("./pages/component"), under: "components" },
  { path: "playbooks", tag: "page-playbooks", title: "Playbooks", load: () => import("./pages/playbooks"), nav: { label: "Playbooks", key: "p", group: "Plant" } },
  { path: "playbooks/:name", tag: "page-playbooks", title: "Playbook", load: () => import("./pages/playbooks"), under: "playbooks" },
  { path: "executions", tag: "page-executions", title: "Executions", load: () => import("./pages/executions"), nav: { label: "Executions", key: "e", group: "Plant" } },
  { path: "executions/:id", tag: "page-execution", title: "Execution", load: () => import("./pages/execution"), under: "executions" },
  { path: "frames", tag: "page-frames", title: "Frames", load: () => import("./pages/frames"), nav: { label: "Frames", key: "f", group: "Frames" } },
  { path: "frames/camera/:id", tag: "page-camera", title: "Camera", load: () => import("./pages/camera"), under: "frames" },
  { path: "frames/frame/:id", tag: "page-frame", title: "Frame", load: () => import("./pages/frame"), under: "frames" },
  { path: "alerts", tag: "page-alerts", title: "Alerts", load: () => import("./pages/alerts"), nav: { label: "Alerts", key: "l", group: "Plant" } },
  { path: "journal", tag: "page-journal", title: "Journal", load: () => import("./pages/journal"), nav: { label: "Journal", key: "j", group: "Plant" } },
  { path: "audit", tag: "page-audit", title: "Audit", load: () => import("./pages/audit"), nav: { label: "Audit", key: "u", group: "Cluster" }, needs: ["GET", "/v1/audit"] },
  { path: "access", tag: "page-access", title: "Access", load: () => import("./pages/access"), nav: { label: "Access", key: "t", group: "Cluster" }, needs: ["GET", "/v1/tokens"] },
];
