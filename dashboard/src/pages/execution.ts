/** One execution, live: its steps on a timeline, what each waits for, and what a person can do about it. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import { clock } from "../clock";
import { ask } from "../elements/dialog";
import { toast } from "../elements/toast";
import { duration, millis, moment, plural } from "../format";
import { get, post } from "../net/api";
import { Polled } from "../polled";
import { href } from "../router";
import { session } from "../session";
import { Live, store } from "../store";
import { shared } from "../style/shared";
import { isOpen, toneOf, word, type Execution, type Step, type Summary } from "../executions/shown";
import "../executions/steps";

/** Changes come by the log at once; what steps wait for is the leader's own, and is asked for. */
const EVERY_MS = 2000;

@customElement("page-execution")
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
        grid-template-columns: minmax(0, 1fr);
      }
      @media (min-width: 1100px) {
        .wide {
          grid-template-columns: minmax(0, 1fr) 320px;
        }
      }
      pre {
        max-height: 200px;
        margin: 0;
        overflow: auto;
        font: 12px / 1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .why {
        padding: var(--space-3) var(--space-4);
        border: 1px solid var(--bad);
        border-radius: var(--radius);
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
    `,
  ];
  @property({ attribute: false }) params: Record<string, string> = {};
  protected live = new Live(this, ["session"]);
  private readonly polled: Polled<Execution> = new Polled(this, (signal) => get<Execution>(this.path, undefined, { signal }), EVERY_MS);
  private off: (() => void)[] = [];

  connectedCallback(): void {
    super.connectedCallback();
    this.off = [
      clock.everySecond(() => this.requestUpdate()),
      store.on(["executions"], () => this.changed()),
    ];
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.off.forEach((each) => each());
  }

  willUpdate(changed: PropertyValues): void {
    if (changed.has("params") && changed.get("params") !== undefined && (changed.get("params") as Record<string, string>).id !== this.params.id) this.polled.restart();
  }

  private get path(): string {
    return `/v1/executions/${encodeURIComponent(this.params.id ?? "")}`;
  }

  /** The log says that it has changed: the rest of it is fetched at once. */
  private changed(): void {
    const row = store.rows("executions").get(this.params.id ?? "") as Summary | undefined;
    if (row && row.revision > (this.polled.value?.revision ?? 0)) this.polled.refresh();
  }

  private async control(action: string, body: Record<string, unknown>, said: string): Promise<void> {
    const told = await post<{ status: string }>(`${this.path}/${action}`, { who: session.who?.name ?? "", ...body });
    toast(`${said}: ${word(told.status)}`);
    this.polled.refresh();
  }

  private confirm(action: string, heading: string, text: string, verb: string, more: { danger?: boolean; body?: Record<string, unknown>; force?: boolean } = {}): Promise<unknown> {
    return ask({
      heading,
      text,
      action: verb,
      danger: more.danger,
      reason: { label: "Why", max: 1000 },
      fields: more.force ? html`<label class="row"><input type="checkbox" name="force" /> At once: neither what it is about nor its <code>finally</code> is waited for</label>` : undefined,
      run: (values) => this.control(action, { ...more.body, comment: values.reason ?? "", ...(values.force ? { force: true } : {}) }, heading.replace(/\?$/, "")),
    });
  }

  private signal(): Promise<unknown> {
    return ask({
      heading: "Send a signal",
      text: "It is kept until a step that waits for it takes it.",
      action: "Send",
      fields: html`<div class="field"><label for="signal">Name</label><input id="signal" name="signal" required maxlength="64" autocomplete="off" /></div>
        <div class="field"><label for="value">Value <span class="hint">JSON, optional</span></label><input id="value" name="value" autocomplete="off" /></div>`,
      run: async (values) => {
        let value: unknown = null;
        try {
          value = values.value ? JSON.parse(values.value) : null;
        } catch {
          throw new Error(`The value must be JSON, such as "T4" or {"a": 1}`);
        }
        await this.control("signal", { name: values.signal, value }, `Signal ${values.signal} is sent`);
      },
    });
  }

  render() {
    const row = this.polled.value;
    if (!row) return html`<div class="stack"><h1>${this.params.id}</h1>${this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : html`<tri-loading what="the execution"></tri-loading>`}</div>`;
    const open = isOpen(row);
    const retrying = row.steps.filter((step) => step.status === "RETRYING");
    return html`<div class="stack">
      <div class="row between">
        <div class="row">
          <h1>${row.playbook}</h1>
          <tri-badge tone=${toneOf(row.status)} state=${row.status} label=${word(row.status)} data-role="status"></tri-badge>
          ${open && retrying.length ? html`<tri-badge tone="warn" state="RETRYING" label="${plural(retrying.length, "step")} retrying"></tri-badge>` : nothing}
          ${open && row.cancel ? html`<tri-badge tone="warn" state="CANCELLING" label="being cancelled"></tri-badge>` : nothing}
        </div>
        <div class="row">${this.actions(row, open)}</div>
      </div>
      ${this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error><p class="muted small">What is shown is ${duration(Math.round(this.polled.age))} old.</p>` : nothing}
      ${row.error ? html`<p class="why">${row.code ? html`<code>${row.code}</code> ` : nothing}${row.error}</p>` : nothing}
      <div class="stack wide">
        <section class="card flush" aria-label="Steps">
          <header><h2>Steps</h2><span class="muted small">${plural(row.steps.length, "step")} begun</span></header>
          <tri-steps
            .execution=${row}
            @approve=${(event: CustomEvent<Step>) => this.confirm("approve", `Approve ${event.detail.id || event.detail.path}?`, "The step succeeds, and what comes after it begins.", "Approve", { body: { path: event.detail.path } })}
            @reject=${(event: CustomEvent<Step>) => this.confirm("reject", `Reject ${event.detail.id || event.detail.path}?`, "The step fails.", "Reject", { danger: true, body: { path: event.detail.path } })}
            @retry=${(event: CustomEvent<Step>) => this.confirm("retry", "Retry from here?", `What was done before ${event.detail.path} stays done; it and what came after it are done anew.`, "Retry", { body: { path: event.detail.path } })}
          ></tri-steps>
        </section>
        <div class="stack">
          <section class="card" aria-label="Facts">
            <dl class="facts">
              <dt>Execution</dt><dd><code>${row.id}</code></dd>
              <dt>Playbook</dt><dd><a href=${href("playbooks", row.playbook)}>${row.playbook}</a>, version ${row.version}</dd>
              <dt>Began</dt><dd>${moment(row.started ?? row.created)}</dd>
              <dt>${open ? "For" : "Took"}</dt><dd class="num">${duration(row.duration_s ?? (row.started ? (clock.now() - millis(row.started)) / 1000 : null))}</dd>
              ${row.ended ? html`<dt>Ended</dt><dd>${moment(row.ended)}</dd>` : nothing}
              ${open && row.deadline ? html`<dt>Deadline</dt><dd>${moment(row.deadline)}</dd>` : nothing}
              ${row.paused_at ? html`<dt>Paused</dt><dd>${moment(row.paused_at)}</dd>` : nothing}
              <dt>Started by</dt><dd>${String(row.trigger?.type ?? "–")}${row.who ? `, ${row.who}` : ""}</dd>
              ${row.parent ? html`<dt>Part of</dt><dd><a href=${href("executions", row.parent.execution)}>${row.parent.execution}</a> <code>${row.parent.path}</code></dd>` : nothing}
              <dt>Priority</dt><dd>${row.priority}</dd>
              <dt>Revision</dt><dd class="num">${row.revision}</dd>
            </dl>
          </section>
          ${this.data("Inputs", row.inputs)} ${this.data("Variables", row.variables)} ${this.data("Signals that wait", row.signals)}
          ${row.approvals.length
            ? html`<section class="card" aria-label="Approvals">
                <h3>Approvals</h3>
                <dl class="facts">
                  ${row.approvals.map((each) => html`<dt><code>${each.path}</code></dt><dd>${each.approved ? "approved" : "rejected"}${each.who ? ` by ${each.who}` : ""}${each.comment ? `: ${each.comment}` : ""}</dd>`)}
                </dl>
              </section>`
            : nothing}
        </div>
      </div>
    </div>`;
  }

  private actions(row: Execution, open: boolean) {
    const path = (action: string) => `/v1/executions/{execution_id}/${action}`;
    if (!open)
      return html`<tri-action kind="primary" method="POST" path=${path("retry")} .hinder=${row.status === "SUCCEEDED" ? "It has succeeded: there is nothing to try again." : ""} .run=${() => this.confirm("retry", "Retry the execution?", "It goes on from the first step that failed; what was done before it stays done.", "Retry")}>Retry …</tri-action>`;
    return html`${row.status === "PAUSED"
        ? html`<tri-action kind="primary" method="POST" path=${path("resume")} .run=${() => this.confirm("resume", "Resume?", "All deadlines are later by the length of the pause.", "Resume")}>Resume …</tri-action>`
        : html`<tri-action method="POST" path=${path("pause")} .hinder=${row.status === "RUNNING" ? "" : "It has not begun."} .run=${() => this.confirm("pause", "Pause?", "No further step begins. What a step has begun outside goes on; deadlines wait.", "Pause")}>Pause …</tri-action>`}
      <tri-action method="POST" path=${path("signal")} .run=${() => this.signal()}>Signal …</tri-action>
      <tri-action kind="danger" method="POST" path=${path("cancel")} .run=${() => this.confirm("cancel", "Cancel?", "Open steps are given up, then its finally runs, and it ends as cancelled.", "Cancel it", { danger: true, force: true })}>Cancel …</tri-action>`;
  }

  private data(title: string, value: Record<string, unknown>) {
    if (Object.keys(value ?? {}).length === 0) return nothing;
    return html`<section class="card" aria-label=${title}><h3>${title}</h3><pre tabindex="0" aria-label=${title}>${JSON.stringify(value, null, 2)}</pre></section>`;
  }
}
