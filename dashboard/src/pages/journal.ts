/** What the plant decided by itself, and why: live, the newest first. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Column } from "../elements/table";
import { KEPT_MAX, LEVELS, SOURCES, decisions, type Decision } from "../decisions";
import { Every } from "../every";
import type { Execution } from "../executions/shown";
import { count, moment } from "../format";
import { get } from "../net/api";
import { Problem } from "../net/problem";
import { href, keepQuery } from "../router";
import { Live } from "../store";
import { shared } from "../style/shared";

/** A busy plant is not drawn with every change. */
const DRAW_MS = 200;
/** Steps are no part of the stream: of the newest executions they are asked for, some at a time. */
const STEPS_MS = 1000;
const STEPS_AMONG = 10;
const STEPS_AT_ONCE = 4;

type Name = "source" | "level" | "about" | "text";
const NAMES: readonly Name[] = ["source", "level", "about", "text"];

const WORDS: Record<(typeof SOURCES)[number], string> = {
  supervision: "Supervision",
  trigger: "Triggers",
  execution: "Executions",
  step: "Steps",
  alert: "Alerts",
  leadership: "Leadership",
  component: "Faults and silence",
  event: "Events",
};

@customElement("page-journal")
export class Journal extends LitElement {
  static styles = [
    shared,
    css`
      form {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        align-items: end;
      }
      p a {
        text-decoration: underline;
      }
      input {
        width: 180px;
        max-width: 100%;
      }
    `,
  ];
  @property({ attribute: false }) query = new URLSearchParams();
  @state() private wanted: Record<Name, string> = { source: "", level: "", about: "", text: "" };
  @state() private chosen = "";
  protected live = new Live(this, ["policies", "alerts", "executions", "journal", "cluster", "components"], DRAW_MS);
  protected readonly stepped = new Every<void>(this, STEPS_MS, (signal) => this.steps(signal));

  willUpdate(changed: PropertyValues): void {
    if (!changed.has("query")) return;
    const asked = Object.fromEntries(NAMES.map((name) => [name, this.query.get(name) ?? ""])) as Record<Name, string>;
    if (NAMES.some((name) => asked[name] !== this.wanted[name])) this.wanted = asked;
  }

  private async steps(signal: AbortSignal): Promise<void> {
    for (const row of decisions.unstepped(STEPS_AMONG, STEPS_AT_ONCE)) {
      try {
        decisions.steps(await get<Execution>(`/v1/executions/${encodeURIComponent(row.id)}`, undefined, { signal }));
      } catch (error) {
        if (!(error instanceof Problem && error.status === 404)) throw error;
        decisions.stepless(row);
      }
    }
  }

  private set(event: Event): void {
    const field = event.target as HTMLInputElement | HTMLSelectElement;
    this.wanted = { ...this.wanted, [field.name]: field.value };
    keepQuery(this.wanted);
  }

  private rows(): Decision[] {
    const { source, level, about, text } = this.wanted;
    const least = LEVELS.findIndex((each) => each === level);
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const name = about.trim().toLowerCase();
    return decisions.list().filter((row) => {
      if (source && row.source !== source) return false;
      if (LEVELS.indexOf(row.level) < least) return false;
      if (name && !row.about.toLowerCase().includes(name)) return false;
      const all = `${row.source} ${row.about} ${row.what} ${row.why} ${row.execution}`.toLowerCase();
      return words.every((word) => all.includes(word));
    });
  }

  render() {
    const { source, level, about, text } = this.wanted;
    const rows = this.rows();
    return html`<div class="stack">
      <div class="row between"><h1>Journal</h1><span class="muted small num" role="status">${count(rows.length)} shown</span></div>
      <p class="muted small">What the plant decided by itself, and why. The newest ${KEPT_MAX} of each kind are kept; who changed what is in the <a href="#/audit">audit</a>.</p>
      <form @input=${this.set} @submit=${(event: Event) => event.preventDefault()} aria-label="Filter" role="search">
        <div class="field"><label for="source">Decided by</label><select id="source" name="source">
          <option value="" .selected=${source === ""}>All</option>
          ${SOURCES.map((each) => html`<option value=${each} .selected=${each === source}>${WORDS[each]}</option>`)}
        </select></div>
        <div class="field"><label for="level">Level</label><select id="level" name="level">
          <option value="" .selected=${level === ""}>All</option>
          ${LEVELS.slice(1).map((each) => html`<option value=${each} .selected=${each === level}>${each}${each === "critical" ? "" : " or worse"}</option>`)}
        </select></div>
        <div class="field"><label for="about">About</label><input id="about" name="about" placeholder="press-1" maxlength="100" autocomplete="off" .value=${about} /></div>
        <div class="field"><label for="text">Text</label><input id="text" name="text" type="search" maxlength="100" autocomplete="off" .value=${text} /></div>
      </form>
      ${this.stepped.error ? html`<tri-error .error=${this.stepped.error} .retry=${() => void this.stepped.now()}></tri-error>` : nothing}
      <section class="card flush">${this.table(rows)}</section>
      ${this.detail(rows)}
    </div>`;
  }

  private table(rows: Decision[]) {
    const columns: Column<Decision>[] = [
      { key: "time", label: "Time", width: "104px", value: (row) => row.at, cell: (row) => html`<button class="plain num" aria-expanded=${this.chosen === row.id} aria-label="Entry of ${moment(row.at / 1000)}: ${row.about} ${row.what}" @click=${() => (this.chosen = this.chosen === row.id ? "" : row.id)}>${moment(row.at / 1000)}</button>` },
      { key: "source", label: "By", width: "130px", value: (row) => row.source, cell: (row) => html`<tri-badge state=${row.level} label=${row.source} title=${row.level}></tri-badge>` },
      { key: "about", label: "About", width: "140px", extra: true, value: (row) => row.about, cell: (row) => (row.href ? html`<a href=${row.href}>${row.about}</a>` : row.about) },
      { key: "what", label: "Decision", width: "28%", value: (row) => row.what, cell: (row) => (row.execution ? html`<a href=${href("executions", row.execution)} title=${row.what}>${row.what}</a>` : html`<span title=${row.what}>${row.what}</span>`) },
      { key: "why", label: "Why", extra: true, value: (row) => row.why, cell: (row) => html`<span title=${row.why}>${row.why || "–"}</span>` },
    ];
    return html`<tri-table label="Decisions" empty="Nothing was decided yet" .columns=${columns} .rows=${rows}></tri-table>`;
  }

  private detail(rows: Decision[]) {
    const row = rows.find((each) => each.id === this.chosen);
    if (!row) return nothing;
    return html`<section class="card" aria-labelledby="h-entry">
      <header><h2 id="h-entry">${row.what}</h2><button class="plain" @click=${() => (this.chosen = "")}>Close</button></header>
      <dl class="facts">
        <dt>When</dt><dd>${moment(row.at / 1000)}, <tri-time .value=${row.at / 1000}></tri-time></dd>
        <dt>By</dt><dd>${WORDS[row.source]}, ${row.level}</dd>
        <dt>About</dt><dd>${row.href ? html`<a href=${row.href}>${row.about}</a>` : row.about || "–"}</dd>
        <dt>Why</dt><dd>${row.why || "–"}</dd>
        ${row.execution ? html`<dt>Execution</dt><dd><a href=${href("executions", row.execution)}>${row.execution}</a></dd>` : nothing}
      </dl>
    </section>`;
  }
}
