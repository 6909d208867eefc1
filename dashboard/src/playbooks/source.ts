/** The text of a playbook with line numbers, and a mark at the line and column of each thing that is said of it. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, query, state } from "lit/decorators.js";
import { shared } from "../style/shared";

export interface Said {
  line: number;
  column: number;
  field: string;
  message: string;
  hint: string;
}

@customElement("tri-source")
export class Source extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
        min-width: 0;
        --line-height: 20px;
        --pad: 10px;
      }
      .frame {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr);
        height: var(--source-height, min(62vh, 620px));
        overflow: hidden;
        border-block: 1px solid var(--line);
        background: var(--surface);
        font: 13px / var(--line-height) var(--mono);
      }
      .gutter {
        position: relative;
        overflow: hidden;
        border-right: 1px solid var(--line);
        background: var(--surface-2);
        color: var(--ink-3);
        text-align: right;
        user-select: none;
      }
      .gutter ol {
        margin: 0;
        padding: var(--pad) 8px var(--pad) 22px;
        list-style: none;
        font-variant-numeric: tabular-nums;
      }
      .gutter li {
        position: relative;
        height: var(--line-height);
      }
      .gutter li.bad {
        color: var(--bad);
        font-weight: 700;
      }
      .gutter li.warn {
        color: var(--warn);
        font-weight: 700;
      }
      .gutter li::before {
        position: absolute;
        left: -16px;
      }
      .gutter li.bad::before {
        content: "✖";
      }
      .gutter li.warn::before {
        content: "▲";
      }
      .pane {
        position: relative;
        overflow: hidden;
      }
      textarea {
        position: absolute;
        inset: 0;
        width: 100%;
        height: 100%;
        padding: var(--pad);
        border: 0;
        border-radius: 0;
        background: transparent;
        color: var(--ink);
        font: inherit;
        tab-size: 2;
        white-space: pre;
        overflow: auto;
        resize: none;
      }
      textarea:focus-visible {
        outline-offset: -2px;
      }
      .marks {
        position: absolute;
        top: 0;
        left: 0;
        pointer-events: none;
      }
      .marks i {
        position: absolute;
        height: var(--line-height);
        border-bottom: 2px solid;
        border-radius: 2px;
      }
      .marks i.bad {
        border-color: var(--bad);
        background: var(--bad-soft);
      }
      .marks i.warn {
        border-color: var(--warn);
        background: var(--warn-soft);
      }
      .said {
        max-height: 190px;
        overflow: auto;
        list-style: none;
        font-size: var(--text-s);
      }
      .said li + li {
        border-top: 1px solid var(--line);
      }
      .said button {
        display: grid;
        grid-template-columns: max-content max-content minmax(0, 1fr);
        gap: var(--space-2);
        width: 100%;
        min-height: 32px;
        padding: var(--space-1) var(--space-4);
        border: 0;
        border-radius: 0;
        background: none;
        text-align: left;
        font-weight: 400;
        overflow-wrap: anywhere;
      }
      .said .place {
        font-family: var(--mono);
        color: var(--ink-3);
      }
      @media (max-width: 620px) {
        .said button {
          grid-template-columns: max-content minmax(0, 1fr);
        }
        .said button span:last-child {
          grid-column: 1 / -1;
        }
      }
    `,
  ];
  @property() label = "Source";
  @property() value = "";
  @property({ type: Boolean }) readonly = false;
  @property({ attribute: false }) problems: readonly Said[] = [];
  @property({ attribute: false }) warnings: readonly Said[] = [];
  @query("textarea") private area!: HTMLTextAreaElement;
  @query(".gutter ol") private numbers!: HTMLElement;
  @query(".marks") private marks!: HTMLElement;
  @state() private lines: readonly string[] = [""];

  willUpdate(changed: PropertyValues): void {
    if (changed.has("value")) this.lines = this.value.split("\n");
  }

  /** Puts the cursor at a place, both counted from 1, and shows it. */
  show(line: number, column: number): void {
    const before = this.lines.slice(0, line - 1).reduce((sum, each) => sum + each.length + 1, 0);
    const at = Math.min(before + column - 1, this.value.length);
    this.area.focus();
    this.area.setSelectionRange(at, at);
    this.area.scrollTop = Math.max(0, (line - 4) * 20);
    this.scrolled();
  }

  private typed(): void {
    this.value = this.area.value;
    this.dispatchEvent(new CustomEvent("typed", { detail: this.value }));
  }

  /** Two spaces for Tab would trap who uses the keyboard: Enter keeps the indentation instead, and Tab goes on. */
  private key(event: KeyboardEvent): void {
    if (event.key !== "Enter" || this.readonly || event.ctrlKey || event.metaKey || event.altKey) return;
    const { selectionStart: at, value } = this.area;
    const line = value.slice(value.lastIndexOf("\n", at - 1) + 1, at);
    const indent = /^ */.exec(line)?.[0] ?? "";
    if (!indent) return;
    event.preventDefault();
    this.area.setRangeText(`\n${indent}`, at, this.area.selectionEnd, "end");
    this.typed();
  }

  private scrolled(): void {
    const { scrollTop, scrollLeft } = this.area;
    this.numbers.style.transform = `translateY(${-scrollTop}px)`;
    this.marks.style.transform = `translate(${-scrollLeft}px, ${-scrollTop}px)`;
  }

  render() {
    const bad = new Set(this.problems.map((each) => each.line));
    const doubtful = new Set(this.warnings.map((each) => each.line));
    const all = [...this.problems.map((each) => ({ ...each, tone: "bad" })), ...this.warnings.map((each) => ({ ...each, tone: "warn" }))];
    return html`<div class="frame">
        <div class="gutter" aria-hidden="true">
          <ol>
            ${this.lines.map((_, at) => html`<li class=${bad.has(at + 1) ? "bad" : doubtful.has(at + 1) ? "warn" : ""}>${at + 1}</li>`)}
          </ol>
        </div>
        <div class="pane">
          <div class="marks" aria-hidden="true">${all.map((each) => this.mark(each))}</div>
          <textarea
            aria-label=${this.label}
            aria-describedby=${all.length ? "said" : nothing}
            aria-invalid=${bad.size ? "true" : "false"}
            spellcheck="false"
            autocapitalize="off"
            autocomplete="off"
            wrap="off"
            ?readonly=${this.readonly}
            .value=${this.value}
            @input=${this.typed}
            @keydown=${this.key}
            @scroll=${this.scrolled}
          ></textarea>
        </div>
      </div>
      ${all.length
        ? html`<ul class="said" id="said" aria-label="What is said of the text">
            ${all.map(
              (each) => html`<li>
                <button @click=${() => this.show(each.line, each.column)}>
                  <tri-badge state=${each.tone === "bad" ? "ERROR" : "WARNING"} label=${each.tone === "bad" ? "Error" : "Doubtful"}></tri-badge>
                  <span class="place">${each.line}:${each.column}</span>
                  <span>${each.field ? html`<code>${each.field}</code> ` : nothing}${each.message}${each.hint ? html` <span class="muted">(${each.hint})</span>` : nothing}</span>
                </button>
              </li>`,
            )}
          </ul>`
        : nothing}`;
  }

  /** From the column to the end of the word there: a character is one `ch` wide in this font. */
  private mark({ line, column, tone }: Said & { tone: string }) {
    const text = this.lines[line - 1] ?? "";
    const word = /^[^\s,}\]]+/.exec(text.slice(column - 1))?.[0].length ?? 1;
    const place = `top:calc(var(--pad) + ${line - 1} * var(--line-height));left:calc(var(--pad) + ${column - 1}ch);width:${Math.max(1, word)}ch`;
    return html`<i class=${tone} .style=${place}></i>`;
  }
}
