/** One component: how it is, what is wanted of it, what it needs, its figures, and what can be done. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "../elements/chart";
import "../elements/decisions";
import * as actions from "../component-actions";
import { health, silence } from "../component-shown";
import { Every } from "../every";
import { bytes, duration, number, percent } from "../format";
import { get } from "../net/api";
import { Problem } from "../net/problem";
import { href } from "../router";
import type { Component } from "../rows";
import { Live, store } from "../store";
import { shared } from "../style/shared";

const ROW_MS = 1500;
const METRICS_MS = 4000;
const POLICY_MS = 5000;
const SUPERVISION_MS = 2500;
const CHARTS_MAX = 8;
const LOOK_BACK_S = 600;

interface Metric {
  name: string;
  latest: number;
  points: { time: number; mean: number }[] | null;
}

interface Metrics {
  history_since: number;
  node: string;
  metrics: Metric[];
}

interface Policy {
  revision: number;
  policy: Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any
  desired_by: string;
  restarts: number;
  exhausted: string;
  run: { number: number; purpose: string; goal: string; reason: string; time: number; outcome: string } | null;
}

interface Decided {
  component: string;
  reason: string;
  trouble: string;
}

interface Dependents {
  dependents: Neighbour[];
  needs: Neighbour[];
}

interface Neighbour {
  id: string;
  state: string | null;
  presence: string | null;
}

@customElement("page-component")
export class ComponentPage extends LitElement {
  static styles = [
    shared,
    css`
      nav a {
        text-decoration: underline;
      }
      .actions {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2);
      }
      ul.neighbours {
        display: grid;
        gap: var(--space-2);
        list-style: none;
        font-size: var(--text-s);
      }
      ul.neighbours li {
        display: flex;
        justify-content: space-between;
        gap: var(--space-3);
      }
      .charts {
        display: grid;
        gap: var(--space-5);
        grid-template-columns: repeat(auto-fit, minmax(min(100%, 300px), 1fr));
      }
      .now {
        padding: var(--space-3) var(--space-4);
        border-bottom: 1px solid var(--line);
        overflow-wrap: anywhere;
      }
      .trouble {
        color: var(--bad);
      }
      .why {
        padding: var(--space-3) var(--space-4);
        border-left: 3px solid var(--bad);
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
    `,
  ];
  @property({ attribute: false }) params: Record<string, string> = {};
  @state() private shownFor = "";
  protected live = new Live(this, ["components", "figures", "session"]);
  private readonly heard = new Every<Component>(this, ROW_MS, (signal) => get<Component>(this.path(), undefined, { signal }));
  private readonly policy = new Every<Policy>(this, POLICY_MS, (signal) => get<Policy>(this.path("/policy"), undefined, { signal }));
  private readonly around = new Every<Dependents>(this, POLICY_MS, (signal) => get<Dependents>(this.path("/dependents"), undefined, { signal }));
  private readonly supervised = new Every<Decided[]>(this, SUPERVISION_MS, (signal) => get<Decided[]>("/v1/supervision", undefined, { signal }));
  private readonly metrics = new Every<Metrics>(this, METRICS_MS, (signal) => this.history(signal));

  /** Its row when the leader was last asked what it does about it: when that has changed, the answer has, too. */
  private asked: unknown[] = [];
  private off: (() => void) | null = null;

  connectedCallback(): void {
    super.connectedCallback();
    this.off = store.on(["components", "policies"], () => {
      const rows = [store.rows("components").get(this.id_), store.rows("policies").get(this.id_)];
      if (rows.every((row, at) => row === this.asked[at])) return;
      this.asked = rows;
      void this.supervised.now();
    });
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.off?.();
  }

  private get id_(): string {
    return this.params.id ?? "";
  }

  private path(rest = ""): string {
    return `/v1/components/${encodeURIComponent(this.id_)}${rest}`;
  }

  private async history(signal: AbortSignal): Promise<Metrics> {
    const known = await get<Metrics>(this.path("/metrics"), undefined, { signal });
    const names = known.metrics.map((metric) => metric.name).slice(0, CHARTS_MAX);
    if (names.length === 0) return known;
    const since = Math.max(...known.metrics.map((metric) => (metric as Metric & { latest_time: number }).latest_time)) - LOOK_BACK_S;
    return get<Metrics>(this.path("/metrics"), { name: names, since }, { signal });
  }

  willUpdate(changed: PropertyValues): void {
    if (changed.has("params") && this.shownFor !== this.id_) {
      if (this.shownFor) {
        for (const each of [this.heard, this.policy, this.around, this.metrics]) {
          each.value = null;
          void each.now();
        }
      }
      this.shownFor = this.id_;
    }
  }

  render() {
    // The stream has every change of the state; what the leader has heard last comes beside it.
    const row = store.rows("components").get(this.id_);
    if (!row) {
      const gone = this.heard.error instanceof Problem && this.heard.error.code === "component_unknown";
      return html`<div class="stack"><a class="small" href="#/components">Components</a>${this.heard.error && !gone ? html`<tri-error .error=${this.heard.error}></tri-error>` : html`<tri-empty heading="${this.id_} is not registered"></tri-empty>`}</div>`;
    }
    const heard = this.heard.value?.id === row.id ? this.heard.value : row;
    const why = row.reason || row.health_reason || row.exhausted;
    return html`<div class="stack">
      <nav aria-label="Where this is" class="small"><a href="#/components">Components</a> <span class="muted">/ ${row.id}</span></nav>
      <div class="row between">
        <div class="row">
          <h1>${row.name || row.id}</h1>
          <tri-badge state=${row.state} data-fact="state"></tri-badge><tri-badge state=${health(row)}></tri-badge>
        </div>
        ${this.actions(row)}
      </div>
      ${why ? html`<p class="why">${why}${row.acknowledged ? html` <span class="muted">Acknowledged by ${row.acknowledged.by || "somebody"}${row.acknowledged.note ? `: ${row.acknowledged.note}` : ""}.</span>` : nothing}</p>` : nothing}
      <div class="grid">${this.facts(row, heard)} ${this.wanted(row)} ${this.neighbours()}</div>
      ${this.supervision(row)}
      ${this.charts()}
    </div>`;
  }

  private actions(row: Component) {
    const id = row.id;
    const base = "/v1/components/{component_id}";
    const moving = row.state === "INITIALIZING" || row.state === "STOPPING" ? `${id} is ${row.state}.` : "";
    return html`<div class="actions" role="group" aria-label="Actions">
      <tri-action path=${actions.COMMANDS} hinder=${moving || (row.state === "STARTED" ? `${id} is started.` : "")} .run=${() => actions.move(id, "STARTED")}>Start</tri-action>
      <tri-action path=${actions.COMMANDS} hinder=${row.state === "STARTED" || row.state === "INIT_COMPLETE" ? "" : `${id} is ${row.state}: there is nothing to stop.`} .run=${() => actions.move(id, "STOPPED")}>Stop</tri-action>
      <tri-action path=${actions.COMMANDS} hinder=${row.state === "STARTED" ? "" : `${id} is not started.`} .run=${() => actions.restart(id)}>Restart</tri-action>
      <tri-action path=${actions.COMMANDS} hinder=${row.state === "FAULT" || row.state === "STOPPED" ? "" : `Only a component in FAULT or STOPPED is reset.`} .run=${() => actions.reset(id, row)}>Reset</tri-action>
      <tri-action method="PUT" path="${base}/desired" .run=${() => actions.desire(id, row)}>Desired state</tri-action>
      ${row.maintenance
        ? html`<tri-action method="DELETE" path="${base}/maintenance" .run=${() => actions.endMaintenance(id)}>End maintenance</tri-action>`
        : html`<tri-action method="PUT" path="${base}/maintenance" .run=${() => actions.beginMaintenance(id)}>Maintenance</tri-action>`}
      <tri-action path="${base}/acknowledge" hinder=${row.state === "FAULT" ? "" : `${id} is not in FAULT.`} .run=${() => actions.acknowledge(id)}>Acknowledge</tri-action>
      <tri-action method="DELETE" path=${base} kind="danger" hinder=${row.presence === "OFFLINE" ? "" : `${id} is ${row.presence}: it would register again.`} .run=${() => actions.forget(id)}>Remove</tri-action>
    </div>`;
  }

  private facts(row: Component, heard: Component) {
    return html`<section class="card" aria-labelledby="h-facts">
      <header><h2 id="h-facts">Now</h2></header>
      <dl class="facts">
        <dt>Id</dt><dd class="mono">${row.id}</dd>
        <dt>Presence</dt><dd>${row.presence}</dd>
        <dt>Last seen</dt><dd>${silence(row.id) === null ? "–" : heardAgo(silence(row.id) ?? 0)}</dd>
        <dt>Heartbeat</dt><dd>${row.heartbeat_s === null ? "as the plant's" : `every ${duration(row.heartbeat_s)}`}</dd>
        <dt>CPU, memory</dt><dd>${percent(heard.cpu)}, ${bytes(heard.memory)}</dd>
        <dt>Groups</dt><dd>${row.groups.join(", ") || "–"}</dd>
        <dt>Labels</dt><dd>${Object.entries(row.labels ?? {}).map(([name, value]) => `${name}=${value}`).join(", ") || "–"}</dd>
        <dt>Address</dt><dd class="mono">${row.address}</dd>
        <dt>Registered</dt><dd><tri-time .value=${row.registered_time}></tri-time></dd>
      </dl>
    </section>`;
  }

  private wanted(row: Component) {
    const policy = this.policy.value;
    const run = policy?.run;
    return html`<section class="card" aria-labelledby="h-wanted">
      <header><h2 id="h-wanted">Wanted</h2></header>
      <dl class="facts">
        <dt>Desired</dt><dd>${row.desired ? html`<strong>${row.desired}</strong>${policy?.desired_by ? ` by ${policy.desired_by}` : ""}` : "nothing is said"}</dd>
        <dt>Maintenance</dt><dd>${row.maintenance ? html`${row.maintenance.reason}${row.maintenance.by ? `, ${row.maintenance.by}` : ""}, <tri-time .value=${row.maintenance.since}></tri-time>` : "no"}</dd>
        ${policy
          ? html`${Object.entries(policy.policy.restart ?? {}).filter(([name]) => name === "when" || policy.policy.restart.when !== "never").map(([name, value]) => html`<dt>${words(`restart_${name}`)}</dt><dd>${String(value)}</dd>`)}
              <dt>If what it needs fails</dt><dd>${policy.policy.on_dependency_failure}</dd>
              <dt>Restarts counted</dt><dd>${policy.restarts}</dd>
              <dt>Last run</dt><dd>${run ? html`${run.purpose} to ${run.goal}, ${run.outcome || "goes on"}, <tri-time .value=${run.time}></tri-time>${run.reason ? html`<br /><span class="muted">${run.reason}</span>` : nothing}` : "none"}</dd>`
          : nothing}
      </dl>
    </section>`;
  }

  /** What the leader does about it now, in its own sentence, and what it did. */
  private supervision(row: Component) {
    const all = this.supervised.value;
    const now = all?.find((each) => each.component === row.id);
    return html`<section class="card flush" aria-labelledby="h-supervision">
      <header><h2 id="h-supervision">Supervision</h2><a class="small" href="${href("journal")}?about=${encodeURIComponent(row.id)}">Its journal</a></header>
      <div class="now small" data-fact="supervision">
        ${now ? html`<strong>Now:</strong> ${now.reason}${now.trouble ? html`. <span class="trouble">Not done: ${now.trouble}</span>` : nothing}` : all ? html`<span class="muted">Nothing is asked of it, so the supervision leaves it alone.</span>` : html`<span class="muted">The leader has not said yet.</span>`}
        ${this.supervised.error ? html`<tri-error .error=${this.supervised.error}></tri-error>` : nothing}
      </div>
      <tri-decisions .about=${row.id}></tri-decisions>
    </section>`;
  }

  private neighbours() {
    const around = this.around.value;
    const list = (rows: Neighbour[]) =>
      rows.length === 0
        ? html`<p class="muted small">none</p>`
        : html`<ul class="neighbours">${rows.map((each) => html`<li><a href=${href("components", each.id)}>${each.id}</a>${each.state ? html`<tri-badge state=${each.presence === "OFFLINE" ? "OFFLINE" : each.state}></tri-badge>` : html`<span class="muted">not registered</span>`}</li>`)}</ul>`;
    return html`<section class="card" aria-labelledby="h-around">
      <header><h2 id="h-around">Dependencies</h2></header>
      <div class="stack">
        <div><h3>Needs</h3>${list(around?.needs ?? [])}</div>
        <div><h3>Needed by</h3>${list(around?.dependents ?? [])}</div>
      </div>
    </section>`;
  }

  private charts() {
    const metrics = this.metrics.value;
    const drawn = (metrics?.metrics ?? []).filter((metric) => metric.points && metric.points.length > 0);
    return html`<section class="card" aria-labelledby="h-metrics">
      <header><h2 id="h-metrics">Figures, the last ten minutes</h2>${metrics ? html`<span class="muted small">kept by ${metrics.node} since <tri-time .value=${metrics.history_since}></tri-time></span>` : nothing}</header>
      ${this.metrics.error ? html`<tri-error .error=${this.metrics.error}></tri-error>` : nothing}
      ${drawn.length === 0 && !this.metrics.error
        ? metrics ? html`<tri-empty heading="No figures yet"></tri-empty>` : html`<tri-loading></tri-loading>`
        : html`<div class="charts">${drawn.map((metric) => this.chart(metric))}</div>`}
    </section>`;
  }

  private chart(metric: Metric) {
    const points = metric.points ?? [];
    const scale = metric.name === "memory" ? 1 / (1 << 20) : metric.name === "cpu" ? 100 : 1;
    const unit = metric.name === "memory" ? "MiB" : metric.name === "cpu" ? "%" : "";
    return html`<figure>
      <h3>${metric.name} <span class="muted num">${number(metric.latest * scale)} ${unit}</span></h3>
      <tri-chart label=${metric.name} unit=${unit} .times=${points.map((point) => point.time)} .lines=${[{ label: metric.name, values: points.map((point) => point.mean * scale) }]}></tri-chart>
    </figure>`;
  }
}

/** Heartbeats come each second or so: less than one is now. */
function heardAgo(seconds: number): string {
  return seconds < 1 ? "under 1 s ago" : `${duration(seconds)} ago`;
}

function words(name: string): string {
  const text = name.replace(/_s$/, " (s)").replaceAll("_", " ");
  return text.charAt(0).toUpperCase() + text.slice(1);
}
