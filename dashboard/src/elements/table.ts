/**
 * A table that sorts, filters, and draws only the rows in view: a thousand cost as much as thirty.
 *
 * Rows have one height, so that where a row stands is known without drawing it. On a narrow page, columns that are
 * `extra` are left out.
 */
import { LitElement, css, html, nothing, type PropertyValues, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { count } from "../format";
import { shared } from "../style/shared";

export interface Column<R> {
  key: string;
  label: string;
  /** What is sorted by and searched; shown when there is no `cell`. */
  value: (row: R) => string | number | null;
  cell?: (row: R) => TemplateResult | string | typeof nothing;
  /** A CSS width; the others share what is left. */
  width?: string;
  numeric?: boolean;
  /** Left out where there is little room. */
  extra?: boolean;
  sortable?: boolean;
}

const ROW_PX = 34;
const AROUND = 8;

@customElement("tri-table")
export class Table extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
        min-width: 0;
        container-type: inline-size;
      }
      .scroll {
        overflow: auto;
        max-height: var(--table-height, 70vh);
      }
      table {
        width: 100%;
        border-collapse: separate;
        border-spacing: 0;
        table-layout: fixed;
        font-size: var(--text-s);
      }
      th {
        position: sticky;
        z-index: 1;
        top: 0;
        height: 32px;
        padding: 0 var(--space-3);
        border-bottom: 1px solid var(--line);
        background: var(--surface-2);
        color: var(--ink-2);
        font-size: var(--text-xs);
        font-weight: 600;
        text-align: left;
        white-space: nowrap;
      }
      th button {
        min-height: 24px;
        padding: 0;
        border: 0;
        background: none !important;
        color: inherit;
        font-size: inherit;
        font-weight: inherit;
      }
      td {
        height: 34px;
        padding: 0 var(--space-3);
        overflow: hidden;
        border-bottom: 1px solid var(--line);
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      tbody tr:hover td {
        background: var(--surface-2);
      }
      tr.spacer td {
        height: auto;
        padding: 0;
        border: 0;
      }
      .numeric {
        text-align: right;
        font-variant-numeric: tabular-nums;
      }
      .top {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-2);
        padding: var(--space-2) var(--space-3);
        border-bottom: 1px solid var(--line);
      }
      .top input {
        flex: 1 1 160px;
        max-width: 320px;
        min-width: 0;
      }
      @container (max-width: 620px) {
        .extra {
          display: none;
        }
        th,
        td {
          padding: 0 var(--space-2);
        }
      }
    `,
  ];
  /** What it is a table of: for who does not see what is around it. */
  @property() label = "";
  @property({ attribute: false }) columns: readonly Column<any>[] = []; // eslint-disable-line @typescript-eslint/no-explicit-any
  @property({ attribute: false }) rows: readonly any[] = []; // eslint-disable-line @typescript-eslint/no-explicit-any
  @property({ attribute: false }) rowKey: (row: any) => string = (row) => row.id; // eslint-disable-line @typescript-eslint/no-explicit-any
  /** The column that it is sorted by at first; "-name" for downwards; "" as the rows come. */
  @property() sort = "";
  @property({ type: Boolean }) searchable = false;
  @property() empty = "Nothing here";
  @state() private wanted = "";
  @state() private from = 0;
  @state() private height = 600;
  @query(".scroll") private scroller!: HTMLElement;
  private shown: readonly unknown[] = [];
  private readonly resized = new ResizeObserver(() => this.look());

  firstUpdated(): void {
    this.resized.observe(this.scroller);
    this.look();
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resized.disconnect();
  }

  connectedCallback(): void {
    super.connectedCallback();
    if (this.hasUpdated) this.resized.observe(this.scroller);
  }

  willUpdate(changed: PropertyValues): void {
    if (["rows", "columns", "sort", "wanted"].some((name) => changed.has(name))) this.shown = this.ordered();
  }

  private ordered(): readonly unknown[] {
    const words = this.wanted.toLowerCase().split(/\s+/).filter(Boolean);
    let found = this.rows;
    if (words.length > 0) {
      found = found.filter((row) => {
        const text = this.columns.map((column) => String(column.value(row) ?? "")).join(" ").toLowerCase();
        return words.every((word) => text.includes(word));
      });
    }
    const down = this.sort.startsWith("-");
    const column = this.columns.find((each) => each.key === this.sort.replace(/^-/, ""));
    if (!column) return found;
    const sign = down ? -1 : 1;
    return [...found].sort((a, b) => sign * compare(column.value(a), column.value(b)));
  }

  private look(): void {
    this.from = Math.floor(this.scroller.scrollTop / ROW_PX);
    this.height = this.scroller.clientHeight;
  }

  private turn(column: Column<unknown>): void {
    this.sort = this.sort === column.key ? `-${column.key}` : column.key;
  }

  render() {
    const first = Math.max(0, Math.min(this.from, this.shown.length) - AROUND);
    const last = Math.min(this.shown.length, this.from + Math.ceil(this.height / ROW_PX) + AROUND);
    const part = this.shown.slice(first, last);
    return html`${this.searchable
        ? html`<div class="top">
            <input type="search" placeholder="Filter" aria-label="Filter ${this.label}" .value=${this.wanted} @input=${(event: InputEvent) => (this.wanted = (event.target as HTMLInputElement).value)} />
            <span class="muted small num" role="status">${this.shown.length === this.rows.length ? count(this.rows.length) : `${count(this.shown.length)} of ${count(this.rows.length)}`}</span>
            <slot name="top"></slot>
          </div>`
        : nothing}
      <div class="scroll" tabindex="0" role="region" aria-label="${this.label}, rows" @scroll=${this.look}>
        <table aria-label=${this.label} aria-rowcount=${this.shown.length + 1}>
          <thead>
            <tr>
              ${this.columns.map((column) => this.head(column))}
            </tr>
          </thead>
          <tbody>
            ${spacer(first, this.columns.length)}
            ${repeat(part, this.rowKey, (row, at) => html`<tr aria-rowindex=${first + at + 2}>
                ${this.columns.map((column) => html`<td class=${classes(column)}>${column.cell ? column.cell(row) : (column.value(row) ?? "–")}</td>`)}
              </tr>`)}
            ${spacer(this.shown.length - last, this.columns.length)}
          </tbody>
        </table>
        ${this.shown.length === 0 ? html`<tri-empty heading=${this.rows.length ? "Nothing fits the filter" : this.empty}></tri-empty>` : nothing}
      </div>`;
  }

  private head(column: Column<unknown>) {
    const up = this.sort === column.key;
    const down = this.sort === `-${column.key}`;
    return html`<th scope="col" class=${classes(column)} .style=${column.width ? `width:${column.width}` : "min-width:0"} aria-sort=${up ? "ascending" : down ? "descending" : "none"}>
      ${column.sortable === false
        ? column.label || html`<span class="only-read">Actions</span>`
        : html`<button @click=${() => this.turn(column)}>${column.label}<span aria-hidden="true">${up ? "▲" : down ? "▼" : ""}</span></button>`}
    </th>`;
  }
}

function classes(column: Column<unknown>): string {
  return `${column.numeric ? "numeric" : ""} ${column.extra ? "extra" : ""}`;
}

function spacer(rows: number, columns: number) {
  return rows > 0 ? html`<tr class="spacer" aria-hidden="true"><td colspan=${columns} .style=${`height:${rows * ROW_PX}px`}></td></tr>` : nothing;
}

function compare(a: string | number | null, b: string | number | null): number {
  if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
  if (typeof a === "number" && typeof b === "number") return a - b;
  return String(a).localeCompare(String(b), undefined, { numeric: true });
}
