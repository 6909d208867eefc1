/** The whole on one page: nodes, who led when, the plant, frames, open alerts. */
import { LitElement, css, html, nothing } from "lit";
import { customElement } from "lit/decorators.js";
import "../elements/chart";
import "../elements/decisions";
import "../elements/timeline";
import type { Column } from "../elements/table";
import type { Span } from "../elements/timeline";
import { clock } from "../clock";
import { inTrouble } from "../component-shown";
import { Every } from "../every";
import { errorOf, isOpen, stateOf, toneOf, word, type Summary } from "../executions/shown";
import { count, duration, moment, plural, rated } from "../format";
import { rates } from "../frame-figures";
import { get } from "../net/api";
import { href } from "../router";
import type { Alert, Member } from "../rows";
import { Live, store } from "../store";
import { shared } from "../style/shared";

const LAG_MS = 2000;
/** What the timeline shows at least and at most, seconds. */
const SHOWN_LEAST_S = 300;
const SHOWN_MOST_S = 24 * 3600;

@customElement("page-overview")
export class Overview extends LitElement {
  static styles = [
    shared,
    css`
      .wrap > a {
        text-decoration: underline;
      }
      .counts {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-1) var(--space-2);
        margin-top: var(--space-2);
      }
      .tiles .error {
        display: -webkit-box;
        margin-top: var(--space-1);
        overflow: hidden;
        overflow-wrap: anywhere;
        -webkit-box-orient: vertical;
        -webkit-line-clamp: 3;
      }
      .tiles .card {
        display: block;
        min-width: 0;
        color: inherit;
      }
      .tiles a.card:hover {
        border-color: var(--line-strong);
        text-decoration: none;
      }
      .tiles h2 {
        color: var(--ink-3);
        font-size: var(--text-s);
        font-weight: 500;
      }
      ul.alerts {
        list-style: none;
      }
      ul.alerts li {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr) max-content;
        gap: var(--space-3);
        align-items: baseline;
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      ul.alerts li:first-child {
        border-top: 0;
      }
    `,
  ];
  protected live = new Live(this, ["cluster", "components", "executions", "alerts", "figures", "link"]);
  /** Only the leader knows how far each member is; the rest of a row comes by the stream. */
  private readonly lags = new Every<Member[]>(this, LAG_MS, (signal) => get<Member[]>("/v1/cluster/members", undefined, { signal }));

  render() {
    return html`<div class="stack">
      <h1>Overview</h1>
      ${this.tiles()} ${this.nodes()} ${this.history()}
      <div class="grid">${this.frames()} ${this.alerts()}</div>
      <section class="card flush" aria-labelledby="h-decided">
        <header><h2 id="h-decided">Decided lately</h2><a class="small" href="#/journal">The journal</a></header>
        <tri-decisions></tri-decisions>
      </section>
    </div>`;
  }

  private tiles() {
    const components = store.list("components");
    const states = counted(components.map((each) => each.state));
    const troubled = components.filter(inTrouble).length;
    const members = store.members();
    const reachable = members.filter((member) => member.reachable).length;
    const open = openAlerts();
    const work = (store.list("executions") as Summary[]).filter(isOpen);
    const stuck = work.filter((row) => stateOf(row) === "RETRYING").sort((a, b) => b.index - a.index)[0];
    const frames = store.figures?.frames;
    const rate = rates(store.trail.slice(-5), "settled_s").filter((value): value is number => value !== null);
    return html`<div class="tiles">
      <section class="card" aria-labelledby="t-nodes">
        <h2 id="t-nodes">Nodes reachable</h2>
        <p class="figure">${reachable} <span class="muted">of ${members.length}</span></p>
        <div class="counts"><tri-badge state=${reachable === members.length ? "OK" : 2 * reachable > members.length ? "DEGRADED" : "FAILED"} label=${reachable === members.length ? "complete" : 2 * reachable > members.length ? "quorum, not complete" : "no quorum"}></tri-badge></div>
      </section>
      <a class="card" href="#/components" aria-labelledby="t-components t-components-n">
        <h2 id="t-components">Components</h2>
        <p class="figure" id="t-components-n">${count(components.length)}</p>
        <div class="counts">
          ${troubled > 0 ? html`<tri-badge tone="bad" label=${`${troubled} in trouble`}></tri-badge>` : nothing}
          ${[...states].map(([state, n]) => html`<tri-badge state=${state} label=${`${n} ${state}`}></tri-badge>`)}
        </div>
      </a>
      <a class="card" href="#/executions?state=open" aria-labelledby="t-work t-work-n">
        <h2 id="t-work">Open executions</h2>
        <p class="figure" id="t-work-n">${count(work.length)}</p>
        <div class="counts">
          ${work.length === 0 ? html`<tri-badge tone="idle" label="nothing runs"></tri-badge>` : [...counted(work.map(stateOf))].map(([state, n]) => html`<tri-badge tone=${toneOf(state)} state=${state} label=${`${n} ${word(state).toLowerCase()}`}></tri-badge>`)}
        </div>
        ${stuck ? html`<p class="small muted error" title=${errorOf(stuck)} data-fact="retrying">${stuck.playbook}: ${errorOf(stuck) || "no reason was given"}</p>` : nothing}
      </a>
      <a class="card" href="#/frames" aria-labelledby="t-frames t-frames-n">
        <h2 id="t-frames">Frames settled a second</h2>
        <p class="figure" id="t-frames-n">${rate.length ? rated(rate.reduce((a, b) => a + b, 0) / rate.length) : "–"}</p>
        <div class="counts">
          ${frames
            ? html`<tri-badge tone="info" label=${`${count(frames.ledger.in_flight)} in flight`}></tri-badge>${frames.backpressure.level > 0 ? html`<tri-badge tone="warn" label=${`backpressure ${frames.backpressure.name}`}></tri-badge>` : nothing}${frames.dead_letters > 0 ? html`<tri-badge tone="warn" label=${`${count(frames.dead_letters)} dead`}></tri-badge>` : nothing}`
            : html`<span class="muted small">the frame server does not answer</span>`}
        </div>
      </a>
      <a class="card" href="#/alerts" aria-labelledby="t-alerts t-alerts-n">
        <h2 id="t-alerts">Open alerts</h2>
        <p class="figure" id="t-alerts-n">${count(open.length)}</p>
        <div class="counts">
          ${open.length === 0 ? html`<tri-badge tone="ok" label="none fires"></tri-badge>` : [...counted(open.map((alert) => alert.severity))].map(([severity, n]) => html`<tri-badge state=${severity} label=${`${n} ${severity}`}></tri-badge>`)}
        </div>
      </a>
    </div>`;
  }

  private lagOf(row: Member): number | null {
    return row.lag ?? this.lags.value?.find((member) => member.id === row.id)?.lag ?? null;
  }

  private nodes() {
    const columns: Column<Member>[] = [
      { key: "id", label: "Node", value: (row) => row.id, cell: (row) => html`<strong>${row.id}</strong>${row.id === store.link.node ? html` <span class="muted">serves</span>` : nothing}` },
      { key: "role", label: "Role", width: "100px", value: (row) => row.role, cell: (row) => html`<tri-badge state=${row.role} tone=${row.role === "leader" ? "info" : "idle"}></tri-badge>` },
      { key: "reachable", label: "Reached", width: "122px", value: (row) => String(row.reachable), cell: (row) => html`<tri-badge state=${row.reachable ? "OK" : "UNREACHABLE"} label=${row.reachable ? "reachable" : "unreachable"}></tri-badge>` },
      { key: "lag", label: "Lag", width: "64px", numeric: true, value: (row) => this.lagOf(row), cell: (row) => count(this.lagOf(row)) },
      { key: "release", label: "Release", width: "100px", extra: true, value: (row) => row.release },
      { key: "api", label: "API", extra: true, value: (row) => row.api, cell: (row) => html`<span class="mono">${row.api}</span>` },
    ];
    return html`<section class="card flush" aria-labelledby="h-nodes">
      <header><h2 id="h-nodes">Nodes</h2><span class="muted small num">index ${count(store.link.index)}</span></header>
      <tri-table label="Nodes" .columns=${columns} .rows=${store.members()} .rowKey=${(row: Member) => row.id}></tri-table>
    </section>`;
  }

  private history() {
    const rows = store.leaderships();
    const now = clock.now() / 1000;
    const newest = rows.slice(-20);
    const from = newest.length ? Math.min(now - SHOWN_LEAST_S, Math.max(newest[0]!.at - (newest[0]!.gap_s ?? 0), now - SHOWN_MOST_S)) : now - SHOWN_LEAST_S;
    const spans = newest.flatMap((row, at): Span[] => {
      const next = newest[at + 1];
      const to = next ? next.at - (next.gap_s ?? 0) : null;
      const gap = row.gap_s === null ? "" : `, after ${duration(row.gap_s)} without a leader`;
      const led: Span = { lane: row.node, from: row.at, to, tone: to === null ? "info" : "idle", text: `${to === null ? "leads since" : "led from"} ${moment(row.at)}${to === null ? "" : ` to ${moment(to)}`} in epoch ${row.epoch}, by ${row.reason}${gap}` };
      return row.gap_s ? [{ lane: row.node, from: row.at - row.gap_s, to: row.at, tone: "gap", text: `no leader for ${duration(row.gap_s)}` }, led] : [led];
    });
    const lanes = [...new Set([...store.members().map((member) => member.id), ...newest.map((row) => row.node)])].sort();
    const last = rows[rows.length - 1];
    return html`<section class="card" aria-labelledby="h-led">
      <header>
        <h2 id="h-led">Leadership</h2>
        ${last ? html`<span class="muted small num">${plural(rows.length, "leadership")}; ${last.gap_s === null ? "the last began with a start" : html`the last began by ${last.reason}, after <strong data-fact="gap">${duration(last.gap_s)}</strong> without a leader`}</span>` : nothing}
      </header>
      ${rows.length ? html`<tri-timeline label="Who led when" .spans=${spans} .lanes=${lanes} .from=${from} .to=${now}></tri-timeline>` : html`<tri-empty heading="No leadership is known yet"></tri-empty>`}
    </section>`;
  }

  private frames() {
    const times = store.trail.map((point) => point.at);
    return html`<section class="card" aria-labelledby="h-frames">
      <header><h2 id="h-frames">Frames a second</h2><a class="small" href="#/frames">All of frames</a></header>
      <tri-chart label="Frames a second" unit="/s" .times=${times} .lines=${[{ label: "published", values: rates(store.trail, "published_s") }, { label: "settled", values: rates(store.trail, "settled_s") }]}></tri-chart>
    </section>`;
  }

  private alerts() {
    const open = openAlerts();
    return html`<section class="card flush" aria-labelledby="h-alerts">
      <header><h2 id="h-alerts">Open alerts</h2><a class="small" href="#/alerts">All alerts</a></header>
      ${open.length === 0
        ? html`<tri-empty heading="Nothing fires"></tri-empty>`
        : html`<ul class="alerts">
            ${open.slice(0, 8).map((alert) => html`<li><tri-badge state=${alert.severity}></tri-badge><span class="wrap"><a href=${href("alerts")}>${alert.rule}</a> ${alert.members.slice(0, 3).map((member) => member.subject).join(", ")} <span class="muted">${alert.summary}</span></span><tri-time class="muted" .value=${alert.fired_time}></tri-time></li>`)}
          </ul>`}
    </section>`;
  }
}

function openAlerts(): Alert[] {
  return store.list("alerts").filter((alert) => alert.state === "FIRING");
}

function counted(values: readonly string[]): Map<string, number> {
  const found = new Map<string, number>();
  for (const value of [...values].sort()) found.set(value, (found.get(value) ?? 0) + 1);
  return found;
}
