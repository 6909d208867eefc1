/** A state as a word with a shape and a colour: the shape and the word say it without the colour. */
import { LitElement, css, html, svg } from "lit";
import { customElement, property } from "lit/decorators.js";

export type Tone = "ok" | "warn" | "bad" | "info" | "idle";

const TONES: Record<string, Tone> = {
  STARTED: "ok", ONLINE: "ok", OK: "ok", SUCCEEDED: "ok", HEALTHY: "ok", COMPLETED: "ok", CLOSED: "ok", DONE: "ok", INTACT: "ok", ACTIVE: "ok", LIVE: "ok",
  READY: "info", INITIALIZING: "info", INIT_COMPLETE: "info", STOPPING: "info", RUNNING: "info", LEADER: "info", INFO: "info", CANCELLING: "info",
  DEGRADED: "warn", PENDING: "warn", WARNING: "warn", PAUSED: "warn", WAITING: "warn", MIXED: "warn", HALF_OPEN: "warn", MAINTENANCE: "warn", SILENCED: "idle", DRAINING: "warn", UNKNOWN: "warn",
  FAULT: "bad", OFFLINE: "bad", UNRESPONSIVE: "bad", FIRING: "bad", FAILED: "bad", ERROR: "bad", CRITICAL: "bad", UNHEALTHY: "bad", OPEN: "bad", UNREACHABLE: "bad", REVOKED: "bad", EXPIRED: "bad",
};

export function toneOf(state: string): Tone {
  return TONES[state.toUpperCase()] ?? "idle";
}

const SHAPES = {
  ok: svg`<circle cx="6" cy="6" r="5.5" fill="currentColor"/><path d="M3.4 6.2 5.2 8l3.4-3.8" fill="none" stroke="var(--surface)" stroke-width="1.5"/>`,
  warn: svg`<path d="M6 .8 11.6 11H.4z" fill="currentColor"/><path d="M6 4.4v3.2M6 8.6v1.2" stroke="var(--surface)" stroke-width="1.4"/>`,
  bad: svg`<path d="M3.6.6h4.8l3 3v4.8l-3 3H3.6l-3-3V3.6z" fill="currentColor"/><path d="m4 4 4 4m0-4L4 8" stroke="var(--surface)" stroke-width="1.5"/>`,
  info: svg`<circle cx="6" cy="6" r="4.7" fill="none" stroke="currentColor" stroke-width="1.5"/><circle cx="6" cy="6" r="2.2" fill="currentColor"/>`,
  idle: svg`<circle cx="6" cy="6" r="4.7" fill="none" stroke="currentColor" stroke-width="1.5"/>`,
};

@customElement("tri-badge")
export class Badge extends LitElement {
  static styles = css`
    :host {
      display: inline-flex;
      vertical-align: middle;
    }
    span {
      display: inline-flex;
      align-items: center;
      gap: 5px;
      padding: 1px 7px 1px 5px;
      border-radius: 10px;
      font-size: var(--text-xs);
      font-weight: 600;
      line-height: 18px;
      white-space: nowrap;
    }
    svg {
      width: 12px;
      height: 12px;
      flex: none;
    }
    .ok { color: var(--ok); background: var(--ok-soft); }
    .warn { color: var(--warn); background: var(--warn-soft); }
    .bad { color: var(--bad); background: var(--bad-soft); }
    .info { color: var(--info); background: var(--info-soft); }
    .idle { color: var(--idle); background: var(--idle-soft); }
  `;

  /** The word; its tone follows from it unless `tone` is given. */
  @property() state = "";
  @property() tone: Tone | "" = "";
  /** Another word to show. */
  @property() label = "";

  render() {
    const tone = this.tone || toneOf(this.state);
    return html`<span class=${tone}><svg viewBox="0 0 12 12" aria-hidden="true">${SHAPES[tone]}</svg>${this.label || this.state}</span>`;
  }
}
