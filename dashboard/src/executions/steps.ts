/**
 * The steps of an execution on a timeline: a bar a step, from when it began to when it ended or now, under its list.
 *
 * A step that waits to be tried again is shown as that, with the attempt that failed, why, and when the next one is:
 * never as running.
 */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { clock } from "../clock";
import { count, duration, millis, moment } from "../format";
import { shared } from "../style/shared";
import { depth, isOpen, toneOf, word, type Execution, type Step } from "./shown";

const SHOWN = 300;

@customElement("tri-steps")
export class Steps extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
        container-type: inline-size;
      }
      ol {
        list-style: none;
      }
      li {
        border-top: 1px solid var(--line);
      }
      .line {
        display: grid;
        grid-template-columns: minmax(180px, 28%) 152px minmax(80px, 1fr) 84px;
        gap: var(--space-3);
        align-items: center;
        min-height: 38px;
        padding: var(--space-1) var(--space-4);
        font-size: var(--text-s);
      }
      .name {
        display: flex;
        align-items: center;
        gap: var(--space-2);
        min-width: 0;
      }
      .name button {
        flex: none;
        justify-content: center;
        min-width: 24px;
        min-height: 24px;
        padding: 0;
      }
      .name div {
        min-width: 0;
        overflow: hidden;
        text-overflow: ellipsis;
        white-space: nowrap;
      }
      .path {
        font: 11px var(--mono);
        color: var(--ink-3);
      }
      .track {
        position: relative;
        height: 18px;
        border-radius: 3px;
        background: var(--surface-2);
      }
      .bar {
        position: absolute;
        top: 3px;
        bottom: 3px;
        min-width: 3px;
        border-radius: 3px;
      }
      .bar.ok { background: var(--ok); }
      .bar.bad { background: var(--bad); }
      .bar.warn { background: repeating-linear-gradient(-45deg, var(--warn) 0 5px, var(--warn-soft) 5px 9px); outline: 1px solid var(--warn); }
      .bar.info { background: var(--info); }
      .bar.idle { background: var(--line-strong); }
      .bar.open {
        border-top-right-radius: 0;
        border-bottom-right-radius: 0;
      }
      .time {
        text-align: right;
        font-variant-numeric: tabular-nums;
        color: var(--ink-2);
      }
      .note {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        align-items: center;
        padding: 0 var(--space-4) var(--space-2) calc(var(--space-4) + 32px);
        font-size: var(--text-s);
        color: var(--ink-2);
        overflow-wrap: anywhere;
      }
      .note.bad { color: var(--bad); }
      .note.warn { color: var(--warn); }
      .more {
        padding: 0 var(--space-4) var(--space-3) calc(var(--space-4) + 32px);
      }
      pre {
        max-height: 220px;
        margin: var(--space-2) 0 0;
        padding: var(--space-2) var(--space-3);
        overflow: auto;
        border-radius: var(--radius-s);
        background: var(--surface-2);
        font: 12px / 1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      .line.axis {
        min-height: 26px;
        color: var(--ink-3);
        font-size: var(--text-xs);
      }
      .axis .ends {
        display: flex;
        justify-content: space-between;
        grid-column: 3;
      }
      @container (max-width: 700px) {
        .line {
          grid-template-columns: minmax(0, 1fr) max-content max-content;
          row-gap: var(--space-1);
        }
        .track {
          grid-column: 1 / -1;
          grid-row: 2;
        }
        .axis .ends {
          grid-column: 1 / -1;
        }
        .axis .time {
          display: none;
        }
        .note,
        .more {
          padding-left: var(--space-4);
        }
      }
    `,
  ];
  @property({ attribute: false }) execution!: Execution;
  @state() private all = false;
  @state() private opened: ReadonlySet<string> = new Set();
  private off: (() => void) | null = null;

  connectedCallback(): void {
    super.connectedCallback();
    this.off = clock.everySecond(() => isOpen(this.execution) && this.requestUpdate());
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.off?.();
  }

  /** What is in view: from the first step to the last end, or now; milliseconds. */
  private span(): [number, number] {
    const { started, created, ended, steps } = this.execution;
    const from = millis(started ?? created);
    const ends = steps.map((step) => (step.ended ? millis(step.ended) : from));
    const to = ended ? millis(ended) : Math.max(clock.now(), ...ends);
    return [from, Math.max(to, ...ends, from + 1)];
  }

  private toggle(path: string): void {
    const opened = new Set(this.opened);
    if (!opened.delete(path)) opened.add(path);
    this.opened = opened;
  }

  private send(name: string, step: Step): void {
    this.dispatchEvent(new CustomEvent(name, { detail: step }));
  }

  render() {
    const { steps } = this.execution;
    if (steps.length === 0) return html`<tri-empty heading="No step has begun yet"></tri-empty>`;
    const [from, to] = this.span();
    const shown = this.all ? steps : steps.slice(-SHOWN);
    return html`<div class="line axis" aria-hidden="true"><div class="ends"><span>${moment(from / 1000)}</span><span>${isOpen(this.execution) ? "now" : moment(to / 1000)}</span></div><span class="time">${duration((to - from) / 1000)}</span></div>
      ${shown.length < steps.length ? html`<div class="note"><button @click=${() => (this.all = true)}>Show all ${count(steps.length)} steps</button> The newest ${count(shown.length)} are shown.</div>` : nothing}
      <ol aria-label="Steps">
        ${repeat(
          shown,
          (step) => step.path,
          (step) => this.step(step, from, to),
        )}
      </ol>`;
  }

  private step(step: Step, from: number, to: number) {
    const tone = toneOf(step.status);
    const begin = step.started ? millis(step.started) : from;
    const over = step.ended !== null;
    const end = over ? millis(step.ended!) : step.status === "RUNNING" || step.status === "RETRYING" ? clock.now() : begin;
    const left = Math.min(100, Math.max(0, ((begin - from) / (to - from)) * 100));
    const width = Math.max(0, Math.min(100 - left, ((end - begin) / (to - from)) * 100));
    const opened = this.opened.has(step.path);
    const waits = step.status === "RUNNING" && (step.waiting !== null || step.type === "approve");
    const said = `${waits ? "Waiting" : word(step.status)}${step.attempt > 1 ? `, attempt ${step.attempt}` : ""}`;
    const took = duration(Math.max(0, end - begin) / 1000);
    return html`<li data-path=${step.path} data-status=${step.status}>
      <div class="line">
        <div class="name" .style=${`padding-left:${depth(step.path) * 14}px`}>
          <button class="plain" aria-expanded=${opened ? "true" : "false"} aria-label="More about ${step.path}" @click=${() => this.toggle(step.path)}>${opened ? "▾" : "▸"}</button>
          <div title=${`${step.type} ${step.path}`}><strong>${step.id || step.type}</strong>${step.id ? html` <span class="muted">${step.type}</span>` : nothing}<br /><span class="path">${step.path}</span></div>
        </div>
        <span><tri-badge tone=${tone} state=${step.status} label=${said}></tri-badge></span>
        <div class="track" role="img" aria-label="${word(step.status)}, began ${duration((begin - from) / 1000)} after the start, ${over ? "took" : "for"} ${took}">
          <div class="bar ${tone} ${over ? "" : "open"}" .style=${`left:${left}%;width:${width}%`}></div>
        </div>
        <span class="time">${step.started ? took : "–"}</span>
      </div>
      ${this.note(step)} ${opened ? this.more(step) : nothing}
    </li>`;
  }

  private note(step: Step) {
    if (step.retrying) {
      const { n, next, code, error } = step.retrying;
      const left = next ? (millis(next) - clock.now()) / 1000 : null;
      return html`<div class="note warn" data-note="retrying">
        <span><strong>Attempt ${n} failed</strong>${code ? html` (<code>${code}</code>)` : nothing}: ${error || "no reason was given"}.</span>
        <span>${left === null ? "The next attempt has no time yet." : left > 0 ? `Tried again in ${duration(Math.ceil(left))}.` : "Tried again any moment."}</span>
      </div>`;
    }
    if (step.status === "RUNNING") {
      const approval = step.type === "approve";
      if (!step.waiting && !approval) return nothing;
      return html`<div class="note" data-note="waiting">
        <span>${step.waiting ? html`Waits: ${step.waiting}` : "Waits for somebody's approval"}${step.deadline ? html` <span class="muted">(until ${moment(step.deadline)})</span>` : nothing}</span>
        ${approval
          ? html`<tri-action kind="primary" method="POST" path="/v1/executions/{execution_id}/approve" label="Approve ${step.path}" .run=${() => this.send("approve", step)}>Approve …</tri-action>
              <tri-action kind="danger" method="POST" path="/v1/executions/{execution_id}/reject" label="Reject ${step.path}" .run=${() => this.send("reject", step)}>Reject …</tri-action>`
          : nothing}
      </div>`;
    }
    if (step.error) return html`<div class="note ${toneOf(step.status) === "bad" ? "bad" : ""}">${step.code ? html`<code>${step.code}</code>` : nothing}<span>${step.error}</span></div>`;
    return nothing;
  }

  private more(step: Step) {
    const ended = !isOpen(this.execution) && this.execution.status !== "SUCCEEDED";
    return html`<div class="more">
      <dl class="facts">
        <dt>Path</dt><dd><code>${step.path}</code></dd>
        <dt>Attempt</dt><dd>${step.attempt}</dd>
        <dt>Began</dt><dd>${moment(step.started)}</dd>
        <dt>Ended</dt><dd>${moment(step.ended)}</dd>
        ${step.deadline ? html`<dt>Deadline</dt><dd>${moment(step.deadline)}</dd>` : nothing}
      </dl>
      ${step.value !== null && step.value !== undefined ? html`<pre tabindex="0" aria-label="Outcome of ${step.path}">${JSON.stringify(step.value, null, 2)}</pre>` : nothing}
      ${ended ? html`<p class="row"><tri-action method="POST" path="/v1/executions/{execution_id}/retry" label="Retry from ${step.path}" .run=${() => this.send("retry", step)}>Retry from here …</tri-action></p>` : nothing}
    </div>`;
  }
}
