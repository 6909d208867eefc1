/**
 * A camera's last picture with its age. An old one is greyed and says so, in words too: nobody shall take it for live.
 *
 * It is fetched only while it is in view, and again when the list tells of a newer one.
 */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { clock } from "../clock";
import { duration } from "../format";
import { shared } from "../style/shared";
import { fetchPicture, type Shown } from "./pictures";
import { OLD_S, type Camera } from "./shown";

@customElement("tri-picture")
export class CameraPicture extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      figure {
        position: relative;
        aspect-ratio: var(--picture-ratio, 4 / 3);
        overflow: hidden;
        background: var(--surface-3);
      }
      img {
        display: block;
        width: 100%;
        height: 100%;
        object-fit: contain;
      }
      figure.old img {
        filter: grayscale(1) contrast(0.75);
        opacity: 0.55;
      }
      figcaption {
        position: absolute;
        right: 6px;
        bottom: 6px;
        padding: 1px 7px;
        border-radius: 10px;
        background: var(--surface);
        color: var(--ink-2);
        font-size: var(--text-xs);
        font-weight: 600;
        line-height: 18px;
        font-variant-numeric: tabular-nums;
        white-space: nowrap;
      }
      figure.old figcaption {
        background: var(--warn-soft);
        color: var(--warn);
        outline: 1px solid var(--warn);
      }
      .none {
        position: absolute;
        inset: 0;
        display: grid;
        place-content: center;
        justify-items: center;
        gap: 4px;
        padding: var(--space-3);
        color: var(--ink-2);
        font-size: var(--text-s);
        text-align: center;
      }
    `,
  ];
  @property({ attribute: false }) camera!: Camera;
  @state() private shown: Shown | null = null;
  @state() private failed = false;
  private inView = false;
  private fetching: AbortController | null = null;
  private off: (() => void) | null = null;
  private readonly sight = new IntersectionObserver(([entry]) => {
    this.inView = entry?.isIntersecting ?? false;
    this.want();
  });

  connectedCallback(): void {
    super.connectedCallback();
    this.off = clock.everySecond(() => this.requestUpdate());
    this.sight.observe(this);
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.off?.();
    this.sight.disconnect();
    this.fetching?.abort();
    this.fetching = null;
    this.show(null);
  }

  willUpdate(changed: PropertyValues): void {
    if (!changed.has("camera")) return;
    const before = changed.get("camera") as Camera | undefined;
    if (before && before.id !== this.camera.id) {
      this.fetching?.abort();
      this.fetching = null;
      this.show(null);
    }
    this.want();
  }

  /** Seconds, now; null where it cannot be told. */
  get age(): number | null {
    return this.shown && this.shown.age !== null ? this.shown.age + (performance.now() - this.shown.at) / 1000 : null;
  }

  private want(): void {
    if (!this.inView || this.fetching || !this.camera?.picture) return;
    if (this.shown && this.shown.sequence === this.camera.picture.sequence) return;
    void this.fetch();
  }

  private async fetch(): Promise<void> {
    const fetching = (this.fetching = new AbortController());
    const camera = this.camera.id;
    try {
      const found = await fetchPicture(camera, fetching.signal);
      if (fetching.signal.aborted) {
        if (found) URL.revokeObjectURL(found.url);
        return;
      }
      this.failed = false;
      if (found) this.show({ ...found, sequence: found.sequence ?? this.camera.picture?.sequence ?? null });
    } catch {
      // What is shown stays, and grows old; the next answer of the list asks again.
      if (!fetching.signal.aborted) this.failed = true;
    }
    if (this.fetching === fetching) this.fetching = null;
  }

  private show(shown: Shown | null): void {
    if (this.shown) URL.revokeObjectURL(this.shown.url);
    this.shown = shown;
  }

  render() {
    if (!this.shown) {
      const none = this.camera.picture === null;
      return html`<figure class="none-yet">
        <div class="none">${none ? html`<strong>No picture</strong><span class="small">None was left in the last ten minutes.</span>` : this.failed ? "The picture could not be fetched" : "…"}</div>
      </figure>`;
    }
    const age = this.age;
    const old = age === null || age > OLD_S;
    const told = age === null ? "of unknown age" : `${age < 10 ? age.toFixed(1) : Math.round(age)} s`.replace(/^(\d{3,}) s$/, () => duration(age ?? 0));
    return html`<figure class=${old ? "old" : ""} data-old=${old ? "yes" : "no"} data-sequence=${this.shown.sequence ?? nothing}>
      <img src=${this.shown.url} alt=${`${old ? "Old picture" : "Last picture"} of camera ${this.camera.id}, ${age === null ? told : `${told} old`}`} />
      <figcaption aria-hidden="true">${age === null ? "OLD? age unknown" : old ? `OLD · ${told}` : `${told} ago`}</figcaption>
    </figure>`;
  }
}
