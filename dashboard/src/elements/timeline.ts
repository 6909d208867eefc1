/** Spans on lanes over time, as SVG; the same as a list for who does not see it. */
import { LitElement, css, html, nothing, svg } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { duration, timeOfDay } from "../format";
import { shared } from "../style/shared";
import type { Tone } from "./badge";

export interface Span {
  lane: string;
  /** Unix seconds; without an end it goes on. */
  from: number;
  to: number | null;
  tone: Tone | "gap";
  /** What it was, in words. */
  text: string;
  href?: string;
}

const LANE = 26;
const AXIS = 22;

@customElement("tri-timeline")
export class Timeline extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
        min-width: 0;
      }
      svg {
        display: block;
        width: 100%;
        overflow: visible;
      }
      text {
        fill: var(--ink-2);
        font: 11px var(--font);
      }
      .tick {
        fill: var(--ink-3);
      }
      line {
        stroke: var(--line);
      }
      .ok { fill: var(--ok); }
      .warn { fill: var(--warn); }
      .bad { fill: var(--bad); }
      .info { fill: var(--info); }
      .idle { fill: var(--idle); }
      .gap { fill: var(--bad); }
      rect {
        rx: 3px;
      }
    `,
  ];
  @property() label = "";
  @property({ attribute: false }) spans: readonly Span[] = [];
  @property({ attribute: false }) lanes: readonly string[] = [];
  /** What is in view, Unix seconds. */
  @property({ type: Number }) from = 0;
  @property({ type: Number }) to = 1;
  @state() private width = 600;
  private readonly resized = new ResizeObserver(([entry]) => (this.width = Math.max(200, Math.round(entry?.contentRect.width ?? 600))));

  connectedCallback(): void {
    super.connectedCallback();
    this.resized.observe(this);
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resized.disconnect();
  }

  render() {
    const longest = Math.max(2, ...this.lanes.map((lane) => lane.length));
    const left = Math.min(longest * 7 + 12, this.width * 0.35);
    const room = this.width - left - 4;
    const length = Math.max(this.to - this.from, 0.001);
    const x = (at: number) => left + (Math.min(Math.max(at, this.from), this.to) - this.from) / length * room;
    const height = this.lanes.length * LANE + AXIS;
    const ticks = Math.max(2, Math.floor(room / 110));
    return html`<svg viewBox="0 0 ${this.width} ${height}" height=${height} role="img" aria-label=${this.label}>
        ${this.lanes.map((lane, at) => svg`<line x1=${left} x2=${this.width} y1=${at * LANE + LANE - 0.5} y2=${at * LANE + LANE - 0.5}/><text x="0" y=${at * LANE + 17}>${clipped(lane, left)}</text>`)}
        ${this.spans.map((span) => {
          const lane = this.lanes.indexOf(span.lane);
          const begin = x(span.from);
          const end = x(span.to ?? this.to);
          if (lane < 0 || (span.to ?? this.to) < this.from || span.from > this.to) return nothing;
          const bar = svg`<rect class=${span.tone} x=${begin} y=${lane * LANE + 6} width=${Math.max(end - begin, 2)} height=${LANE - 12}><title>${span.text}</title></rect>`;
          return span.href ? svg`<a href=${span.href} tabindex="-1">${bar}</a>` : bar;
        })}
        ${Array.from({ length: ticks + 1 }, (_, at) => {
          const when = this.from + length * at / ticks;
          const anchor = at === 0 ? "start" : at === ticks ? "end" : "middle";
          return svg`<text class="tick" x=${left + room * at / ticks} y=${height - 5} text-anchor=${anchor}>${length < 5 ? `+${duration(when - this.from)}` : timeOfDay(when * 1000)}</text>`;
        })}
      </svg>
      <ul class="only-read">
        ${this.spans.map((span) => html`<li>${span.lane}: ${span.text}</li>`)}
      </ul>`;
  }
}

function clipped(text: string, px: number): string {
  const most = Math.floor(px / 6.6);
  return text.length > most ? `${text.slice(0, Math.max(1, most - 1))}…` : text;
}
