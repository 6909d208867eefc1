/**
 * Components as a map: groups, states, and what needs what. The cell that is pointed at or has the focus has its own arrows drawn
 * and its neighbours named; on a dense map these are the only ones between components. Its drawing goes on a layer of its own,
 * so that a pointer which crosses a thousand cells does not have them all drawn again.
 */
import { LitElement, css, html, nothing, svg, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { guard } from "lit/directives/guard.js";
import { repeat } from "lit/directives/repeat.js";
import { mapOf, neededBy, type Box, type Cell, type ComponentMap, type Edge, type Link } from "../component-map";
import { health, inTrouble, toneOfRow } from "../component-shown";
import { plural } from "../format";
import { href } from "../router";
import type { Component } from "../rows";
import { store } from "../store";
import { shared } from "../style/shared";
import type { Tone } from "./badge";

/** Of neighbours, by name; the rest is counted. */
const NAMED_MAX = 8;
/** Between the middle of a dense cell and the head of an arrow, pixels. */
const CLEAR = 9;

@customElement("tri-map")
export class TriMap extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      /* Clipped, not hidden: what sticks within would stick to the card. */
      .card.flush {
        overflow: clip;
      }
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
      a:hover .box-name,
      a:focus-visible .box-name {
        text-decoration: underline;
      }
      a:focus-visible .box-name {
        fill: var(--focus);
        text-decoration-thickness: 2px;
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
      .number {
        fill: var(--ink-2);
        font: 600 11px var(--font);
      }
      .faded {
        opacity: 0.35;
      }
      .own {
        pointer-events: none;
      }
      .own .edge {
        stroke: var(--accent);
        stroke-width: 2;
      }
      .own .edge.bad {
        stroke: var(--bad);
      }
      .own .arrow {
        fill: var(--accent);
      }
      .own rect {
        fill: none;
        stroke: var(--accent);
        stroke-width: 2.5;
      }
      .ok { color: var(--ok); fill: var(--ok); }
      .warn { color: var(--warn); fill: var(--warn); }
      .bad-mark { color: var(--bad); fill: var(--bad); }
      .info { color: var(--info); fill: var(--info); }
      .idle { color: var(--idle); fill: var(--idle); }
      .about {
        position: sticky;
        bottom: 0;
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        background: var(--surface);
        color: var(--ink-3);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
      .about.chosen {
        color: var(--ink);
      }
      .legend {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
      }
    `,
  ];
  @property({ attribute: false }) rows: Component[] = [];
  @state() private width = 1000;
  /** The id of the component that is pointed at, or has the focus. */
  @state() private chosen = "";
  private map: ComponentMap = mapOf([], [], 0);
  private needed = new Map<string, string[]>();
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
    if (!changed.has("rows") && !changed.has("width")) return;
    this.map = mapOf(this.rows, store.list("groups"), Math.max(this.width - 40, 240));
    // Of all: who is needed by what the filters hide is needed all the same.
    this.needed = neededBy(store.list("components"));
  }

  private point(event: Event): void {
    const id = cellOf(event.target)?.dataset.id;
    if (id !== undefined) this.chosen = id;
  }

  private reach(event: FocusEvent): void {
    const cell = cellOf(event.target);
    this.chosen = cell?.dataset.id ?? "";
    const about = this.renderRoot.querySelector(".about");
    // What is said about a cell does not stand on it. By the keyboard only: what moves under a pointer is not clicked any more.
    if (cell?.matches(":focus-visible") && about && cell.getBoundingClientRect().bottom > about.getBoundingClientRect().top) cell.scrollIntoView({ block: "center" });
  }

  private leave(): void {
    const focused = (this.renderRoot as ShadowRoot).activeElement;
    this.chosen = cellOf(focused)?.dataset.id ?? "";
  }

  render() {
    const { map } = this;
    const chosen = map.cells.get(this.chosen);
    const [width, height] = [map.width + 2, map.height + 2];
    return html`<section class="card flush">
      <div class="map" tabindex="0" role="region" aria-label="Map of components">
        <svg width=${width} height=${height} viewBox="-1 -1 ${width} ${height}" role="group" aria-label=${`${plural(this.rows.length, "component")} in ${plural(map.boxes.length, "group")}; the list holds the same`}
          @pointerover=${this.point} @pointerleave=${this.leave} @focusin=${this.reach} @focusout=${() => (this.chosen = "")}>
          <defs>${marker("arrow")}</defs>
          ${guard([map], () => drawBoxes(map))}
          <g aria-hidden="true" class=${chosen ? "faded" : ""}>${guard([map], () => (map.dense ? map.shown.map(drawLink) : map.edges.map((edge) => drawEdge(edge, curve(edge), "arrow"))))}</g>
          ${guard([map], () => this.cells())}
          <g class="own" aria-hidden="true"><defs>${marker("own-arrow")}</defs>${chosen ? drawOwn(chosen, map) : nothing}</g>
        </svg>
      </div>
      <p class="about ${chosen ? "chosen" : ""}" aria-hidden="true">${chosen ? this.words(chosen.row) : hint(map)}</p>
      <div class="legend" aria-hidden="true">${["STARTED", "READY", "STOPPED", "DEGRADED", "FAULT"].map((name) => html`<tri-badge state=${name}></tri-badge>`)}</div>
    </section>`;
  }

  /** By id: what has the focus stays the same component when others come and go. */
  private cells() {
    return repeat(
      this.map.boxes.flatMap((box) => box.cells),
      (cell) => cell.row.id,
      (cell) => drawCell(cell, this.map.dense, this.words(cell.row)),
    );
  }

  /** All that the map shows of one component. */
  private words(row: Component): string {
    const now = `${row.id}: ${row.state}, ${health(row)}${row.reason ? `, ${row.reason}` : ""}`;
    return [now, ...around("needs", row.depends_on), ...around("needed by", this.needed.get(row.id) ?? [])].join("; ");
  }
}

function cellOf(target: EventTarget | null): SVGAElement | null {
  return target instanceof Element ? target.closest<SVGAElement>("a[data-id]") : null;
}

function around(word: string, names: readonly string[]): string[] {
  if (names.length === 0) return [];
  const more = names.length - NAMED_MAX;
  return [`${word} ${names.slice(0, NAMED_MAX).join(", ")}${more > 0 ? ` and ${plural(more, "other")}` : ""}`];
}

function hint(map: ComponentMap): string {
  if (!map.dense) return "An arrow leads from what is needed to what needs it.";
  const left = map.links.length - map.shown.length;
  const all = left > 0 ? ` The ${map.shown.length} arrows with the most dependencies are drawn, ${left} are not.` : "";
  return `An arrow leads from a group that is needed to one that needs it, with the number of dependencies. Point at a square, or go to it with Tab, for its name and its own.${all}`;
}

function marker(id: string) {
  return svg`<marker id=${id} viewBox="0 0 8 8" refX="7" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto"><path class="arrow" d="M0 0 8 4 0 8z" /></marker>`;
}

function drawBoxes({ boxes, links }: ComponentMap) {
  const needs = new Map(boxes.map((box) => [box, [] as string[]]));
  const needed = new Map(boxes.map((box) => [box, [] as string[]]));
  for (const { from, to, edges } of links) {
    needs.get(to)!.push(`${titleOf(from)} (${edges.length})`);
    needed.get(from)!.push(`${titleOf(to)} (${edges.length})`);
  }
  const words = (box: Box) => {
    const counted = `${titleOf(box)}: ${plural(box.cells.length, "component")}`;
    return [counted, ...around("needs", needs.get(box)!), ...around("needed by", needed.get(box)!)].join("; ");
  };
  return repeat(
    boxes,
    (box) => box.name,
    (box) => drawBox(box, words(box)),
  );
}

function titleOf(box: Box): string {
  return box.title || box.name;
}

function drawBox(box: Box, words: string) {
  const note = box.within.length ? `in ${box.within.join(", ")}` : "";
  const name = svg`<text class="box-name" x=${box.x + 12} y=${box.y + 19}>${cut(titleOf(box), box.width - 24)}</text>`;
  return svg`<g><rect class="box" x=${box.x} y=${box.y} width=${box.width} height=${box.height} rx="6"/>
    ${box.real ? svg`<a href=${groupHref(box.name)} aria-label=${words}><title>${words}</title>${name}</a>` : name}
    ${note ? svg`<text class="box-note" x=${box.x + box.width - 12} y=${box.y + 19} text-anchor="end">${cut(note, box.width / 2 - 16)}</text>` : nothing}</g>`;
}

/** The same page with this group alone. */
function groupHref(name: string): string {
  const query = new URLSearchParams(location.hash.split("?")[1]);
  query.set("group", name);
  return `${href("components")}?${query}`;
}

function drawCell(cell: Cell, dense: boolean, words: string) {
  const { row, x, y, width, height } = cell;
  const tone = toneOfRow(row);
  const mark = svg`<g transform="translate(${dense ? x + 2 : x + 9} ${dense ? y + 2 : y + 10})" class=${tone === "bad" ? "bad-mark" : tone}>${shape(tone)}</g>`;
  return svg`<a href=${href("components", row.id)} data-id=${row.id} aria-label=${words}><title>${words}</title>
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

function drawLink({ from, to, edges, x1, y1, x2, y2, out, back }: Link) {
  const bad = edges.filter((edge) => inTrouble(edge.from.row)).length;
  const words = `${titleOf(to)} needs ${titleOf(from)}: ${plural(edges.length, "dependency", "dependencies")}${bad ? `, ${bad} of them on what is in trouble` : ""}`;
  return svg`<g data-link="${from.name} ${to.name}"><title>${words}</title>
    <path class="edge ${bad ? "bad" : ""}" d="M${x1} ${y1}C${x1} ${y1 + out} ${x2} ${y2 + back} ${x2} ${y2}" marker-end="url(#arrow)"/>
    <text class="number" x=${x2 + 6} y=${back < 0 ? y2 - 5 : y2 + 13}>${edges.length}</text></g>`;
}

/** The arrows of one component, and its neighbours on the map. */
function drawOwn(cell: Cell, map: ComponentMap) {
  const edges = map.edges.filter((edge) => edge.from === cell || edge.to === cell);
  const cells = new Set([cell, ...edges.flatMap((edge) => [edge.from, edge.to])]);
  return svg`${[...cells].map(({ x, y, width, height }) => svg`<rect x=${x} y=${y} width=${width} height=${height} rx=${map.dense ? 3 : 5}/>`)}
    ${edges.map((edge) => drawEdge(edge, map.dense ? straight(edge) : curve(edge), "own-arrow"))}`;
}

function drawEdge({ from, to }: Edge, path: string, head: string) {
  return svg`<path class="edge ${inTrouble(from.row) ? "bad" : ""}" data-edge="${from.row.id} ${to.row.id}" d=${path} marker-end="url(#${head})"/>`;
}

function curve({ from, to }: Edge): string {
  const forward = to.x > from.x + from.width;
  const x1 = from.x + from.width;
  const y1 = from.y + from.height / 2;
  const x2 = forward ? to.x - 1 : to.x + to.width + 1;
  const y2 = to.y + to.height / 2;
  const bend = forward ? Math.max((x2 - x1) / 2, 24) : 34;
  return `M${x1} ${y1}C${x1 + bend} ${y1} ${forward ? x2 - bend : x2 + bend} ${y2} ${x2} ${y2}`;
}

function straight({ from, to }: Edge): string {
  const [x1, y1] = [from.x + from.width / 2, from.y + from.height / 2];
  const [x2, y2] = [to.x + to.width / 2, to.y + to.height / 2];
  const share = CLEAR / Math.max(CLEAR, Math.hypot(x2 - x1, y2 - y1));
  return `M${x1} ${y1}L${(x2 - (x2 - x1) * share).toFixed(1)} ${(y2 - (y2 - y1) * share).toFixed(1)}`;
}

function cut(text: string, px: number): string {
  const most = Math.max(2, Math.floor(px / 6.8));
  return text.length > most ? `${text.slice(0, most - 1)}…` : text;
}
