/** Cameras as cards, a page at a time. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { count, number } from "../format";
import { get } from "../net/api";
import { Polled } from "../polled";
import { href } from "../router";
import { shared } from "../style/shared";
import "./camera-picture";
import type { Camera, CameraPage } from "./shown";

const PAGE = 24;
const EVERY_MS = 1000;
const RATE_S = 5;

/** Frames a second of each camera that is shown, over the last seconds. */
export class Rates {
  private readonly seen = new Map<string, { at: number; published: number }[]>();

  add(cameras: readonly Camera[]): void {
    const at = performance.now() / 1000;
    for (const id of this.seen.keys()) if (!cameras.some((camera) => camera.id === id)) this.seen.delete(id);
    for (const { id, published } of cameras) {
      const trail = this.seen.get(id) ?? [];
      trail.push({ at, published });
      while (trail.length > 2 && at - trail[0]!.at > RATE_S) trail.shift();
      this.seen.set(id, trail);
    }
  }

  of(id: string): number | null {
    const trail = this.seen.get(id) ?? [];
    const [first, last] = [trail[0], trail[trail.length - 1]];
    return first && last && last.at - first.at > 0.5 ? (last.published - first.published) / (last.at - first.at) : null;
  }
}

@customElement("tri-cameras")
export class Cameras extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      ul {
        display: grid;
        gap: var(--space-3);
        grid-template-columns: repeat(auto-fill, minmax(min(100%, 210px), 1fr));
        list-style: none;
      }
      li {
        overflow: hidden;
        border: 1px solid var(--line);
        border-radius: var(--radius);
        background: var(--surface);
      }
      .below {
        display: grid;
        gap: 2px;
        padding: var(--space-2) var(--space-3);
        font-size: var(--text-s);
      }
      .below a {
        font-weight: 600;
        overflow-wrap: anywhere;
      }
      nav {
        margin-top: var(--space-3);
      }
    `,
  ];
  /** Cursors of the pages before this one. */
  @state() private behind: string[] = [];
  private cursor = "";
  private readonly rates = new Rates();
  private readonly polled: Polled<CameraPage> = new Polled(
    this,
    (signal) => get<CameraPage>("/v1/frames/cameras", { limit: PAGE, cursor: this.cursor }, { signal }),
    EVERY_MS,
    (page) => this.rates.add(page.cameras),
  );

  private turn(cursor: string, behind: string[]): void {
    this.cursor = cursor;
    this.behind = behind;
    this.polled.restart();
  }

  render() {
    const page = this.polled.value;
    if (!page) return this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : html`<tri-loading what="cameras"></tri-loading>`;
    if (page.cameras.length === 0 && this.behind.length === 0) return html`<tri-empty heading="No camera has published yet"></tri-empty>`;
    const first = this.behind.length * PAGE;
    return html`${this.polled.error ? html`<tri-error .error=${this.polled.error}></tri-error>` : nothing}
      <ul aria-label="Cameras">
        ${repeat(
          page.cameras,
          (camera) => camera.id,
          (camera) => this.card(camera),
        )}
      </ul>
      ${this.behind.length || page.cursor
        ? html`<nav class="row" aria-label="Pages of cameras">
            <button ?disabled=${this.behind.length === 0} @click=${() => this.turn(this.behind[this.behind.length - 1] ?? "", this.behind.slice(0, -1))}>Before</button>
            <span class="small muted num">${first + 1} to ${first + page.cameras.length}</span>
            <button ?disabled=${!page.cursor} @click=${() => this.turn(page.cursor ?? "", [...this.behind, this.cursor])}>Next</button>
          </nav>`
        : nothing}`;
  }

  private card(camera: Camera) {
    const rate = this.rates.of(camera.id);
    return html`<li data-camera=${camera.id}>
      <tri-picture .camera=${camera}></tri-picture>
      <div class="below">
        <div class="row between">
          <a href=${href("frames", "camera", camera.id)}>${camera.id}</a>
          <span class="num">${rate === null ? "–" : html`${number(Math.round(rate * 10) / 10)} <span class="muted">fps</span>`}</span>
        </div>
        <div class="row between small muted num">
          <span>${camera.last_sequence === null ? "no frame yet" : `frame ${count(camera.last_sequence)}`}</span>
          <span>${count(camera.in_flight)} in flight</span>
        </div>
        ${camera.dead || camera.dropped ? html`<div class="small">${camera.dead ? html`<tri-badge tone="bad" state="${count(camera.dead)} dead"></tri-badge> ` : nothing}${camera.dropped ? html`<tri-badge tone="warn" state="${count(camera.dropped)} dropped"></tri-badge>` : nothing}</div>` : nothing}
      </div>
    </li>`;
  }
}
