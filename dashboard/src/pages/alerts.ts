/** Alerts that fire and those that did; who looks after them; silences; the rules that they come from. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { clock } from "../clock";
import type { Column } from "../elements/table";
import { ask } from "../elements/dialog";
import { toast } from "../elements/toast";
import { byWhom, Every } from "../every";
import { count, duration, moment, number } from "../format";
import { get, post, put, remove } from "../net/api";
import { href, keepQuery } from "../router";
import type { Alert, AlertRule, Silence } from "../rows";
import { Live, store } from "../store";
import { shared } from "../style/shared";

type Tab = "open" | "resolved" | "silences" | "rules";

const TABS: readonly [Tab, string][] = [
  ["open", "Open"],
  ["resolved", "Resolved"],
  ["silences", "Silences"],
  ["rules", "Rules"],
];
const PENDING_MS = 3000;
const LENGTHS: readonly [number, string][] = [
  [900, "15 minutes"],
  [3600, "1 hour"],
  [4 * 3600, "4 hours"],
  [24 * 3600, "1 day"],
  [7 * 24 * 3600, "7 days"],
];

@customElement("page-alerts")
export class Alerts extends LitElement {
  static styles = [
    shared,
    css`
      ul.open {
        list-style: none;
      }
      ul.open > li {
        display: grid;
        grid-template-columns: 96px minmax(0, 1fr) max-content;
        gap: var(--space-2) var(--space-4);
        align-items: start;
        padding: var(--space-3) var(--space-4);
        border-top: 1px solid var(--line);
      }
      ul.open > li:first-child {
        border-top: 0;
      }
      ul.open h2 {
        font-size: var(--text-m);
      }
      ul.open p {
        font-size: var(--text-s);
      }
      .who {
        display: flex;
        flex-wrap: wrap;
        gap: 2px var(--space-3);
        margin-top: var(--space-1);
        list-style: none;
        font-size: var(--text-s);
      }
      @media (max-width: 760px) {
        ul.open > li {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];
  @property({ attribute: false }) query = new URLSearchParams();
  @state() private tab: Tab = "open";
  protected live = new Live(this, ["alerts", "silences", "alert_rules"]);
  /** Only the leader knows what is about to fire. */
  private readonly pending = new Every<Alert[]>(this, PENDING_MS, (signal) => get<Alert[]>("/v1/alerts", { state: "pending" }, { signal }));

  willUpdate(changed: PropertyValues): void {
    if (!changed.has("query")) return;
    const wanted = this.query.get("show");
    this.tab = TABS.find(([name]) => name === wanted)?.[0] ?? "open";
  }

  private choose(tab: Tab): void {
    this.tab = tab;
    keepQuery({ show: tab === "open" ? "" : tab });
  }

  private turn(event: KeyboardEvent): void {
    const by = event.key === "ArrowRight" ? 1 : event.key === "ArrowLeft" ? -1 : 0;
    if (by === 0) return;
    const at = TABS.findIndex(([name]) => name === this.tab);
    const next = TABS[(at + by + TABS.length) % TABS.length]![0];
    this.choose(next);
    void this.updateComplete.then(() => this.renderRoot.querySelector<HTMLElement>(`#tab-${next}`)?.focus());
  }

  render() {
    const alerts = store.list("alerts");
    const firing = alerts.filter((alert) => alert.state === "FIRING");
    const numbers: Record<Tab, number> = {
      open: firing.length,
      resolved: alerts.filter((alert) => alert.state === "RESOLVED").length,
      silences: store.list("silences").filter((each) => each.active && !over(each)).length,
      rules: store.rows("alert_rules").size,
    };
    return html`<div class="stack">
      <div class="row between">
        <h1>Alerts</h1>
        <tri-action path="/v1/silences" .run=${() => this.silence()}>Silence alerts</tri-action>
      </div>
      <div class="tabs" role="tablist" aria-label="Alerts" @keydown=${this.turn}>
        ${TABS.map(([name, text]) => html`<button role="tab" id="tab-${name}" aria-selected=${this.tab === name} aria-controls="panel" tabindex=${this.tab === name ? 0 : -1} @click=${() => this.choose(name)}>${text} <span class="muted num">${count(numbers[name])}</span></button>`)}
      </div>
      <section class="card flush" id="panel" role="tabpanel" aria-labelledby="tab-${this.tab}">
        ${this.tab === "open" ? this.open(firing) : this.tab === "resolved" ? this.resolved(alerts) : this.tab === "silences" ? this.silences() : this.rules()}
      </section>
    </div>`;
  }

  private open(firing: Alert[]) {
    const pending = this.pending.value ?? [];
    const rows = [...firing.sort((a, b) => (b.fired_time ?? 0) - (a.fired_time ?? 0)), ...pending];
    if (rows.length === 0) return html`<tri-empty heading="Nothing fires, and nothing is about to"></tri-empty>`;
    return html`<ul class="open">${rows.map((alert) => this.one(alert))}</ul>`;
  }

  private one(alert: Alert) {
    return html`<li>
      <tri-badge state=${alert.state === "PENDING" ? "PENDING" : alert.severity}></tri-badge>
      <div>
        <h2>${alert.rule}${alert.group ? html` <span class="muted">${alert.group}</span>` : nothing}</h2>
        <p class="muted wrap">${alert.summary}</p>
        <ul class="who">
          ${alert.members.slice(0, 12).map((member) => html`<li><a href=${href("components", member.subject)}>${member.subject}</a> <span class="muted wrap">${member.reason}${member.value === null ? "" : ` (${number(member.value)})`}</span></li>`)}
          ${alert.members_total > 12 ? html`<li class="muted">and ${alert.members_total - 12} more</li>` : nothing}
        </ul>
        <p class="muted">
          ${alert.state === "PENDING" ? html`fires in ${duration(alert.fires_in_s)}` : html`fires since <tri-time .value=${alert.fired_time}></tri-time>`}
          ${alert.acknowledged ? html` · <tri-badge tone="info" label=${`acknowledged by ${alert.acknowledged.by}`}></tri-badge> ${alert.acknowledged.note}` : nothing}
          ${alert.silenced_by.length ? html` · <tri-badge state="SILENCED" label=${`silenced by ${alert.silenced_by.join(", ")}`}></tri-badge>` : nothing}
        </p>
      </div>
      ${alert.id
        ? html`<div class="row">
            <tri-action path="/v1/alerts/{alert_id}/acknowledge" label="Acknowledge ${alert.rule}" .run=${() => this.acknowledge(alert)}>Acknowledge</tri-action>
            <tri-action path="/v1/silences" label="Silence ${alert.rule}" .run=${() => this.silence(alert)}>Silence</tri-action>
          </div>`
        : nothing}
    </li>`;
  }

  private resolved(alerts: Alert[]) {
    const columns: Column<Alert>[] = [
      { key: "rule", label: "Rule", value: (row) => row.rule },
      { key: "severity", label: "Severity", width: "110px", value: (row) => row.severity, cell: (row) => html`<tri-badge state=${row.severity} tone="idle"></tri-badge>` },
      { key: "who", label: "About", value: (row) => row.members.map((member) => member.subject).join(", ") },
      { key: "fired", label: "Fired", width: "170px", value: (row) => row.fired_time, cell: (row) => html`<tri-time absolute .value=${row.fired_time}></tri-time>` },
      { key: "lasted", label: "Lasted", width: "120px", numeric: true, extra: true, value: (row) => (row.resolved_time ?? 0) - (row.fired_time ?? 0), cell: (row) => duration((row.resolved_time ?? 0) - (row.fired_time ?? 0)) },
      { key: "by", label: "Acknowledged by", width: "140px", extra: true, value: (row) => row.acknowledged?.by ?? null },
    ];
    const rows = alerts.filter((alert) => alert.state === "RESOLVED");
    return html`<tri-table searchable label="Resolved alerts" sort="-fired" empty="Nothing is over yet" .columns=${columns} .rows=${rows}></tri-table>`;
  }

  private silences() {
    const columns: Column<Silence>[] = [
      { key: "what", label: "Silences", value: (row) => `${row.rule} ${row.subject}`, cell: (row) => html`<span class="mono">${row.rule}</span> of <span class="mono">${row.subject}</span>${row.severity ? ` (${row.severity})` : ""}` },
      { key: "reason", label: "Reason", value: (row) => row.reason },
      { key: "by", label: "By", width: "130px", extra: true, value: (row) => row.by },
      { key: "until", label: "Until", width: "200px", value: (row) => row.until, cell: (row) => html`${moment(row.until)} <tri-badge state=${over(row) ? "over" : "ACTIVE"} tone=${over(row) ? "idle" : "info"} label=${over(row) ? "over" : "holds"}></tri-badge>` },
      { key: "act", label: "", width: "80px", sortable: false, value: () => null, cell: (row) => (over(row) ? nothing : html`<tri-action compact method="DELETE" path="/v1/silences/{silence_id}" label="End the silence ${row.id}" .run=${() => this.unsilence(row)}>End</tri-action>`) },
    ];
    return html`<tri-table label="Silences" sort="-until" empty="Nothing is silenced" .columns=${columns} .rows=${store.list("silences")}></tri-table>`;
  }

  private rules() {
    const columns: Column<AlertRule>[] = [
      { key: "name", label: "Rule", value: (row) => row.name, cell: (row) => html`<span title=${row.summary}>${row.name}</span>` },
      { key: "severity", label: "Severity", width: "110px", value: (row) => row.severity, cell: (row) => html`<tri-badge state=${row.severity} tone=${row.enabled ? "" : "idle"}></tri-badge>` },
      { key: "when", label: "When", value: (row) => condition(row) },
      { key: "target", label: "Of", width: "140px", extra: true, value: (row) => row.target },
      { key: "source", label: "From", width: "120px", extra: true, value: (row) => (row.revision === 0 ? "the release" : "set here") },
      { key: "enabled", label: "In force", width: "90px", value: (row) => (row.enabled ? "yes" : "no") },
      { key: "act", label: "", width: "100px", sortable: false, value: () => null, cell: (row) => html`<tri-action compact method="PUT" path="/v1/alert-rules/{name}" label="${row.enabled ? "Disable" : "Enable"} ${row.name}" .run=${() => this.enable(row)}>${row.enabled ? "Disable" : "Enable"}</tri-action>` },
    ];
    return html`<tri-table searchable label="Alert rules" sort="name" .columns=${columns} .rows=${store.list("alert_rules")} .rowKey=${(row: AlertRule) => row.name}></tri-table>`;
  }

  private async acknowledge(alert: Alert): Promise<void> {
    const done = await ask({
      heading: `Acknowledge ${alert.rule}`,
      text: "It goes on firing; that somebody looks after it is shown.",
      action: "Acknowledge",
      reason: { label: "Note", placeholder: "belt ordered" },
      run: (values) => post(`/v1/alerts/${alert.id}/acknowledge`, { by: byWhom(), note: values.reason }),
    });
    if (done) toast(`${alert.rule}: acknowledged`);
  }

  private async silence(alert?: Alert): Promise<void> {
    const subject = alert && alert.members.length === 1 ? alert.members[0]!.subject : "*";
    const done = await ask({
      heading: alert ? `Silence ${alert.rule}` : "Silence alerts",
      text: "Nobody is told of alerts that match; they are shown as silenced. * stands for anything.",
      action: "Silence",
      fields: html`<div class="grid">
          <div class="field"><label for="rule">Rule</label><input id="rule" name="rule" required pattern="[A-Za-z0-9_.*@:\\-]+" maxlength="100" value=${alert?.rule ?? "*"} /></div>
          <div class="field"><label for="subject">Subject</label><input id="subject" name="subject" required pattern="[A-Za-z0-9_.*@:\\-]+" maxlength="100" value=${subject} /></div>
        </div>
        <div class="field"><label for="for">For</label><select id="for" name="for_s">${LENGTHS.map(([seconds, text]) => html`<option value=${seconds} .selected=${seconds === 3600}>${text}</option>`)}</select></div>`,
      reason: { label: "Reason", required: true, placeholder: "maintenance of line A" },
      run: (values) => post("/v1/silences", { rule: values.rule, subject: values.subject, for_s: Number(values.for_s), by: byWhom(), reason: values.reason }),
    });
    if (done) toast(`Silenced: ${done.rule} of ${done.subject}`);
  }

  private async unsilence(row: Silence): Promise<void> {
    const done = await ask({ heading: "End the silence?", text: html`<span class="mono">${row.rule}</span> of <span class="mono">${row.subject}</span>: ${row.reason}`, action: "End silence", run: () => remove(`/v1/silences/${row.id}`) });
    if (done) toast("The silence is over");
  }

  private async enable(row: AlertRule): Promise<void> {
    const enabled = !row.enabled;
    const done = await ask({
      heading: `${enabled ? "Enable" : "Disable"} ${row.name}?`,
      text: enabled ? "It counts from the leader's next look on." : "Nothing fires by it any more, and what fires now is resolved.",
      action: enabled ? "Enable" : "Disable",
      danger: !enabled,
      run: async () => {
        const { name, revision, shipped: _shipped, ...spec } = row;
        await put(`/v1/alert-rules/${encodeURIComponent(name)}`, { ...spec, enabled }, { headers: { "If-Match": `"${revision}"` } });
      },
    });
    if (done) toast(`${row.name}: ${enabled ? "enabled" : "disabled"}`);
  }
}

function over(row: Silence): boolean {
  return row.until * 1000 <= clock.now();
}

function condition(row: AlertRule): string {
  const { kind, values, name, above, below, within_s, window_s } = row.condition as { kind: string; values: string[]; name: string; above: number | null; below: number | null; within_s: number; window_s: number };
  const bound = above !== null && above !== undefined ? `above ${number(above)}` : below !== null && below !== undefined ? `below ${number(below)}` : "";
  const held = row.for_s ? ` for ${duration(row.for_s)}` : "";
  if (kind === "state" || kind === "health") return `${kind} is ${values.join(" or ")}${held}`;
  if (kind === "trend") return `${name} will be ${bound} within ${duration(within_s)}${held}`;
  if (kind === "increase") return `${name} rises by more than ${number(above ?? 0)} in ${duration(window_s)}${held}`;
  return `${name} ${bound}${held}`;
}
