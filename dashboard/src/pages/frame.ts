/** The story of one frame: received, among which candidates, chosen under which leader, attempts, result. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property } from "lit/decorators.js";
import { moment } from "../format";
import { get } from "../net/api";
import { Polled } from "../polled";
import { href } from "../router";
import { shared } from "../style/shared";
import type { Story, StoryStep } from "../frames/shown";

const EVERY_MS = 2000;
const TONES: Record<string, "ok" | "bad" | "warn" | "info" | "idle"> = { settled: "ok", dead: "bad", lost: "bad", dropped: "warn", retry: "warn", in_flight: "info", dispatched: "info", received: "idle", replayed: "warn" };

@customElement("page-frame")
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
      ol {
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: 92px 116px minmax(0, 1fr);
        gap: var(--space-1) var(--space-3);
        padding: var(--space-3) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      .after {
        text-align: right;
        font-variant-numeric: tabular-nums;
        color: var(--ink-2);
      }
      .candidates {
        display: flex;
        flex-wrap: wrap;
        gap: 4px;
        margin-top: 4px;
      }
      .candidate {
        padding: 0 7px;
        border: 1px solid var(--line-strong);
        border-radius: 10px;
        font-size: var(--text-xs);
        line-height: 18px;
      }
      .candidate.chosen {
        border-color: var(--accent);
        background: var(--accent-soft);
        color: var(--accent);
        font-weight: 600;
      }
      pre {
        max-height: 200px;
        margin: var(--space-1) 0 0;
        padding: var(--space-2) var(--space-3);
        overflow: auto;
        border-radius: var(--radius-s);
        background: var(--surface-2);
        font: 12px / 1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
      }
      @media (max-width: 620px) {
        li {
          grid-template-columns: max-content minmax(0, 1fr);
        }
        li > div:last-child {
          grid-column: 1 / -1;
        }
      }
    `,
  ];
  @property({ attribute: false }) params: Record<string, string> = {};
  private readonly polled: Polled<Story> = new Polled(this, (signal) => this.ask(signal), EVERY_MS);

  private async ask(signal: AbortSignal): Promise<Story> {
    const known = this.polled.value;
    // What has ended stays as it is, but for a replay of the dead.
    if (known && ["settled", "dropped", "ended"].includes(known.status)) return known;
    return get<Story>(`/v1/frames/trace/${encodeURIComponent(this.params.id ?? "")}`, undefined, { signal });
  }

  willUpdate(changed: PropertyValues): void {
    const before = changed.get("params") as Record<string, string> | undefined;
    if (before && before.id !== this.params.id && this.hasUpdated) this.polled.restart();
  }

  render() {
    const story = this.polled.value;
    const name = this.params.id ?? "";
    if (!story) return html`<div class="stack"><h1>${name}</h1>${this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : html`<tri-loading what="the story"></tri-loading>`}</div>`;
    const began = story.received_ms ?? story.steps[0]?.at_ms ?? null;
    return html`<div class="stack">
      <div class="row between">
        <div class="row"><h1>${story.frame_id ?? name}</h1><tri-badge tone=${TONES[story.status] ?? "idle"} state=${story.status.replace("_", " ")}></tri-badge></div>
        <div class="row">
          ${story.sequence > 0 ? html`<a class="button" href=${href("frames", "frame", `${story.camera_id}:${story.sequence - 1}`)}>Frame before</a>` : nothing}
          <a class="button" href=${href("frames", "frame", `${story.camera_id}:${story.sequence + 1}`)}>Next frame</a>
        </div>
      </div>
      <section class="card" aria-label="Facts">
        <dl class="facts">
          <dt>Camera</dt><dd><a href=${href("frames", "camera", story.camera_id)}>${story.camera_id}</a>, sequence ${story.sequence}</dd>
          <dt>Asks for</dt><dd>${story.capability || "–"}${story.priority === null ? "" : `, priority ${story.priority}`}${story.parts > 1 ? `, ${story.parts} parts` : ""}</dd>
          <dt>Received</dt><dd>${began === null ? "no longer kept" : moment(began / 1000)}</dd>
          ${story.trace_id ? html`<dt>Trace</dt><dd><code>${story.trace_id}</code></dd>` : nothing}
        </dl>
      </section>
      <section class="card flush" aria-label="Story">
        <header><h2>What became of it</h2></header>
        <ol>
          ${story.steps.map((step) => html`<li data-what=${step.what}>
            <span class="after">${began === null ? moment(step.at_ms / 1000) : `+${step.at_ms - began} ms`}</span>
            <span><tri-badge tone=${TONES[step.what] ?? "idle"} state=${step.what}></tri-badge></span>
            <div>${this.told(step)}</div>
          </li>`)}
          ${story.waits.map((wait) => html`<li data-what="waits">
            <span class="after">now</span>
            <span><tri-badge tone="info" state="waits"></tri-badge></span>
            <div>in <code>${wait.place}</code> since ${moment(wait.since_ms / 1000)}${wait.consumer ? html`, in hand of <code>${wait.consumer}</code> for ${wait.idle_ms} ms` : nothing}</div>
          </li>`)}
        </ol>
        ${story.steps.length + story.waits.length === 0 ? html`<tri-empty heading="Nothing of its way is kept any more">The ledger says: ${story.status.replace("_", " ")}.</tri-empty>` : nothing}
      </section>
      ${story.unkept.length ? html`<p class="muted small">Not kept: ${story.unkept.join("; ")}.</p>` : nothing}
    </div>`;
  }

  private told(step: StoryStep) {
    // Entries count the attempts that failed before; a result is of the one after these.
    const number = step.attempts === undefined || step.what === "received" ? 0 : step.what === "settled" ? step.attempts + 1 : step.attempts;
    const attempt = number ? html`attempt ${number}` : nothing;
    if (step.what === "received") return html`asks for <code>${step.capability || "–"}</code>${step.priority === undefined ? nothing : html`, priority ${step.priority}`}`;
    if (step.what === "dispatched")
      return html`to <strong>${step.processor_id}</strong>${step.attempts === undefined ? nothing : html`, attempt ${step.attempts + 1}`}, by ${step.node || "a producer, by the leader's table"}${step.epoch ? html` (epoch ${step.epoch})` : nothing}${step.strategy ? html`, ${step.strategy.replaceAll("_", " ")}` : nothing}${step.outstanding === undefined ? nothing : html`; it had ${step.outstanding} then`}
        ${step.candidates?.length ? html`<div class="candidates" role="group" aria-label="Candidates and their load">${step.candidates.map((each) => this.candidate(each, step))}</div>` : nothing}`;
    return html`${step.processor_id ? html`by <strong>${step.processor_id}</strong>` : nothing}${step.processor_id && number ? ", " : nothing}${attempt}${step.reason ? html`${step.processor_id || number ? ": " : nothing}${step.reason}` : nothing}
      ${step.result !== undefined && step.result !== null ? html`<pre tabindex="0" aria-label="Result">${JSON.stringify(step.result, null, 2)}</pre>` : nothing}`;
  }

  private candidate(each: Record<string, unknown>, step: StoryStep) {
    const id = String(each.processor_id ?? each.id ?? "?");
    const held = each.outstanding ?? each.held ?? each.load;
    const chosen = id === step.processor_id;
    return html`<span class="candidate ${chosen ? "chosen" : ""}">${id} ${held === undefined ? "" : String(held)}${each.capacity === undefined ? "" : `/${String(each.capacity)}`}${chosen ? " ✓" : ""}</span>`;
  }
}
