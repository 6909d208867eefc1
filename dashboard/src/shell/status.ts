/** Who serves this page, who leads, and how old what is shown may be. Old data is never shown as live. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { duration } from "../format";
import { session } from "../session";
import { Live, store } from "../store";
import { shared } from "../style/shared";
import { nextTheme, theme } from "./theme";

/** From this age on it is no more "live". */
const OLD_S = 3;

@customElement("tri-status")
export class Status extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
        border-bottom: 1px solid var(--line);
        background: var(--surface);
      }
      .line {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-1) var(--space-4);
        min-height: 46px;
        padding: var(--space-1) var(--space-5);
        font-size: var(--text-s);
      }
      dl {
        display: flex;
        flex-wrap: wrap;
        gap: 0 var(--space-4);
      }
      dl div {
        display: flex;
        gap: 5px;
      }
      dt {
        color: var(--ink-3);
      }
      dd {
        font-weight: 600;
        font-variant-numeric: tabular-nums;
      }
      .right {
        display: flex;
        align-items: center;
        gap: var(--space-1);
        margin-left: auto;
      }
      .who {
        color: var(--ink-2);
        padding-right: var(--space-2);
      }
      .bar {
        padding: var(--space-2) var(--space-5);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
        font-weight: 500;
      }
      .bar.bad {
        background: var(--bad-soft);
        color: var(--bad);
      }
      .bar.warn {
        background: var(--warn-soft);
        color: var(--warn);
      }
      .right button {
        min-width: 30px;
        justify-content: center;
        padding: 0 var(--space-2);
      }
      @media (max-width: 760px) {
        .line,
        .bar {
          padding-inline: var(--space-3);
        }
        .who {
          display: none;
        }
        .line {
          flex-wrap: nowrap;
          align-items: start;
          gap: var(--space-2);
        }
        dl {
          gap: 0 var(--space-3);
        }
        tri-badge,
        dl {
          margin-top: 5px;
        }
      }
    `,
  ];
  protected live = new Live(this, ["link", "figures", "session"]);
  @state() private shown = theme();
  private timer: ReturnType<typeof setInterval> | null = null;

  connectedCallback(): void {
    super.connectedCallback();
    this.timer = setInterval(() => this.requestUpdate(), 500);
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    if (this.timer !== null) clearInterval(this.timer);
  }

  willUpdate(): void {
    // For whoever measures how far the page is.
    this.dataset.index = String(store.link.index);
  }

  render() {
    const { link } = store;
    const inside = session.state === "signed-in" && store.loaded;
    const silence = (performance.now() - link.figuresAt) / 1000;
    const age = (link.staleness ?? 0) + Math.max(0, silence - 1);
    const live = link.state === "live" && age < OLD_S && link.leader !== null;
    const word = !live ? (link.state === "live" ? (link.leader === null ? "NO LEADER" : "STALE") : "NOT LIVE") : "LIVE";
    return html`<header aria-label="Status"><div class="line">
        ${inside
          ? html`<tri-badge state=${word} tone=${live ? "ok" : link.state === "live" ? "warn" : "bad"} data-word=${word}></tri-badge>
              <dl>
                <div><dt>served by</dt><dd data-fact="node">${link.node ?? "–"}</dd></div>
                <div><dt>leader</dt><dd data-fact="leader">${link.leader ?? "none"}</dd></div>
                <div><dt>epoch</dt><dd data-fact="epoch">${link.epoch ?? "–"}</dd></div>
                <div><dt>state</dt><dd data-fact="age">${live ? (age < 1 ? "under 1 s old" : `${duration(age)} old`) : link.state === "live" ? `${duration(age)} old` : `${duration(silence)} old`}</dd></div>
              </dl>`
          : nothing}
        <div class="right">
          ${session.who ? html`<span class="who">${session.who.kind === "open" ? "no sign-in needed" : `${session.who.name || session.who.id} · ${session.who.role}`}</span>` : nothing}
          <button class="plain" title="Colours: ${this.shown}" aria-label="Colours: ${this.shown}. Change" data-do="theme" @click=${() => (this.shown = nextTheme())}>
            <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.2" fill="none" stroke="currentColor" stroke-width="1.5" /><path d="M8 1.8a6.2 6.2 0 0 1 0 12.4z" fill="currentColor" /></svg>
          </button>
          ${inside ? html`<button class="plain" title="Keys (?)" aria-label="Keys" @click=${() => this.dispatchEvent(new Event("help"))}>?</button>` : nothing}
          ${session.who && session.who.kind !== "open" ? html`<button class="plain" data-do="sign-out" @click=${() => session.end()}>Sign out</button>` : nothing}
        </div>
      </div>
      ${inside && link.state !== "live"
        ? html`<div class="bar bad" data-bar="lost">Not live: what is shown is ${duration(silence)} old. ${link.reason}. Connecting to another node …</div>`
        : inside && link.leader === null
          ? html`<div class="bar warn" data-bar="leaderless">No leader is known: nothing can be changed until one is elected.</div>`
          : inside && !live
            ? html`<div class="bar warn" data-bar="stale">${link.node} is behind: its state is ${duration(age)} old.</div>`
            : nothing}
      </header>`;
  }
}
