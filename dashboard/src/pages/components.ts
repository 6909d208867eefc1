/** Components as a map of groups and what they need, or as a list; both hold the same, live. */
import { LitElement, css, html, nothing, svg, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { toneOf, type Tone } from "../elements/badge";
import type { Column } from "../elements/table";
import { mapOf, type Box, type Cell, type Edge } from "../component-map";
import { duration, plural } from "../format";
import { href, keepQuery } from "../router";
import type { Component } from "../rows";
import { Live, store } from "../store";
import { shared } from "../style/shared";
import { inTrouble } from "./overview";

/** A thousand of them are not drawn with every change. */
const DRAW_MS = 200;

@customElement("page-components")
export class Components extends LitElement {
  static styles = [
    shared,
    css`
      .map {
        overflow: auto;
        padding: var(--space-4);
      }
      svg {
        display: block;
      }
      .box {
        fill: var(--surface-2);
        stroke: var(--line);
      }
      .box-name {
        fill: var(--ink-2);
        font: 600 12px var(--font);
      }
      .box-note {
        fill: var(--ink-3);
        font: 11px var(--font);
      }
      .cell {
        fill: var(--surface);
        stroke: var(--line-strong);
      }
      .cell.bad {
        stroke: var(--bad);
        stroke-width: 2;
      }
      a:hover .cell {
        fill: var(--accent-soft);
      }
      a:focus-visible {
        outline: none;
      }
      a:focus-visible .cell {
        stroke: var(--focus);
        stroke-width: 3;
      }
      .name {
        fill: var(--ink);
        font: 500 12px var(--font);
      }
      .edge {
        fill: none;
        stroke: var(--line-strong);
        stroke-width: 1.3;
      }
      .edge.bad {
        stroke: var(--bad);
        stroke-dasharray: 4 3;
      }
      .arrow {
        fill: var(--line-strong);
      }
      .ok { color: var(--ok); fill: var(--ok); }
      .warn { color: var(--warn); fill: var(--warn); }
      .bad-mark { color: var(--bad); fill: var(--bad); }
      .info { color: var(--info); fill: var(--info); }
      .idle { color: var(--idle); fill: var(--idle); }
      .legend {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
      }
    `,
  ];
  @property({ attribute: false }) query = new URLSearchParams();
  @state() private view: "map" | "list" = "map";
  @state() private group = "";
  @state() private only = "";
  @state() private width = 1000;
  protected live = new Live(this, ["components", "groups", "figures"], DRAW_MS);
  private readonly resized = new ResizeObserver(([entry]) => (this.width = Math.round(entry?.contentRect.width ?? 1000)));

  connectedCallback(): void {
    super.connectedCallback();
    this.resized.observe(this);
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resized.disconnect();
  }

  willUpdate(changed: PropertyValues): void {
    if (!changed.has("query")) return;
    this.view = this.query.get("view") === "list" ? "list" : this.query.get("view") === "map" ? "map" : usual();
    this.group = this.query.get("group") ?? "";
    this.only = this.query.get("only") ?? "";
  }

  private set(change: () => void): void {
    change();
    keepQuery({ view: this.view === usual() ? "" : this.view, group: this.group, only: this.only });
  }

  private rows(): Component[] {
    const held = this.group ? this.held(this.group, new Set()) : null;
    return store
      .list("components")
      .filter((row) => held === null || row.groups.some((name) => held.has(name)) || held.has(`=${row.id}`))
      .filter((row) => this.only === "" || (this.only === "trouble" ? inTrouble(row) || row.health !== "OK" : row.state === this.only))
      .sort((a, b) => a.id.localeCompare(b.id, undefined, { numeric: true }));
  }

  /** Names of a group and of those within; `=id` for components that it names itself. */
  private held(name: string, seen: Set<string>): Set<string> {
    if (seen.has(name)) return seen;
    seen.add(name);
    const group = store.rows("groups").get(name);
    group?.components.forEach((id) => seen.add(`=${id}`));
    group?.groups.forEach((each) => this.held(each, seen));
    return seen;
  }

  render() {
    const rows = this.rows();
    const states = [...new Set(store.list("components").map((row) => row.state))].sort();
    const groups = store.list("groups").map((group) => group.name).sort();
    // What is chosen stays to be seen when nothing is like it any more.
    if (this.only && this.only !== "trouble" && !states.includes(this.only)) states.push(this.only);
    if (this.group && !groups.includes(this.group)) groups.push(this.group);
    return html`<div class="stack">
      <div class="row between">
        <h1>Components</h1>
        <div class="row">
          <label class="only-read" for="group">Group</label>
          <select id="group" @change=${(event: Event) => this.set(() => (this.group = (event.target as HTMLSelectElement).value))}>
            <option value="" .selected=${this.group === ""}>All groups</option>
            ${groups.map((name) => html`<option .selected=${name === this.group}>${name}</option>`)}
          </select>
          <label class="only-read" for="only">State</label>
          <select id="only" @change=${(event: Event) => this.set(() => (this.only = (event.target as HTMLSelectElement).value))}>
            <option value="" .selected=${this.only === ""}>All states</option>
            <option value="trouble" .selected=${this.only === "trouble"}>In trouble</option>
            ${states.map((name) => html`<option .selected=${name === this.only}>${name}</option>`)}
          </select>
          <div class="row" role="group" aria-label="Shown as">
            <button aria-pressed=${this.view === "map"} class=${this.view === "map" ? "primary" : ""} @click=${() => this.set(() => (this.view = "map"))}>Map</button>
            <button aria-pressed=${this.view === "list"} class=${this.view === "list" ? "primary" : ""} @click=${() => this.set(() => (this.view = "list"))}>List</button>
          </div>
        </div>
      </div>
      ${rows.length === 0 ? html`<section class="card"><tri-empty heading=${store.rows("components").size ? "Nothing fits" : "No component is registered"}></tri-empty></section>` : this.view === "map" ? this.map(rows) : this.list(rows)}
    </div>`;
  }

  private list(rows: Component[]) {
    const columns: Column<Component>[] = [
      { key: "id", label: "Component", value: (row) => row.id, cell: (row) => html`<a href=${href("components", row.id)}>${row.id}</a>` },
      { key: "state", label: "State", width: "150px", value: (row) => row.state, cell: (row) => html`<tri-badge state=${row.state}></tri-badge>` },
      { key: "health", label: "Health", width: "140px", value: (row) => health(row), cell: (row) => html`<tri-badge state=${health(row)}></tri-badge>` },
      { key: "group", label: "Groups", extra: true, value: (row) => row.groups.join(", ") },
      { key: "desired", label: "Desired", width: "110px", extra: true, value: (row) => row.desired },
      { key: "needs", label: "Needs", extra: true, value: (row) => row.depends_on.join(", ") || null },
      { key: "seen", label: "Last seen", width: "110px", numeric: true, extra: true, value: (row) => silence(row.id), cell: (row) => duration(silence(row.id)) },
      { key: "why", label: "Why", extra: true, value: (row) => row.reason || row.health_reason || (row.maintenance ? `maintenance: ${row.maintenance.reason}` : null) },
    ];
    return html`<section class="card flush"><tri-table searchable label="Components" sort="id" .columns=${columns} .rows=${rows}></tri-table></section>`;
  }

  private map(rows: Component[]) {
    const map = mapOf(rows, store.list("groups"), Math.max(this.width - 40, 240));
    return html`<section class="card flush">
      <div class="map" tabindex="0" role="region" aria-label="Map of components">
        <svg width=${map.width + 2} height=${map.height + 2} viewBox="-1 -1 ${map.width + 2} ${map.height + 2}" role="group" aria-label=${`${plural(rows.length, "component")} in ${plural(map.boxes.length, "group")}; the list holds the same`}>
          <defs><marker id="arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" orient="auto"><path class="arrow" d="M0 0 8 4 0 8z" /></marker></defs>
          ${map.boxes.map((box) => drawBox(box))} ${map.edges.map((edge) => drawEdge(edge))} ${map.boxes.map((box) => box.cells.map((cell) => drawCell(cell, map.dense)))}
        </svg>
      </div>
      <div class="legend" aria-hidden="true">
        ${["STARTED", "READY", "STOPPED", "DEGRADED", "FAULT"].map((name) => html`<tri-badge state=${name}></tri-badge>`)}
        <span class="muted small">${map.dense ? "Point at a square for its name; filter by group to see names and what needs what." : "An arrow leads from what is needed to what needs it."}</span>
      </div>
    </section>`;
  }
}

/** What is shown where the address says nothing: a map needs room. */
function usual(): "map" | "list" {
  return innerWidth < 760 ? "list" : "map";
}

/** Seconds since the leader has heard it; null where it says nothing. */
export function silence(id: string): number | null {
  return store.figures?.components?.silence_s?.[id] ?? null;
}

export function health(row: Component): string {
  return row.presence === "OFFLINE" ? "OFFLINE" : row.maintenance ? "MAINTENANCE" : row.health;
}

/** The worse of state and health. */
function toneOfRow(row: Component): Tone {
  const by = health(row);
  return by === "OFFLINE" || by === "UNRESPONSIVE" || row.state === "FAULT" ? "bad" : by === "DEGRADED" || by === "MAINTENANCE" ? "warn" : toneOf(row.state);
}

function drawBox(box: Box) {
  const note = box.within.length ? `in ${box.within.join(", ")}` : "";
  return svg`<g><rect class="box" x=${box.x} y=${box.y} width=${box.width} height=${box.height} rx="6"/>
    <text class="box-name" x=${box.x + 12} y=${box.y + 19}>${cut(box.title || box.name, box.width - 24)}</text>
    ${note ? svg`<text class="box-note" x=${box.x + box.width - 12} y=${box.y + 19} text-anchor="end">${cut(note, box.width / 2 - 16)}</text>` : nothing}</g>`;
}

function drawCell(cell: Cell, dense: boolean) {
  const { row, x, y, width, height } = cell;
  const tone = toneOfRow(row);
  const words = `${row.id}: ${row.state}, ${health(row)}${row.reason ? `, ${row.reason}` : ""}`;
  const mark = svg`<g transform="translate(${dense ? x + 2 : x + 9} ${dense ? y + 2 : y + 10})" class=${tone === "bad" ? "bad-mark" : tone}>${shape(tone)}</g>`;
  return svg`<a href=${href("components", row.id)} aria-label=${words}><title>${words}</title>
    <rect class="cell ${tone === "bad" ? "bad" : ""}" x=${x} y=${y} width=${width} height=${height} rx=${dense ? 3 : 5}/>${mark}
    ${dense ? nothing : svg`<text class="name" x=${x + 26} y=${y + 19}>${cut(row.id, width - 34)}</text>`}</a>`;
}

/** Ten pixels: a shape each, so that colour is not all there is. */
function shape(tone: Tone) {
  if (tone === "ok") return svg`<circle cx="5" cy="5" r="5"/>`;
  if (tone === "warn") return svg`<path d="M5 0 10 9.5H0z"/>`;
  if (tone === "bad") return svg`<path d="m0 2 2-2 3 3 3-3 2 2-3 3 3 3-2 2-3-3-3 3-2-2 3-3z"/>`;
  if (tone === "info") return svg`<path d="M5 0 10 5 5 10 0 5z"/>`;
  return svg`<rect x="1" y="1" width="8" height="8" rx="1" fill="none" stroke="currentColor" stroke-width="2"/>`;
}

function drawEdge({ from, to }: Edge) {
  const forward = to.x > from.x + from.width;
  const x1 = forward ? from.x + from.width : from.x + from.width;
  const y1 = from.y + from.height / 2;
  const x2 = forward ? to.x - 1 : to.x + to.width + 1;
  const y2 = to.y + to.height / 2;
  const bend = forward ? Math.max((x2 - x1) / 2, 24) : 34;
  const path = `M${x1} ${y1}C${x1 + bend} ${y1} ${forward ? x2 - bend : x2 + bend} ${y2} ${x2} ${y2}`;
  return svg`<path class="edge ${inTrouble(from.row) ? "bad" : ""}" d=${path} marker-end="url(#arrow)"/>`;
}

function cut(text: string, px: number): string {
  const most = Math.max(2, Math.floor(px / 6.8));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
