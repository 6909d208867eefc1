/** What is around every page: navigation, who serves and leads, how fresh it is, keys, and the page itself. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { html as staticHtml, unsafeStatic } from "lit/static-html.js";
import { PAGES } from "../pages";
import { QUERY_KEPT, place, type Place } from "../router";
import { session } from "../session";
import { Live, store } from "../store";
import { shared } from "../style/shared";
import "./announcer";
import "./keys";
import "./navigation";
import "./sign-in";
import "./status";
import type { Keys } from "./keys";

/** The other pages, too, once there is time: the node that has served them may be gone when they are wanted. */
function loadAll(): void {
  requestIdleCallback(() => {
    for (const page of PAGES) page.load().catch(() => undefined);
  });
}

@customElement("tri-app")
export class App extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: grid;
        grid-template: auto 1fr / var(--nav) minmax(0, 1fr);
        grid-template-areas: "nav head" "nav main";
        min-height: 100dvh;
      }
      .skip {
        position: absolute;
        z-index: 40;
        top: -60px;
        left: var(--space-2);
        padding: var(--space-2) var(--space-4);
        border-radius: var(--radius-s);
        background: var(--accent);
        color: var(--accent-ink);
      }
      .skip:focus {
        top: var(--space-2);
      }
      tri-navigation {
        grid-area: nav;
      }
      tri-status {
        grid-area: head;
        position: sticky;
        z-index: 10;
        top: 0;
      }
      main {
        grid-area: main;
        min-width: 0;
        max-width: 1500px;
        width: 100%;
        padding: var(--space-5);
      }
      main:focus {
        outline: none;
      }
      /* What is shown is not how it is now: the status says so in words, and the page is greyed. */
      main.old {
        box-shadow: inset 0 4px 0 var(--bad);
        filter: grayscale(1);
      }
      @media (max-width: 760px) {
        :host {
          grid-template: auto auto 1fr / minmax(0, 1fr);
          grid-template-areas: "nav" "head" "main";
        }
        main {
          padding: var(--space-3);
        }
      }
    `,
  ];
  @state() private at: Place = place();
  @state() private failed: unknown = null;
  @query("main") private main!: HTMLElement;
  @query("tri-keys") private keys!: Keys;
  private readonly ready = new Set<string>();
  protected live = new Live(this, ["session", "link"]);
  private readonly moved = () => this.move();
  /** Lit hands an object over at each drawing, equal or not: an old query here would undo what the page has chosen. */
  private readonly kept = () => {
    this.at = place();
  };

  connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("hashchange", this.moved);
    window.addEventListener(QUERY_KEPT, this.kept);
    void this.load().then(loadAll);
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("hashchange", this.moved);
    window.removeEventListener(QUERY_KEPT, this.kept);
  }

  private move(): void {
    const before = this.at.page;
    this.at = place();
    void this.load();
    if (before !== this.at.page) {
      window.scrollTo(0, 0);
      // Who uses the keyboard or a screen reader goes on in the new page.
      void this.updateComplete.then(() => this.main?.focus({ preventScroll: true }));
    }
  }

  private async load(): Promise<void> {
    const page = this.at.page;
    document.title = `${page?.title ?? "Not found"} · Triarch`;
    this.failed = null;
    if (!page || this.ready.has(page.tag)) return;
    try {
      await page.load();
      this.ready.add(page.tag);
    } catch (error) {
      // The files of this build are gone: another release is served now.
      this.failed = new Error(`The page could not be loaded (${error instanceof Error ? error.message : error}). Reload.`);
    }
    this.requestUpdate();
  }

  private page() {
    const { page, params, query } = this.at;
    if (!page) return html`<tri-empty heading="There is no such page"><a href="#/">Overview</a></tri-empty>`;
    if (this.failed) return html`<tri-error .error=${this.failed} .retry=${() => location.reload()}></tri-error>`;
    const denied = page.needs ? session.denied(...page.needs) : "";
    if (denied) return html`<tri-empty heading="Not for your role">${denied}</tri-empty>`;
    if (!this.ready.has(page.tag) || !store.loaded) return html`<tri-loading></tri-loading>`;
    const tag = unsafeStatic(page.tag);
    return staticHtml`<${tag} .params=${params} .query=${query}></${tag}>`;
  }

  render() {
    const inside = session.state === "signed-in";
    const old = inside && store.loaded && store.link.state !== "live";
    return html`<nav aria-label="Shortcut">
        <a
          class="skip"
          href="#main"
          @click=${(event: Event) => {
            event.preventDefault();
            this.main.focus();
          }}
          >Skip to the page</a
        >
      </nav>
      <tri-navigation .pages=${PAGES} .at=${this.at.page}></tri-navigation>
      <tri-status @help=${() => this.keys.open()}></tri-status>
      <main id="main" tabindex="-1" class=${old ? "old" : ""} data-live=${inside && !old ? "yes" : "no"}>
        ${inside ? this.page() : html`<tri-sign-in></tri-sign-in>`}
      </main>
      <tri-announcer></tri-announcer>
      ${inside ? html`<tri-keys></tri-keys>` : nothing}`;
  }
}
