/** The ledger with its sums: whether every frame that was published is accounted for, and the frames that are not. */
import { LitElement, css, html, nothing } from "lit";
import { customElement } from "lit/decorators.js";
import { count, duration } from "../format";
import { get } from "../net/api";
import { Polled } from "../polled";
import { href } from "../router";
import { shared } from "../style/shared";
import type { Ledger } from "./shown";

/** It reads what is in flight twice: not each second. */
const EVERY_MS = 5000;
const NAMED_MAX = 50;

@customElement("tri-ledger")
export class LedgerView extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .sum {
        display: flex;
        flex-wrap: wrap;
        align-items: baseline;
        gap: var(--space-2) var(--space-3);
      }
      .part {
        display: grid;
      }
      .part span:last-child {
        font-size: var(--text-xs);
        color: var(--ink-3);
      }
      .sign {
        font-size: var(--text-xl);
        color: var(--ink-3);
      }
      ul.named {
        max-height: 220px;
        overflow: auto;
        padding-left: var(--space-4);
        font-size: var(--text-s);
      }
      h2 {
        font-size: var(--text-m);
      }
      li a {
        text-decoration: underline;
      }
      .problem {
        color: var(--bad);
        overflow-wrap: anywhere;
      }
    `,
  ];
  private readonly polled = new Polled(this, (signal) => get<Ledger>("/v1/frames/ledger", undefined, { signal }), EVERY_MS);

  render() {
    const ledger = this.polled.value;
    if (!ledger) return this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : html`<tri-loading what="the ledger"></tri-loading>`;
    const part = (value: number, label: string) => html`<span class="part"><strong class="figure" data-sum=${label}>${count(value)}</strong><span>${label}</span></span>`;
    const named = [...ledger.lost_frames, ...ledger.duplicate_frames].slice(0, NAMED_MAX);
    return html`<div class="stack">
      ${this.polled.error ? html`<tri-error .error=${this.polled.error}></tri-error>` : nothing}
      <div class="row between">
        <tri-badge tone=${ledger.ledger_ok ? "ok" : "bad"} state=${ledger.ledger_ok ? "EXACT" : "NOT EXACT"} label=${ledger.ledger_ok ? "Exact: no frame is lost or there twice" : "It does not add up"}></tri-badge>
        <span class="row"><span class="muted small">Verified ${this.polled.age < 1 ? "just now" : `${duration(Math.round(this.polled.age))} ago`}</span><button @click=${() => this.polled.refresh()}>Verify now</button></span>
      </div>
      <div class="sum" role="group" aria-label="published = settled + dead + dropped + in flight${ledger.lost ? " + lost" : ""}">
        ${part(ledger.published, "published")}<span class="sign" aria-hidden="true">=</span>${part(ledger.settled, "settled")}<span class="sign" aria-hidden="true">+</span>${part(ledger.dead, "dead")}<span class="sign" aria-hidden="true">+</span>${part(ledger.dropped, "dropped")}<span class="sign" aria-hidden="true">+</span>${part(ledger.in_flight, "in flight")}
        ${ledger.lost ? html`<span class="sign" aria-hidden="true">+</span>${part(ledger.lost, "lost")}` : nothing}
      </div>
      ${ledger.problems.map((each) => html`<p class="problem small">${each}</p>`)}
      ${named.length
        ? html`<ul class="named" tabindex="0" aria-label="Frames that break the ledger">
            ${named.map((frame) => html`<li><a href=${href("frames", "frame", `${frame.camera_id}:${frame.sequence}`)}>${frame.camera_id}:${frame.sequence}</a> ${frame.reason.replaceAll("_", " ")}</li>`)}
          </ul>`
        : nothing}
      ${ledger.stuck
        ? html`<div><h2>${count(ledger.stuck)} under way for more than a minute</h2>
            <ul class="named" tabindex="0" aria-label="Frames that are under way for long">
              ${ledger.stuck_frames.slice(0, NAMED_MAX).map((frame) => html`<li><a href=${href("frames", "frame", `${frame.camera_id}:${frame.sequence}`)}>${frame.camera_id}:${frame.sequence}</a> in <code>${frame.place}</code> for ${duration(frame.age_s)}</li>`)}
            </ul></div>`
        : nothing}
    </div>`;
  }
}
