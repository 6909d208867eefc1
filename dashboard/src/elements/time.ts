/** A time of the plant, as how long ago it was; in full when pointed at. */
import { LitElement, css, html } from "lit";
import { customElement, property } from "lit/decorators.js";
import { clock } from "../clock";
import { ago, millis, moment } from "../format";

@customElement("tri-time")
export class Time extends LitElement {
  static styles = css`
    time {
      font-variant-numeric: tabular-nums;
      white-space: nowrap;
    }
  `;

  /** Unix seconds, or RFC 3339. */
  @property({ attribute: false }) value: number | string | null = null;
  /** Show the time of day instead. */
  @property({ type: Boolean }) absolute = false;
  private off: (() => void) | null = null;

  connectedCallback(): void {
    super.connectedCallback();
    if (!this.absolute) this.off = clock.everySecond(() => this.requestUpdate());
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.off?.();
  }

  render() {
    if (this.value === null || this.value === undefined || Number.isNaN(millis(this.value))) return html`–`;
    const full = new Date(millis(this.value)).toISOString();
    return html`<time datetime=${full} title=${full}>${this.absolute ? moment(this.value) : ago(this.value)}</time>`;
  }
}
