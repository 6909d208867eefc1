import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import type { Page } from "../pages";
import { href } from "../router";
import { session } from "../session";
import { Live, store } from "../store";
import { shared } from "../style/shared";

const GROUPS = ["Plant", "Frames", "Cluster"] as const;

@customElement("tri-navigation")
export class Navigation extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
        border-right: 1px solid var(--line);
        background: var(--surface);
      }
      nav {
        position: sticky;
        top: 0;
        display: grid;
        gap: var(--space-4);
        align-content: start;
        height: 100dvh;
        padding: var(--space-3);
        overflow: auto;
      }
      .mark {
        display: flex;
        align-items: center;
        gap: var(--space-2);
        padding: var(--space-1) var(--space-2);
        color: var(--ink);
        font-size: var(--text-l);
        font-weight: 650;
        letter-spacing: -0.01em;
      }
      .mark:hover {
        text-decoration: none;
      }
      svg {
        width: 22px;
        height: 22px;
        flex: none;
      }
      h2 {
        padding: 0 var(--space-2) var(--space-1);
        color: var(--ink-3);
        font-size: var(--text-xs);
        font-weight: 600;
      }
      ul {
        display: grid;
        gap: 1px;
        list-style: none;
      }
      li a {
        display: flex;
        align-items: center;
        justify-content: space-between;
        gap: var(--space-2);
        min-height: 32px;
        padding: 0 var(--space-2);
        border-radius: var(--radius-s);
        color: var(--ink-2);
        font-weight: 500;
      }
      li a:hover {
        background: var(--surface-2);
        text-decoration: none;
      }
      li a[aria-current="page"] {
        background: var(--accent-soft);
        color: var(--accent);
        font-weight: 600;
      }
      .count {
        min-width: 18px;
        padding: 0 5px;
        border-radius: 9px;
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-xs);
        font-weight: 600;
        line-height: 18px;
        text-align: center;
      }
      @media (max-width: 760px) {
        :host {
          border-right: 0;
          border-bottom: 1px solid var(--line);
        }
        nav {
          position: static;
          display: flex;
          flex-wrap: wrap;
          gap: 0 var(--space-1);
          align-items: center;
          height: auto;
          padding: var(--space-2);
        }
        h2 {
          display: none;
        }
        ul,
        .group {
          display: contents;
        }
        li a {
          min-height: 36px;
        }
      }
    `,
  ];
  @property({ attribute: false }) pages: readonly Page[] = [];
  @property({ attribute: false }) at: Page | null = null;
  protected live = new Live(this, ["session", "alerts"]);

  render() {
    const current = this.at?.nav ? this.at.path : this.at?.under;
    const firing = store.list("alerts").filter((alert) => alert.state === "FIRING" && !alert.acknowledged && alert.silenced_by.length === 0).length;
    const seen = session.state === "signed-in" ? this.pages.filter((page) => page.nav && (!page.needs || session.may(...page.needs))) : [];
    return html`<nav aria-label="Pages">
      <a class="mark" href="#/"
        ><svg viewBox="0 0 32 32" aria-hidden="true">
          <path d="M16 7 7 23h18z" fill="none" stroke="var(--accent)" stroke-width="2.4" />
          <circle cx="16" cy="7" r="4.4" fill="var(--accent)" />
          <circle cx="7" cy="23" r="4.4" fill="var(--ink-3)" />
          <circle cx="25" cy="23" r="4.4" fill="var(--ink-3)" /></svg
        >Triarch</a
      >
      ${GROUPS.map((group) => {
        const found = seen.filter((page) => page.nav?.group === group);
        if (found.length === 0) return nothing;
        return html`<div class="group">
          <h2 id=${group}>${group}</h2>
          <ul aria-labelledby=${group}>
            ${found.map(
              (page) => html`<li>
                <a href=${page.path ? href(page.path) : "#/"} aria-current=${page.path === current ? "page" : nothing}
                  >${page.nav?.label}${page.path === "alerts" && firing > 0 ? html`<span class="count">${firing}<span class="only-read"> firing</span></span>` : nothing}</a
                >
              </li>`,
            )}
          </ul>
        </div>`;
      })}
    </nav>`;
  }
}
