/** Short news at the edge of the page, read out too. */
import { LitElement, css, html } from "lit";
import { customElement, state } from "lit/decorators.js";
import { repeat } from "lit/directives/repeat.js";
import { sayError } from "../net/problem";
import { shared } from "../style/shared";

const SHOWN_MAX = 4;
const SHOWN_MS = 7000;

interface Note {
  id: number;
  text: string;
  bad: boolean;
}

@customElement("tri-toasts")
export class Toasts extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        position: fixed;
        z-index: 30;
        right: var(--space-4);
        bottom: var(--space-4);
        display: grid;
        gap: var(--space-2);
        width: min(380px, calc(100vw - 2 * var(--space-4)));
        pointer-events: none;
      }
      div[role="status"] {
        display: grid;
        gap: var(--space-2);
      }
      div.note {
        display: flex;
        gap: var(--space-3);
        align-items: start;
        justify-content: space-between;
        padding: var(--space-3) var(--space-3) var(--space-3) var(--space-4);
        border: 1px solid var(--line-strong);
        border-left: 4px solid var(--ok);
        border-radius: var(--radius);
        background: var(--surface);
        box-shadow: var(--shadow);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
        pointer-events: auto;
      }
      div.bad {
        border-left-color: var(--bad);
      }
      button {
        min-height: 20px;
        padding: 0 var(--space-1);
      }
    `,
  ];
  @state() private notes: Note[] = [];
  private count = 0;

  show(text: string, bad = false): void {
    const note = { id: ++this.count, text, bad };
    this.notes = [...this.notes, note].slice(-SHOWN_MAX);
    // What went wrong stays until it is read.
    if (!bad) setTimeout(() => this.close(note.id), SHOWN_MS);
  }

  private close(id: number): void {
    this.notes = this.notes.filter((each) => each.id !== id);
  }

  render() {
    return html`<div role="status" aria-live="polite">
      ${repeat(
        this.notes,
        (note) => note.id,
        (note) => html`<div class="note ${note.bad ? "bad" : ""}">
          <span><span class="only-read">${note.bad ? "Failed: " : ""}</span>${note.text}</span>
          <button class="plain" aria-label="Close" @click=${() => this.close(note.id)}>✕</button>
        </div>`,
      )}
    </div>`;
  }
}

let region: Toasts | null = null;

export function toast(text: string, bad = false): void {
  if (!region) document.body.append((region = new Toasts()));
  region.show(text, bad);
}

export function toastError(error: unknown, what = ""): void {
  toast(what ? `${what}: ${sayError(error)}` : sayError(error), true);
}
