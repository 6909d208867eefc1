/** Frames: rates and latency, cameras, queues, the ledger, dead letters, and the way to the story of one frame. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import "../elements/chart";
import { count, number } from "../format";
import { get } from "../net/api";
import { Polled } from "../polled";
import { go, keepQuery } from "../router";
import { shared } from "../style/shared";
import "../frames/cameras";
import "../frames/dead";
import { history } from "../frames/history";
import "../frames/ledger";
import "../frames/places";
import { PRESSURE, type Latency, type Stats } from "../frames/shown";

const EVERY_MS = 1000;
const TABS = [
  ["", "Cameras"],
  ["queues", "Queues and lanes"],
  ["ledger", "Ledger"],
  ["dead", "Dead letters"],
] as const;

@customElement("page-frames")
export class Page extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
        container-type: inline-size;
      }
      .tiles {
        grid-template-columns: repeat(2, minmax(0, 1fr));
      }
      @container (min-width: 520px) {
        .tiles {
          grid-template-columns: repeat(3, minmax(0, 1fr));
        }
      }
      @container (min-width: 920px) {
        .tiles {
          grid-template-columns: repeat(6, minmax(0, 1fr));
        }
      }
      .tile {
        display: grid;
        gap: 2px;
        align-content: start;
      }
      .tile span {
        font-size: var(--text-xs);
        color: var(--ink-3);
      }
      .charts h2 {
        font-size: var(--text-m);
      }
      .charts {
        display: grid;
        gap: var(--space-4);
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 205px), 1fr));
      }
      form {
        display: flex;
        gap: var(--space-2);
      }
      form input {
        width: 220px;
        min-width: 0;
      }
    `,
  ];
  @property({ attribute: false }) query = new URLSearchParams();
  private readonly polled: Polled<[Stats, Latency | null]> = new Polled(
    this,
    async (signal) => {
      const [stats, latency] = await Promise.all([
        get<Stats>("/v1/frames/stats", undefined, { signal }),
        get<Latency>("/v1/frames/latency", undefined, { signal }).catch(() => null),
      ]);
      return [stats, latency];
    },
    EVERY_MS,
    ([stats, latency]) => history.add(stats, latency),
  );

  private tab(name: string): void {
    this.query = new URLSearchParams(name ? { tab: name } : {});
    keepQuery(Object.fromEntries(this.query));
  }

  /** Arrow keys go from tab to tab, as the pattern for tabs wants it. */
  private key(event: KeyboardEvent, at: number): void {
    const step = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (!step) return;
    event.preventDefault();
    const next = (at + step + TABS.length) % TABS.length;
    this.tab(TABS[next]![0]);
    void this.updateComplete.then(() => this.renderRoot.querySelectorAll<HTMLElement>('[role="tab"]')[next]?.focus());
  }

  private find(event: SubmitEvent): void {
    event.preventDefault();
    const frame = String(new FormData(event.target as HTMLFormElement).get("frame") ?? "").trim();
    if (frame) go("frames", "frame", frame);
  }

  render() {
    const stats = this.polled.value?.[0] ?? null;
    const tab = this.query.get("tab") ?? "";
    return html`<div class="stack">
      <div class="row between">
        <h1>Frames</h1>
        <form role="search" aria-label="The story of one frame" @submit=${this.find}>
          <input name="frame" type="search" aria-label="Frame: its id or CAMERA:SEQUENCE" placeholder="Frame id or CAMERA:SEQUENCE" maxlength="200" autocomplete="off" />
          <button>Its story</button>
        </form>
      </div>
      ${this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : nothing}
      ${stats ? this.figures(stats, this.polled.value?.[1] ?? null) : this.polled.error ? nothing : html`<tri-loading what="figures"></tri-loading>`}
      <div class="tabs" role="tablist" aria-label="Of the frames">
        ${TABS.map(
          ([name, label], at) => html`<button
            role="tab"
            id="tab-${name}"
            aria-selected=${tab === name ? "true" : "false"}
            aria-controls="panel"
            tabindex=${tab === name ? 0 : -1}
            @click=${() => this.tab(name)}
            @keydown=${(event: KeyboardEvent) => this.key(event, at)}
          >
            ${label}${name === "dead" && stats?.dead_len ? html` <tri-badge tone="bad" state=${count(stats.dead_len)}></tri-badge>` : nothing}
          </button>`,
        )}
      </div>
      <div id="panel" role="tabpanel" aria-labelledby="tab-${tab}">
        ${tab === "queues" ? html`<tri-places></tri-places>` : tab === "ledger" ? html`<section class="card"><tri-ledger></tri-ledger></section>` : tab === "dead" ? html`<tri-dead .camera=${this.query.get("camera") ?? ""}></tri-dead>` : html`<tri-cameras></tri-cameras>`}
      </div>
    </div>`;
  }

  private figures(stats: Stats, latency: Latency | null) {
    const cameras = Object.values(stats.cameras);
    const level = PRESSURE[stats.pressure] ?? PRESSURE[0];
    const lanes = Object.values(stats.lanes).reduce((all, each) => all + each, 0);
    const queued = Object.values(stats.ready).reduce((all, each) => all + each.length, 0);
    const points = history.points;
    const times = points.map((point) => point.at);
    const rate = (key: "published" | "settled") => {
      const found = history.lately(key);
      return found === null ? "–" : number(Math.round(found * 10) / 10);
    };
    return html`<div class="tiles">
        <section class="card tile" aria-label="Published"><span>Published a second</span><strong class="figure">${rate("published")}</strong><span>by ${count(cameras.length)} cameras</span></section>
        <section class="card tile" aria-label="Settled"><span>Settled a second</span><strong class="figure">${rate("settled")}</strong><span>${latency?.p99_ms === null || !latency ? "no result lately" : `p99 ${latency.p99_ms} ms`}</span></section>
        <section class="card tile" aria-label="In flight"><span>In flight</span><strong class="figure">${count(stats.capture_len + lanes + queued)}</strong><span>${count(queued)} in queues, ${count(lanes)} in lanes</span></section>
        <section class="card tile" aria-label="Dead letters"><span>Dead letters</span><strong class="figure">${count(stats.dead_len)}</strong><span>kept until replayed or dropped</span></section>
        <section class="card tile" aria-label="Backpressure"><span>Backpressure</span><strong><tri-badge tone=${level.tone} state=${level.word}></tri-badge></strong><span>${level.means}</span></section>
        <section class="card tile" aria-label="Dispatched by"><span>Dispatched by</span><strong class="figure">${stats.fence?.node ?? "–"}</strong><span>${stats.fence ? `epoch ${stats.fence.term}.${stats.fence.index}, ${count(stats.fence.frames)} frames` : "nobody has dispatched yet"}</span></section>
      </div>
      <div class="charts">
        <section class="card" aria-label="Rates"><header><h2>Frames a second</h2></header>
          <tri-chart label="Frames a second" unit="/s" .times=${times} .lines=${[
            { label: "published", values: points.map((point) => point.published) },
            { label: "settled", values: points.map((point) => point.settled) },
            { label: "dead or dropped", values: points.map((point) => point.ended) },
          ]}></tri-chart></section>
        <section class="card" aria-label="Latency"><header><h2>From publish to result</h2></header>
          <tri-chart label="From publish to result" unit="ms" .times=${times} .lines=${[
            { label: "median", values: points.map((point) => point.p50) },
            { label: "p95", values: points.map((point) => point.p95) },
            { label: "p99", values: points.map((point) => point.p99) },
          ]}></tri-chart></section>
        <section class="card" aria-label="Waiting"><header><h2>Under way</h2></header>
          <tri-chart label="Frames under way" .times=${times} .lines=${[
            { label: "in flight", values: points.map((point) => point.inFlight) },
            { label: "not in a queue yet", values: points.map((point) => point.waiting) },
          ]}></tri-chart></section>
      </div>`;
  }
}
