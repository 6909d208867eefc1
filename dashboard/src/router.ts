/** Addresses behind `#`: every node serves the same page, and nothing has to be configured for it. */
import { PAGES, type Page } from "./pages";

export interface Place {
  page: Page | null;
  /** What the pattern names, decoded. */
  params: Record<string, string>;
  query: URLSearchParams;
}

export function place(hash: string = location.hash): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const parts = path.split("/").filter(Boolean).map(decoded);
  for (const page of PAGES) {
    const wanted = page.path.split("/").filter(Boolean);
    if (wanted.length !== parts.length) continue;
    const params: Record<string, string> = {};
    const fits = wanted.every((part, at) => {
      if (!part.startsWith(":")) return part === parts[at];
      params[part.slice(1)] = parts[at] ?? "";
      return true;
    });
    if (fits) return { page, params, query: new URLSearchParams(query) };
  }
  return { page: null, params: {}, query: new URLSearchParams() };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** The address of a page: `href("components", id)`. */
export function href(...parts: string[]): string {
  return `#/${parts.map(encodeURIComponent).join("/")}`;
}

export function go(...parts: string[]): void {
  location.hash = href(...parts);
}

/** Told on `window` when a page has changed the query of its address: `replaceState` tells nobody. */
export const QUERY_KEPT = "triarch:query-kept";

/** Puts the filters of a page into its address, so that it can be sent to somebody. */
export function keepQuery(values: Record<string, string>): void {
  const [path = ""] = location.hash.split("?", 1);
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== "")).toString();
  history.replaceState(null, "", (path || "#/") + (query ? `?${query}` : ""));
  window.dispatchEvent(new Event(QUERY_KEPT));
}
