/** Executions, the newest first: those that are open, and the last thousand that have ended. */
import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { clock } from "../clock";
import type { Column } from "../elements/table";
import { count, duration, millis } from "../format";
import { href, keepQuery } from "../router";
import { Live, store } from "../store";
import { shared } from "../style/shared";
import { errorOf, isOpen, STATES, stateOf, toneOf, word, type Summary } from "../executions/shown";

function took(row: Summary): number | null {
  if (row.duration_s !== null) return row.duration_s;
  return row.started && isOpen(row) ? Math.max(0, (clock.now() - millis(row.started)) / 1000) : null;
}

const COLUMNS: Column<Summary>[] = [
  { key: "status", label: "State", value: stateOf, cell: (row) => html`<tri-badge tone=${toneOf(stateOf(row))} state=${stateOf(row)} label=${word(stateOf(row))} title=${errorOf(row)}></tri-badge>`, width: "124px" },
  { key: "playbook", label: "Playbook", value: (row) => row.playbook, cell: (row) => html`<a href=${href("executions", row.id)} aria-label="${row.playbook}, execution ${row.id}">${row.playbook}</a>`, width: "24%" },
  { key: "id", label: "Execution", value: (row) => row.id, cell: (row) => html`<code title=${row.id}>${row.id}</code>`, extra: true },
  { key: "created", label: "Began", value: (row) => row.created, cell: (row) => html`<tri-time .value=${row.started ?? row.created}></tri-time>`, width: "116px" },
  { key: "took", label: "Took", value: took, cell: (row) => duration(took(row)), numeric: true, width: "96px" },
  { key: "who", label: "By", value: (row) => row.who || null, width: "96px", extra: true },
  { key: "error", label: "Error", value: (row) => errorOf(row) || null, cell: (row) => html`<span title=${errorOf(row)}>${errorOf(row) || "–"}</span>`, extra: true },
];

@customElement("page-executions")
export class Page extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .chips {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-1);
      }
      .chips button {
        border-radius: 15px;
      }
      .chips button[aria-pressed="true"] {
        border-color: var(--accent);
        background: var(--accent-soft);
        color: var(--accent);
      }
    `,
  ];
  @property({ attribute: false }) query = new URLSearchParams();
  protected live = new Live(this, ["executions"]);
  private off: (() => void) | null = null;

  connectedCallback(): void {
    super.connectedCallback();
    this.off = clock.everySecond(() => this.requestUpdate());
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.off?.();
  }

  private set(name: string, value: string): void {
    const query = new URLSearchParams(this.query);
    if (value) query.set(name, value);
    else query.delete(name);
    this.query = query;
    keepQuery(Object.fromEntries(query));
  }

  render() {
    const every = store.list("executions") as Summary[];
    const playbook = this.query.get("playbook") ?? "";
    const wanted = this.query.get("state") ?? "";
    const among = playbook ? every.filter((row) => row.playbook === playbook) : every;
    const fits = (row: Summary) => wanted === "" || (wanted === "open" ? isOpen(row) : stateOf(row) === wanted.toUpperCase());
    const number = (state: string) => among.filter((row) => (state === "open" ? isOpen(row) : stateOf(row) === state)).length;
    const names = [...new Set(every.map((row) => row.playbook))].sort();
    if (playbook && !names.includes(playbook)) names.push(playbook);
    const chip = (state: string, label: string, n: number) =>
      html`<button aria-pressed=${wanted === state ? "true" : "false"} @click=${() => this.set("state", state)}>${label} <span class="num muted">${count(n)}</span></button>`;
    return html`<div class="stack">
      <div class="row between">
        <h1>Executions</h1>
        <div class="row">
          <label for="playbook">Playbook</label>
          <select id="playbook" @change=${(event: Event) => this.set("playbook", (event.target as HTMLSelectElement).value)}>
            <option value="" .selected=${playbook === ""}>all</option>
            ${names.map((each) => html`<option value=${each} .selected=${each === playbook}>${each}</option>`)}
          </select>
        </div>
      </div>
      <div class="chips" role="group" aria-label="Only those in the state">
        ${chip("", "All", among.length)} ${chip("open", "Open", number("open"))}
        ${STATES.map((state) => chip(state.toLowerCase(), word(state), number(state)))}
      </div>
      <section class="card flush">
        <tri-table label="Executions" searchable sort="-created" .columns=${COLUMNS} .rows=${among.filter(fits)} empty=${every.length ? "None in this state" : "Nothing has run yet"}></tri-table>
      </section>
    </div>`;
  }
}
