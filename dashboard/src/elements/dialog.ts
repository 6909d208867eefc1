/** Asks before something is done: with what will happen, and a reason where one is kept. */
import { LitElement, css, html, nothing, type TemplateResult } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { sayError } from "../net/problem";
import { shared } from "../style/shared";

export interface Asked {
  heading: string;
  /** What will happen. */
  text?: string | TemplateResult;
  /** On the button: a verb. */
  action: string;
  danger?: boolean;
  /** There is nothing to agree to: what the text says is to be read, and the button cannot be pressed. */
  idle?: boolean;
  /** Asks for a text. `required`: it cannot be empty. */
  reason?: { label: string; required?: boolean; placeholder?: string; max?: number };
  /** Further fields; read from the form by their names. */
  fields?: TemplateResult;
  /** Done while the dialog is open; what it throws is shown in it. */
  run?: (values: Record<string, string>) => Promise<void>;
}

@customElement("tri-dialog")
export class Dialog extends LitElement {
  static styles = [
    shared,
    css`
      dialog {
        width: min(520px, calc(100vw - 2 * var(--space-4)));
        max-height: calc(100dvh - 2 * var(--space-4));
        padding: 0;
        overflow: auto;
        border: 1px solid var(--line-strong);
        border-radius: var(--radius);
        background: var(--surface);
        color: var(--ink);
        box-shadow: var(--shadow);
      }
      dialog::backdrop {
        background: rgb(10 15 20 / 45%);
      }
      form {
        display: grid;
        gap: var(--space-4);
        padding: var(--space-5);
      }
      footer {
        display: flex;
        flex-wrap: wrap;
        justify-content: flex-end;
        gap: var(--space-2);
      }
      .text {
        color: var(--ink-2);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
      .text {
        display: grid;
        gap: var(--space-3);
      }
      table.plan {
        width: 100%;
        border-collapse: collapse;
        color: var(--ink);
      }
      .plan th,
      .plan td {
        padding: var(--space-1) var(--space-2);
        border-bottom: 1px solid var(--line);
        text-align: left;
        vertical-align: top;
      }
      .plan th {
        color: var(--ink-3);
        font-size: var(--text-xs);
        font-weight: 600;
      }
      input:not([type="checkbox"]),
      textarea,
      select {
        width: 100%;
      }
    `,
  ];
  @property({ attribute: false }) asked!: Asked;
  @state() private busy = false;
  @state() private error: unknown = null;
  @query("dialog") private dialog!: HTMLDialogElement;
  @query("form") private form!: HTMLFormElement;
  private result: Record<string, string> | null = null;
  closed!: (values: Record<string, string> | null) => void;

  firstUpdated(): void {
    this.dialog.showModal();
  }

  private async submit(event: Event): Promise<void> {
    event.preventDefault();
    if (this.busy) return;
    const values: Record<string, string> = {};
    new FormData(this.form).forEach((value, name) => (values[name] = String(value).trim()));
    this.busy = true;
    this.error = null;
    try {
      await this.asked.run?.(values);
      this.result = values;
      this.dialog.close();
    } catch (error) {
      this.error = error;
    } finally {
      this.busy = false;
    }
  }

  render() {
    const { heading, text, action, danger, idle, reason, fields } = this.asked;
    return html`<dialog aria-labelledby="heading" @close=${() => this.closed(this.result)}>
      <form method="dialog" @submit=${this.submit}>
        <h2 id="heading">${heading}</h2>
        ${text ? html`<div class="text">${text}</div>` : nothing} ${fields ?? nothing}
        ${reason
          ? html`<div class="field">
              <label for="reason">${reason.label}${reason.required ? nothing : html` <span class="hint">optional</span>`}</label>
              <input id="reason" name="reason" autocomplete="off" ?required=${reason.required} maxlength=${reason.max ?? 300} placeholder=${reason.placeholder ?? ""} />
            </div>`
          : nothing}
        ${this.error ? html`<p class="small" role="alert"><tri-badge state="FAILED" label="Refused"></tri-badge> ${sayError(this.error)}</p>` : nothing}
        <footer>
          <button type="button" @click=${() => this.dialog.close()}>Cancel</button>
          <button type="submit" class=${danger ? "danger" : "primary"} ?disabled=${this.busy || idle}>${this.busy ? "Working …" : action}</button>
        </footer>
      </form>
    </dialog>`;
  }
}

/** The values of the form when it was confirmed (and `run` has succeeded), null when it was not. */
export function ask(asked: Asked): Promise<Record<string, string> | null> {
  const before = deepActive();
  return new Promise((resolve) => {
    const dialog = new Dialog();
    dialog.asked = asked;
    dialog.closed = (values) => {
      dialog.remove();
      before?.focus();
      resolve(values);
    };
    document.body.append(dialog);
  });
}

function deepActive(): HTMLElement | null {
  let found = document.activeElement;
  while (found?.shadowRoot?.activeElement) found = found.shadowRoot.activeElement;
  return found instanceof HTMLElement ? found : null;
}
