/**
 * The stream that keeps the store as the plant is.
 *
 * All subjects are asked for but tokens and audit, which have pages of their own.
 *
 *     snapshot at N ─▶ watch behind N ─▶ changes …          any node: an index means the same everywhere
 *          ▲                │ silent, cut, ended ─▶ the next member, behind the last index that was told
 *          └── 410 ─────────┘ the place is compacted: all anew
 *
 * A node sends figures each second. One that says nothing for `SILENT_MS` is taken for dead, whatever its connection
 * looks like: a frozen process keeps its connections.
 */
import { members } from "./members";
import { pathWith } from "./api";
import { Problem } from "./problem";
import { eventsOf, type ServerEvent } from "./sse";
import { authorised } from "./token";
import { store } from "../store";
import type { Figures } from "../rows";

export const SILENT_MS = 2200;
const CONNECT_MS = 1200;
const SNAPSHOT_MS = 5000;
const PAUSE_MS = 100;
const PAUSE_MAX_MS = 1000;

interface Ready {
  index: number;
  node: string;
  leader: string | null;
  epoch: string | null;
}

interface Changed {
  index: number;
  changes: { subject: string; id: string; kind: string; row: unknown }[];
}

class Feed {
  private stopping: AbortController | null = null;
  private after: number | null = null;
  private failures = 0;
  private onReady: (origin: string) => void = () => undefined;

  /** `onReady`: a member, by its origin, serves the stream from now on. */
  start(onRefused: (problem: Problem) => void, onReady: (origin: string) => void): void {
    this.stop();
    const stopping = (this.stopping = new AbortController());
    this.after = null;
    this.failures = 0;
    this.onReady = onReady;
    void this.run(onRefused, stopping.signal);
  }

  stop(): void {
    this.stopping?.abort();
    this.stopping = null;
  }

  private async run(onRefused: (problem: Problem) => void, stop: AbortSignal): Promise<void> {
    store.relink({ state: "connecting", reason: "" });
    while (!stop.aborted) {
      const origin = members.current;
      let reason = `${origin} ended the stream`;
      try {
        if (this.after === null) await this.snapshot(origin, stop);
        await this.watch(origin, stop);
      } catch (error) {
        if (stop.aborted) return;
        if (error instanceof Compacted) {
          this.after = null;
          await new Promise((go) => setTimeout(go, PAUSE_MS));
          continue;
        }
        if (error instanceof Problem) {
          reason = `${origin}: ${error.title}`;
          if (error.status === 401 || error.status === 403) return onRefused(error);
          if (error.code === "compacted" || error.code === "invalid_cursor") {
            this.after = null;
            await new Promise((go) => setTimeout(go, PAUSE_MS));
            continue;
          }
        } else {
          reason = error instanceof Silent ? `${origin} is silent` : `${origin} does not answer`;
        }
      }
      if (stop.aborted) return;
      if (store.link.state === "live") mark("lost");
      store.relink({ state: store.loaded ? "lost" : "connecting", reason });
      members.leave(origin);
      // At once to the next one; only when all have failed, more slowly.
      this.failures += 1;
      const rounds = Math.floor(this.failures / members.all.length);
      if (rounds > 0) await new Promise((go) => setTimeout(go, Math.min(PAUSE_MS * 2 ** rounds, PAUSE_MAX_MS)));
    }
  }

  private async snapshot(origin: string, stop: AbortSignal): Promise<void> {
        const signal = AbortSignal.any([stop, AbortSignal.timeout(SNAPSHOT_MS)]);
    const response = await fetch(`${origin}/v1/snapshot`, { headers: authorised(), signal, cache: "no-store", credentials: "omit" });
    if (!response.ok) throw await Problem.of(response);
    const body = (await response.json()) as { index: number; subjects: Record<string, Record<string, unknown>> };
    this.after = body.index;
    store.replace(body.index, body.subjects);
    learnMembers();
  }

  private async watch(origin: string, stop: AbortSignal): Promise<void> {
    const cut = new AbortController();
    const connecting = setTimeout(() => cut.abort(new Silent()), CONNECT_MS);
    let heard = performance.now();
    const watchdog = setInterval(() => {
      if (performance.now() - heard > SILENT_MS) cut.abort(new Silent());
    }, 200);
    try {
      const url = origin + pathWith("/v1/watch", { after: this.after });
      const response = await fetch(url, {
        headers: authorised({ Accept: "text/event-stream" }),
        signal: AbortSignal.any([stop, cut.signal]),
        cache: "no-store",
        credentials: "omit",
      });
      if (!response.ok) throw await Problem.of(response);
      clearTimeout(connecting);
      const alive = (id: string | null) => {
        heard = store.link.heardAt = performance.now();
        if (id !== null && /^\d+$/.test(id)) this.after = Math.max(this.after ?? 0, Number(id));
      };
      for await (const event of eventsOf(response, alive)) this.take(origin, event);
    } catch (error) {
      throw cut.signal.aborted && !(error instanceof Problem) ? new Silent() : error;
    } finally {
      clearTimeout(connecting);
      clearInterval(watchdog);
      cut.abort();
    }
  }

  private take(origin: string, event: ServerEvent): void {
    if (event.event === "ready") {
      const ready = JSON.parse(event.data) as Ready;
      this.failures = 0;
      const { node, leader, epoch } = ready;
      store.relink({ state: "live", origin, node, leader, epoch, reason: "", figuresAt: performance.now(), staleness: null });
      mark("live");
      noteLeader(leader);
      this.onReady(origin);
    } else if (event.event === "lost") {
      const { reason } = JSON.parse(event.data) as { reason: string };
      if (reason === "compacted" || reason === "restored") throw new Compacted();
    } else if (event.event === "change") {
      const changed = JSON.parse(event.data) as Changed;
      store.change(changed.index, changed.changes);
      if (changed.changes.some((each) => each.subject === "cluster")) learnMembers();
    } else if (event.event === "figures") {
      const figures = JSON.parse(event.data) as Figures;
      store.tell(figures);
      noteLeader(figures.leader);
    }
  }
}

class Silent extends Error {}

/** What was missed is not held any more: all anew. */
class Compacted extends Error {}

function learnMembers(): void {
  members.learn(store.members().map((row) => row.api));
}

let known: string | null = null;

/** A mark for whoever measures how long a change of the leader was felt here. */
function noteLeader(leader: string | null): void {
  if (leader === null || leader === known) return;
  known = leader;
  mark("leader");
}

/** One mark a name: the browser would keep them all. */
function mark(name: string): void {
  performance.clearMarks(`triarch:${name}`);
  performance.mark(`triarch:${name}`);
}

export const feed = new Feed();
