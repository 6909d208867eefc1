/** One camera: its last picture at full size, with its age, and what became of its frames. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import { count, number } from "../format";
import { get } from "../net/api";
import { Polled } from "../polled";
import { href } from "../router";
import { shared } from "../style/shared";
import "../frames/camera-picture";
import { Rates } from "../frames/cameras";
import "../frames/dead";
import type { Camera } from "../frames/shown";

const EVERY_MS = 1000;

@customElement("page-camera")
export class Page extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      dd a {
        text-decoration: underline;
      }
      .wide {
        display: grid;
        gap: var(--space-4);
        grid-template-columns: minmax(0, 1fr);
      }
      @media (min-width: 900px) {
        .wide {
          grid-template-columns: minmax(0, 640px) minmax(0, 1fr);
        }
      }
    `,
  ];
  @property({ attribute: false }) params: Record<string, string> = {};
  private readonly rates = new Rates();
  private readonly polled: Polled<Camera> = new Polled(
    this,
    (signal) => get<Camera>(`/v1/frames/cameras/${encodeURIComponent(this.params.id ?? "")}`, undefined, { signal }),
    EVERY_MS,
    (camera) => this.rates.add([camera]),
  );

  willUpdate(changed: PropertyValues): void {
    const before = changed.get("params") as Record<string, string> | undefined;
    if (before && before.id !== this.params.id && this.hasUpdated) this.polled.restart();
  }

  render() {
    const camera = this.polled.value;
    const heading = html`<div class="row between"><h1>${camera?.id ?? this.params.id}</h1><a class="button" href="#/frames">All cameras</a></div>`;
    const error = this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : nothing;
    if (!camera) return html`<div class="stack">${heading}${error === nothing ? html`<tri-loading what="the camera"></tri-loading>` : error}</div>`;
    const rate = this.rates.of(camera.id);
    const reasons = Object.entries(camera.dropped_by_reason);
    return html`<div class="stack">
      ${heading}
      ${error}
      <div class="wide">
        <section class="card flush" aria-label="Last picture"><tri-picture .camera=${camera}></tri-picture></section>
        <section class="card" aria-label="Facts">
          <dl class="facts num">
            <dt>Rate</dt><dd>${rate === null ? "–" : `${number(Math.round(rate * 10) / 10)} frames a second`}</dd>
            <dt>Last frame</dt><dd>${camera.last_sequence === null ? "none yet" : html`<a href=${href("frames", "frame", `${camera.id}:${camera.last_sequence}`)}>${count(camera.last_sequence)}</a>`}</dd>
            ${camera.picture ? html`<dt>Picture of</dt><dd><a href=${href("frames", "frame", `${camera.id}:${camera.picture.sequence}`)}>${camera.picture.frame_id}</a></dd>` : nothing}
            <dt>Published</dt><dd>${count(camera.published)}</dd>
            <dt>Settled</dt><dd>${count(camera.settled)}</dd>
            <dt>Dead</dt><dd>${count(camera.dead)}</dd>
            <dt>Dropped</dt><dd>${count(camera.dropped)}${reasons.length ? ` (${reasons.map(([reason, n]) => `${reason} ${count(n)}`).join(", ")})` : ""}</dd>
            <dt>In flight</dt><dd>${count(camera.in_flight)}</dd>
            <dt>Policy</dt><dd>${camera.policy ?? "not told"}</dd>
            <dt>Shard</dt><dd>${camera.shard}</dd>
            <dt>Session</dt><dd><code>${camera.session || "–"}</code></dd>
          </dl>
        </section>
      </div>
      ${camera.dead ? html`<h2>Dead frames</h2><tri-dead .camera=${camera.id}></tri-dead>` : nothing}
    </div>`;
  }
}
