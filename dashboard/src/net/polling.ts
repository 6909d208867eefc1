/** Stands in for the watch of a node that has none: lists, asked again and again. */
import { members } from "./members";
import { authorised } from "./token";
import { store } from "../store";
import type { Member, Subject } from "../rows";

const LISTS: Partial<Record<Subject, [string, string]>> = {
  cluster: ["/v1/cluster/members", "id"],
  components: ["/v1/components", "id"],
  groups: ["/v1/groups", "name"],
  playbooks: ["/v1/playbooks", "name"],
  processors: ["/v1/processors", "id"],
  alerts: ["/v1/alerts?state=all", "id"],
  silences: ["/v1/silences", "id"],
  alert_rules: ["/v1/alert-rules", "name"],
};

export async function poll(subjects: readonly Subject[], stop: AbortSignal): Promise<void> {
  while (!stop.aborted) {
    const origin = members.current;
    try {
      const ask = async (path: string): Promise<any> => { // eslint-disable-line @typescript-eslint/no-explicit-any
        const response = await fetch(origin + path, { headers: authorised(), signal: stop, cache: "no-store" });
        if (!response.ok) throw new Error(String(response.status));
        return response.json();
      };
      const found: Record<string, Record<string, unknown>> = {};
      for (const subject of subjects) {
        const list = LISTS[subject];
        if (!list) continue;
        const rows = (await ask(list[0])) as Record<string, string>[];
        found[subject] = Object.fromEntries(rows.map((row) => [row[list[1]] ?? "", row]));
      }
      const status = await ask("/v1/cluster");
      const frames = await ask("/v1/frames/stats").catch(() => ({}));
      store.replace(status.applied_index, found);
      members.learn(store.list("cluster").map((row: Member) => row.api));
      store.relink({ state: "live", origin, heardAt: performance.now(), reason: "" });
      store.tell({ node: status.node, leader: status.leader, epoch: status.epoch, index: status.applied_index, staleness_s: status.last_contact_s, frames });
    } catch {
      if (stop.aborted) return;
      store.relink({ state: "lost", reason: `${origin} does not answer` });
      members.leave(origin);
    }
    await new Promise((go) => setTimeout(go, 1000));
  }
}
