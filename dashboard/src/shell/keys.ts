/** Keys: `g` and a letter go to a page, `/` to the filter, `?` shows them all. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, query, state } from "lit/decorators.js";
import { PAGES } from "../pages";
import { session } from "../session";
import { shared } from "../style/shared";

const SECOND_KEY_MS = 1500;

@customElement("tri-keys")
export class Keys extends LitElement {
  static styles = [
    shared,
    css`
      dialog {
        width: min(420px, calc(100vw - 2 * var(--space-4)));
        padding: var(--space-5);
        border: 1px solid var(--line-strong);
        border-radius: var(--radius);
        background: var(--surface);
        color: var(--ink);
        box-shadow: var(--shadow);
      }
      dialog::backdrop {
        background: rgb(10 15 20 / 45%);
      }
      dl {
        display: grid;
        grid-template-columns: max-content 1fr;
        gap: var(--space-2) var(--space-4);
        margin: var(--space-4) 0;
        font-size: var(--text-s);
      }
      kbd {
        display: inline-block;
        min-width: 22px;
        padding: 0 5px;
        border: 1px solid var(--line-strong);
        border-radius: var(--radius-s);
        background: var(--surface-2);
        font: 600 var(--text-xs) / 20px var(--mono);
        text-align: center;
      }
    `,
  ];
  @query("dialog") private dialog!: HTMLDialogElement;
  /** When `g` was pressed, by the page's clock; that may be young, so no time at all is not 0. */
  @state() private first = -Infinity;
  private readonly pressed = (event: KeyboardEvent) => this.press(event);

  connectedCallback(): void {
    super.connectedCallback();
    window.addEventListener("keydown", this.pressed);
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    window.removeEventListener("keydown", this.pressed);
  }

  open(): void {
    if (!this.dialog.open) this.dialog.showModal();
  }

  private get pages() {
    return PAGES.filter((page) => page.nav && (!page.needs || session.may(...page.needs)));
  }

  private press(event: KeyboardEvent): void {
    const target = event.composedPath()[0];
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (target instanceof HTMLElement && (target.matches("input, textarea, select") || target.isContentEditable)) return;
    const now = performance.now();
    if (now - this.first < SECOND_KEY_MS) {
      this.first = -Infinity;
      const page = this.pages.find((each) => each.nav?.key === event.key);
      if (page) {
        event.preventDefault();
        this.dialog.close();
        location.hash = `#/${page.path}`;
      }
    } else if (event.key === "g") {
      this.first = now;
    } else if (event.key === "?") {
      event.preventDefault();
      this.open();
    } else if (event.key === "/") {
      const field = searchField(document.body);
      if (field) {
        event.preventDefault();
        field.focus();
      }
    }
  }

  render() {
    return html`<dialog aria-labelledby="keys-heading">
      <h2 id="keys-heading">Keys</h2>
      <dl>
        ${this.pages.map((page) => html`<dt><kbd>g</kbd> <kbd>${page.nav?.key}</kbd></dt><dd>${page.nav?.label}</dd>`)}
        <dt><kbd>/</kbd></dt><dd>Filter what is shown</dd>
        <dt><kbd>?</kbd></dt><dd>This list</dd>
        <dt><kbd>Esc</kbd></dt><dd>Close a dialog</dd>
      </dl>
      <div class="row"><button @click=${() => this.dialog.close()}>Close</button></div>
      ${nothing}
    </dialog>`;
  }
}

/** The first filter of the page, wherever it stands. */
function searchField(root: Element | ShadowRoot): HTMLInputElement | null {
  for (const element of root.querySelectorAll("*")) {
    if (element instanceof HTMLInputElement && element.type === "search") return element;
    const inside = element.shadowRoot ? searchField(element.shadowRoot) : null;
    if (inside) return inside;
  }
  return null;
}
