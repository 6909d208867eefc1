/**
 * What the plant decided by itself, and why: made of the rows of the stream, with their times where the nodes keep them.
 *
 *     policies ─▶ runs of the supervision      executions ─▶ begun, ended; steps where a page asks for them
 *     alerts ─▶ fired, resolved                cluster ─▶ who leads, and why
 *     journal ─▶ events, and what playbooks and triggers wrote
 *     components ─▶ faults and silence, as they come: the nodes keep no time of those
 *
 * The nodes keep only the last run of a component; earlier ones are here from when the page was opened. The newest
 * `KEPT_MAX` of each source are kept.
 */
import { clock } from "./clock";
import type { Execution, Summary } from "./executions/shown";
import { duration, millis } from "./format";
import { href } from "./router";
import type { Alert, Component, Leadership } from "./rows";
import { store } from "./store";

export const SOURCES = ["supervision", "trigger", "execution", "step", "alert", "leadership", "component", "event"] as const;
export const LEVELS = ["info", "warning", "error", "critical"] as const;
export type Source = (typeof SOURCES)[number];
export type Level = (typeof LEVELS)[number];

export const KEPT_MAX = 300;

export interface Decision {
  id: string;
  /** Milliseconds since 1970, by the clock of the node that decided. */
  at: number;
  source: Source;
  level: Level;
  /** A component, playbook, rule or node. */
  about: string;
  /** Its page; empty where there is none. */
  href: string;
  what: string;
  why: string;
  /** The execution that it belongs to, or empty. */
  execution: string;
}

type Row = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

class Decisions {
  private readonly kept = new Map<Source, Map<string, Decision>>();
  /** By component, how it was when last told. */
  private readonly seen = new Map<string, string>();
  /** By execution, the index up to which its steps are here. */
  private readonly stepped = new Map<string, number>();

  constructor() {
    store.tap({ row: (...told) => this.take(...told), forget: () => this.forget() });
  }

  /** The newest first; of `about` alone where that is given. */
  list(about = ""): Decision[] {
    const all = [...this.kept.values()].flatMap((rows) => [...rows.values()]);
    return (about ? all.filter((each) => each.about === about) : all).sort(newestFirst);
  }

  /** Executions whose steps have gone on since they were taken: the newest ones, at most `most`. */
  unstepped(among: number, most: number): Summary[] {
    const newest = (store.list("executions") as Summary[]).sort((a, b) => b.index - a.index).slice(0, among);
    return newest.filter((row) => (this.stepped.get(row.id) ?? -1) < row.index).slice(0, most);
  }

  /** Takes the steps of an execution as far as it is. */
  steps(row: Execution): void {
    for (const step of row.steps) {
      // One that is taken back and done anew begins at another time: what was said of it before stays.
      const begun = `${row.id}/${step.path}/${step.started}`;
      const name = `${step.id || step.path} (${step.type.replaceAll("_", " ")})`;
      const one = (id: string, at: string | null, level: Level, what: string, why: string) =>
        at !== null && this.put({ id: `${begun}/${id}`, at: millis(at), source: "step", level, about: row.playbook, href: href("playbooks", row.playbook), what, why, execution: row.id });
      one("begun", step.started, "info", `Begins step ${name}`, "");
      // When it failed is not kept, only when it is tried next: the first sight of it is the nearest that there is.
      const retry = step.retrying && `retry/${step.retrying.n}`;
      if (step.retrying && retry && !this.kept.get("step")?.has(`${begun}/${retry}`)) one(retry, new Date(clock.now()).toISOString(), "warning", `Tries step ${name} again, attempt ${step.retrying.n}`, step.retrying.error);
      if (step.ended) one("ended", step.ended, step.status === "SUCCEEDED" || step.status === "SKIPPED" ? "info" : step.status === "CANCELLED" ? "warning" : "error", `Step ${name} is ${step.status.toLowerCase().replace("_", " ")}`, step.error || step.code);
    }
    this.stepped.delete(row.id);
    this.stepped.set(row.id, row.index);
    for (const id of this.stepped.keys()) if (this.stepped.size > KEPT_MAX) this.stepped.delete(id);
  }

  /** An execution that nobody knows any more has no steps to ask for. */
  stepless(row: Summary): void {
    this.stepped.set(row.id, row.index);
  }

  private take(subject: string, id: string, row: Row | null, live: boolean): void {
    if (subject === "components") this.component(id, row as Component | null);
    else if (row === null) return;
    else if (subject === "policies") this.run(id, row, live);
    else if (subject === "alerts") this.alert(row as Alert);
    else if (subject === "executions") this.execution(row as Summary);
    else if (subject === "journal") this.line(row);
    else if (subject === "cluster" && id.startsWith("@") && id !== "@claim") this.leadership(row as Leadership);
  }

  private forget(): void {
    this.kept.clear();
    this.seen.clear();
    this.stepped.clear();
  }

  private put(row: Decision): void {
    let rows = this.kept.get(row.source);
    if (!rows) this.kept.set(row.source, (rows = new Map()));
    rows.set(row.id, row);
    if (rows.size <= KEPT_MAX * 1.2) return;
    [...rows.values()].sort(newestFirst).slice(KEPT_MAX).forEach((each) => rows.delete(each.id));
  }

  private component(id: string, row: Component | null): void {
    if (row === null) {
      if (this.seen.delete(id)) this.put({ id: `${id}/gone/${clock.now()}`, at: clock.now(), source: "component", level: "info", about: id, href: "", what: "Is not registered any more", why: "", execution: "" });
      return;
    }
    const now = row.presence === "OFFLINE" ? "OFFLINE" : row.state === "FAULT" ? "FAULT" : row.health === "UNRESPONSIVE" ? "UNRESPONSIVE" : "";
    const before = this.seen.get(id);
    this.seen.set(id, now);
    // How it was before the page was opened is on its own page; when that came, nobody knows. A change that comes with a
    // later snapshot came while the page was not told: now is the nearest that there is.
    if (before === undefined || before === now) return;
    const why = now === "FAULT" ? row.reason : row.health_reason || row.reason;
    this.put({ id: `${id}/${now}/${clock.now()}`, at: clock.now(), source: "component", level: now ? "error" : "info", about: id, href: href("components", id), what: now ? `Is ${now}` : `Is ${before} no more`, why: now ? why : `it is ${row.state}`, execution: "" });
  }

  private run(id: string, row: Row, live: boolean): void {
    const run = row.run as Row | null;
    const about = { source: "supervision" as const, about: id, href: href("components", id), execution: "" };
    if (run) {
      const verb = run.purpose === "restart" ? "Restarts it" : run.goal === "STARTED" ? "Starts it" : run.purpose === "cascade" ? "Stops it for what it needs" : run.purpose === "group" ? "Stops it with its group" : "Stops it";
      const level = run.purpose === "restart" || run.purpose === "cascade" || run.purpose === "group" || run.outcome === "abandoned" ? "warning" : "info";
      this.put({ ...about, id: `${id}/${run.number}`, at: millis(run.time), level, what: `${verb}: ${run.outcome || "goes on"}`, why: run.reason });
    }
    if (!row.exhausted) return;
    // The nodes keep no time of it: that of the run before, unless it comes now.
    const gave = `${id}/${run?.number ?? 0}/given up`;
    if (!this.kept.get("supervision")?.has(gave)) this.put({ ...about, id: gave, at: live || !run ? clock.now() : millis(run.time), level: "error", what: "Gives it up", why: row.exhausted });
  }

  private alert(row: Alert): void {
    if (row.id === null) return;
    const level = LEVELS.find((each) => each === row.severity) ?? "warning";
    const first = row.members[0];
    const one = row.members_total === 1 && first ? first.subject : "";
    // One that grows or goes stays about what it fired for.
    const fired = this.kept.get("alert")?.get(`${row.id}/fired`);
    const of = fired ?? { about: one || row.rule, href: one && store.rows("components").has(one) ? href("components", one) : href("alerts") };
    const about = { source: "alert" as const, about: of.about, href: of.href, execution: "" };
    const why = first ? row.members.slice(0, 3).map((member) => `${member.subject}: ${member.reason}`).join("; ") : row.summary;
    if (row.fired_time !== null) this.put({ ...about, id: `${row.id}/fired`, at: millis(row.fired_time), level, what: `Alert ${row.rule} fires`, why });
    if (row.resolved_time !== null) this.put({ ...about, id: `${row.id}/resolved`, at: millis(row.resolved_time), level: "info", what: `Alert ${row.rule} is resolved`, why: "its condition holds no more" });
  }

  private leadership(row: Leadership): void {
    const gap = row.gap_s === null ? "" : `, after ${duration(row.gap_s)} without a leader`;
    this.put({ id: row.epoch, at: millis(row.at), source: "leadership", level: row.reason === "election" ? "warning" : "info", about: row.node, href: "#/", what: `Leads in epoch ${row.epoch}`, why: `${row.reason}${gap}`, execution: "" });
  }

  private execution(row: Summary): void {
    const about = { about: row.playbook, href: href("playbooks", row.playbook), execution: row.id };
    const triggered = row.who.startsWith("trigger ");
    const by = row.parent ? `by execution ${row.parent.execution}` : row.who ? `by ${row.who}` : "";
    this.put({ ...about, id: `${row.id}/created`, at: millis(row.created), source: triggered ? "trigger" : "execution", level: "info", what: triggered ? "Sets off an execution" : "Execution is asked for", why: by });
    if (row.ended) this.put({ ...about, id: ended(row.id, row.index), at: millis(row.ended), source: "execution", level: row.status === "SUCCEEDED" ? "info" : row.status === "CANCELLED" ? "warning" : "error", what: `Execution is ${row.status.toLowerCase().replace("_", " ")}`, why: [row.code, row.error].filter(Boolean).join(": ") });
  }

  private line(row: Row): void {
    const type = String(row.type);
    const playbook = type.startsWith("playbook.");
    // Its execution says so itself, for as long as the nodes keep it.
    const id = type === "playbook.failed" ? ended(row.execution, row.index) : `line/${row.number}`;
    const source = type === "playbook.trigger_failed" ? "trigger" : playbook ? "execution" : "event";
    if (type === "playbook.failed" && this.kept.get(source)?.has(id)) return;
    const { message: _said, ...rest } = (row.data ?? {}) as Row;
    const data = Object.keys(rest).length ? JSON.stringify(rest) : "";
    const at = playbook ? href("playbooks", row.source) : store.rows("components").has(row.source) ? href("components", row.source) : "";
    this.put({ id, at: millis(row.time), source, level: row.level, about: row.source, href: at, what: playbook ? LINES[type] ?? type : `Event ${type}`, why: [row.message, data].filter(Boolean).join(" "), execution: row.execution });
  }
}

const LINES: Record<string, string> = {
  "playbook.log": "Writes",
  "playbook.failed": "Execution is failed",
  "playbook.approval_needed": "Asks for an approval",
  "playbook.trigger_failed": "A trigger starts nothing",
};

/** An execution that is retried ends again. The change of the log that ends it writes its line of the journal, too. */
function ended(execution: string, index: number): string {
  return `${execution}/ended/${index}`;
}

/** Numbers within ids count as numbers: what one change brings has the same time. */
const IDS = new Intl.Collator("en", { numeric: true });

function newestFirst(a: Decision, b: Decision): number {
  return b.at - a.at || IDS.compare(b.id, a.id);
}

export const decisions = new Decisions();
