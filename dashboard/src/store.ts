/**
 * The plant as this page knows it: rows by subject, at one index of the log, and the figures that come each second.
 *
 * Elements are told once per animation frame, however many changes have come. Everything is bounded: rows are as many as the
 * nodes hold, lists that only grow keep their newest lines, trails keep ten minutes.
 */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import type { Figures, FrameFigures, Leadership, Member, RowOf, Subject } from "./rows";

/** Subjects of which only the newest rows are kept. */
const NEWEST: Partial<Record<Subject, number>> = { journal: 500, audit: 500 };
/** One a second: ten minutes. */
const TRAIL_MAX = 600;

export type Topic = Subject | "figures" | "link" | "session";

export type LinkState = "connecting" | "live" | "lost" | "signed-out";

export interface Link {
  state: LinkState;
  /** The member that serves the stream. */
  origin: string;
  node: string | null;
  leader: string | null;
  epoch: string | null;
  index: number;
  /** Age of the node's state when it last said so, seconds. */
  staleness: number | null;
  /** `performance.now()` of the last byte, and of the last figures. */
  heardAt: number;
  figuresAt: number;
  /** Why it is not live. */
  reason: string;
}

export interface TrailPoint {
  /** Seconds, by this page's clock. */
  at: number;
  /** Null: not known then. */
  frames: FrameFigures | null;
}

type Change = { subject: string; id: string; row: unknown };

/** Told each row at once, as it comes: elements are told later, and of many changes of a row only the last. */
export interface Tap {
  /** `live`: it is a change, and no row of a snapshot. Null: the row is gone. */
  row: (subject: string, id: string, row: any, live: boolean) => void; // eslint-disable-line @typescript-eslint/no-explicit-any
  forget: () => void;
}

class Store {
  readonly link: Link = {
    state: "connecting",
    origin: location.origin,
    node: null,
    leader: null,
    epoch: null,
    index: 0,
    staleness: null,
    heardAt: 0,
    figuresAt: 0,
    reason: "",
  };
  figures: Figures | null = null;
  readonly trail: TrailPoint[] = [];
  /** Whether a snapshot has come. */
  loaded = false;
  private readonly subjects = new Map<string, Map<string, unknown>>();
  private readonly listeners = new Map<Topic, Set<() => void>>();
  private readonly dirty = new Set<Topic>();
  private scheduled = false;
  private readonly taps: Tap[] = [];

  tap(tap: Tap): void {
    this.taps.push(tap);
  }

  rows<S extends Subject>(subject: S): ReadonlyMap<string, RowOf[S]> {
    return this.of(subject) as Map<string, RowOf[S]>;
  }

  list<S extends Subject>(subject: S): RowOf[S][] {
    return [...this.rows(subject).values()];
  }

  /** The members, with how far each is where the figures say so: only the leader's do. */
  members(): Member[] {
    const newest = new Map((this.figures?.members ?? []).map((row) => [row.id, row]));
    return [...this.rows("cluster")].filter(([id]) => !id.startsWith("@")).map(([id, row]) => ({ ...row, ...newest.get(id) }));
  }

  /** Who led when, the oldest first. */
  leaderships(): Leadership[] {
    return [...this.rows("cluster")].filter(([id]) => id.startsWith("@") && id !== "@claim").map(([, row]) => row as Leadership).sort((a, b) => a.at - b.at);
  }

  on(topics: readonly Topic[], listener: () => void): () => void {
    for (const topic of topics) {
      const found = this.listeners.get(topic) ?? new Set();
      found.add(listener);
      this.listeners.set(topic, found);
    }
    return () => topics.forEach((topic) => this.listeners.get(topic)?.delete(listener));
  }

  /** All rows anew. Subjects that the answer does not name are empty from now on. */
  replace(index: number, subjects: Record<string, Record<string, unknown>>): void {
    for (const name of new Set([...this.subjects.keys(), ...Object.keys(subjects)])) {
      this.subjects.set(name, new Map(Object.entries(subjects[name] ?? {})));
      this.bound(name);
      this.touch(name as Topic);
    }
    // Whoever is told of a row may look at others.
    if (this.taps.length) for (const [name, rows] of this.subjects) for (const [id, row] of rows) this.taps.forEach((tap) => tap.row(name, id, row, false));
    this.link.index = index;
    this.loaded = true;
    this.touch("link");
  }

  change(index: number, changes: readonly Change[]): void {
    for (const { subject, id, row } of changes) {
      const rows = this.of(subject);
      if (row === null) rows.delete(id);
      else rows.set(id, row);
      this.taps.forEach((tap) => tap.row(subject, id, row, true));
      this.bound(subject);
      this.touch(subject as Topic);
    }
    this.link.index = Math.max(this.link.index, index);
  }

  tell(figures: Figures): void {
    this.figures = figures;
    const now = performance.now();
    Object.assign(this.link, {
      node: figures.node,
      leader: figures.leader,
      epoch: figures.epoch,
      staleness: Math.max(figures.state_age_s ?? 0, figures.staleness_s ?? 0),
      figuresAt: now,
      index: Math.max(this.link.index, figures.index ?? 0),
    });
    this.trail.push({ at: Date.now() / 1000, frames: figures.frames ?? null });
    if (this.trail.length > TRAIL_MAX) this.trail.splice(0, this.trail.length - TRAIL_MAX);
    this.touch("figures");
    this.touch("link");
  }

  relink(changed: Partial<Link>): void {
    Object.assign(this.link, changed);
    this.touch("link");
  }

  forget(): void {
    this.subjects.clear();
    this.taps.forEach((tap) => tap.forget());
    this.trail.length = 0;
    this.figures = null;
    this.loaded = false;
    [...this.listeners.keys()].forEach((topic) => this.touch(topic));
  }

  touch(topic: Topic): void {
    this.dirty.add(topic);
    if (this.scheduled) return;
    this.scheduled = true;
    requestAnimationFrame(() => {
      this.scheduled = false;
      const told = new Set<() => void>();
      for (const each of this.dirty) this.listeners.get(each)?.forEach((listener) => told.add(listener));
      this.dirty.clear();
      told.forEach((listener) => listener());
    });
  }

  private of(subject: string): Map<string, unknown> {
    let rows = this.subjects.get(subject);
    if (!rows) this.subjects.set(subject, (rows = new Map()));
    return rows;
  }

  private bound(subject: string): void {
    const most = NEWEST[subject as Subject];
    if (most === undefined) return;
    const rows = this.of(subject);
    for (const id of rows.keys()) {
      if (rows.size <= most) break;
      rows.delete(id);
    }
  }
}

export const store = new Store();

/**
 * Draws its element again when one of the topics has changed: `private live = new Live(this, ["components"])`.
 * With `ms`, at most so often: for what is much to draw.
 */
export class Live implements ReactiveController {
  private off: (() => void) | null = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private drawnAt = -Infinity;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly topics: readonly Topic[],
    private readonly ms = 0,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.off = store.on(this.topics, () => this.changed());
  }

  hostDisconnected(): void {
    this.off?.();
    this.off = null;
    if (this.timer !== null) clearTimeout(this.timer);
    this.timer = null;
  }

  private changed(): void {
    if (this.timer !== null) return;
    const left = this.drawnAt + this.ms - performance.now();
    if (left > 0) this.timer = setTimeout(() => this.draw(), left);
    else this.draw();
  }

  private draw(): void {
    this.timer = null;
    this.drawnAt = performance.now();
    this.host.requestUpdate();
  }
}
