/** Lines over time. The newest values are told in words too. */
import { LitElement, css, html, unsafeCSS, type PropertyValues } from "lit";
import { customElement, property, query } from "lit/decorators.js";
import uPlot from "uplot";
import plotSheet from "uplot/dist/uPlot.min.css?inline";
import { number, timeOfDay } from "../format";
import { shared } from "../style/shared";

export interface Line {
  label: string;
  /** By `times`; null where there is none. */
  values: readonly (number | null)[];
}

const DRAWN_MAX = 1200;
/** A line of a second says nothing. */
const SHOWN_LEAST_S = 30;

@customElement("tri-chart")
export class Chart extends LitElement {
  static styles = [
    shared,
    unsafeCSS(plotSheet),
    css`
      :host {
        display: block;
        min-width: 0;
      }
      .plot {
        height: var(--chart-height, 150px);
        overflow: hidden;
      }
      ul {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-1) var(--space-4);
        margin-top: var(--space-1);
        list-style: none;
        font-size: var(--text-xs);
        color: var(--ink-2);
      }
      li {
        display: inline-flex;
        align-items: center;
        gap: 6px;
        font-variant-numeric: tabular-nums;
      }
      li i {
        width: 10px;
        height: 3px;
        border-radius: 1px;
      }
      .s1 { background: var(--series-1); }
      .s2 { background: var(--series-2); }
      .s3 { background: var(--series-3); }
      .s4 { background: var(--series-4); }
      .s5 { background: var(--series-5); }
      .s6 { background: var(--series-6); }
    `,
  ];
  @property() label = "";
  @property() unit = "";
  /** Unix seconds, rising. */
  @property({ attribute: false }) times: readonly number[] = [];
  @property({ attribute: false }) lines: readonly Line[] = [];
  /** Without it, zero is in view. */
  @property({ type: Boolean }) free = false;
  @query(".plot") private place!: HTMLElement;
  private plot: uPlot | null = null;
  private drawn = "";
  private readonly resized = new ResizeObserver(() => this.fit());
  private readonly redraw = () => this.rebuild();

  connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("triarch-theme", this.redraw);
    if (this.hasUpdated) this.rebuild();
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("triarch-theme", this.redraw);
    this.resized.disconnect();
    this.plot?.destroy();
    this.plot = null;
  }

  updated(changed: PropertyValues): void {
    if (!changed.has("times") && !changed.has("lines")) return;
    if (this.plot && this.drawn === this.names()) this.plot.setData(this.data());
    else this.rebuild();
  }

  private names(): string {
    return this.lines.map((line) => line.label).join("\n");
  }

  private data(): uPlot.AlignedData {
    const from = Math.max(0, this.times.length - DRAWN_MAX);
    return [this.times.slice(from), ...this.lines.map((line) => line.values.slice(from))] as uPlot.AlignedData;
  }

  private inView(): [number, number] {
    const drawn = this.times.slice(-DRAWN_MAX);
    const last = drawn[drawn.length - 1] ?? Date.now() / 1000;
    return [Math.min(drawn[0] ?? last, last - SHOWN_LEAST_S), last];
  }

  private fit(): void {
    const { clientWidth: width, clientHeight: height } = this.place;
    if (width > 0 && this.plot && (this.plot.width !== width || this.plot.height !== height)) this.plot.setSize({ width, height });
  }

  private rebuild(): void {
    if (!this.place || !this.isConnected) return;
    this.plot?.destroy();
    this.drawn = this.names();
    const style = getComputedStyle(this);
    const colour = (name: string) => style.getPropertyValue(name).trim();
    const axis = { stroke: colour("--ink-3"), font: `11px ${colour("--font")}`, grid: { stroke: colour("--line"), width: 1 }, ticks: { stroke: colour("--line"), width: 1, size: 4 } };
    this.plot = new uPlot(
      {
        width: this.place.clientWidth || 300,
        height: this.place.clientHeight || 150,
        padding: [8, 8, 0, 0],
        legend: { show: false },
        cursor: { y: false, points: { size: 5 }, drag: { x: false, y: false } },
        scales: { x: { range: () => this.inView() }, y: { range: (_, low, high) => (this.free ? spread(low, high) : spread(Math.min(0, low), high > 0 ? high : 1)) } },
        series: [{}, ...this.lines.map((line, at) => ({ label: line.label, stroke: colour(`--series-${(at % 6) + 1}`), width: 1.5, points: { show: false }, spanGaps: false }))],
        axes: [
          { ...axis, size: 28, values: (_, splits) => splits.map((at) => timeOfDay(at * 1000)), space: 90 },
          { ...axis, size: 52, values: (_, splits) => splits.map((value) => number(value)), space: 32 },
        ],
      },
      this.data(),
      this.place,
    );
    this.resized.disconnect();
    this.resized.observe(this.place);
  }

  render() {
    const newest = this.lines.map((line) => line.values[line.values.length - 1] ?? null);
    const told = this.lines.map((line, at) => `${line.label} ${number(newest[at])}${this.unit ? ` ${this.unit}` : ""}`).join(", ");
    return html`<div class="plot" role="img" aria-label="${this.label}, now: ${told}"></div>
      <ul aria-hidden="true" ?hidden=${this.lines.length < 2}>
        ${this.lines.map((line, at) => html`<li><i class="s${(at % 6) + 1}"></i>${line.label} <strong>${number(newest[at])}</strong> ${this.unit}</li>`)}
      </ul>`;
  }
}

function spread(low: number, high: number): [number, number] {
  if (!Number.isFinite(low) || !Number.isFinite(high)) return [0, 1];
  const room = (high - low || Math.abs(high) || 1) * 0.08;
  return [low === 0 ? 0 : low - room, high + room];
}
