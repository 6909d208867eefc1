/** What stands where there is nothing, nothing yet, or something went wrong. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { sayError } from "../net/problem";
import { shared } from "../style/shared";

const box = css`
  :host {
    display: block;
  }
  div {
    display: grid;
    gap: var(--space-1);
    justify-items: center;
    padding: var(--space-6) var(--space-4);
    color: var(--ink-3);
    text-align: center;
    font-size: var(--text-s);
  }
  strong {
    color: var(--ink-2);
    font-size: var(--text-m);
    font-weight: 600;
  }
`;

@customElement("tri-empty")
export class Empty extends LitElement {
  static styles = [shared, box];
  @property() heading = "Nothing here";

  render() {
    return html`<div><strong>${this.heading}</strong><span><slot></slot></span></div>`;
  }
}

@customElement("tri-loading")
export class Loading extends LitElement {
  static styles = [
    shared,
    box,
    css`
      i {
        width: 22px;
        height: 22px;
        border: 2px solid var(--line);
        border-top-color: var(--accent);
        border-radius: 50%;
        animation: turn 0.9s linear infinite;
      }
      @keyframes turn {
        to {
          transform: rotate(1turn);
        }
      }
    `,
  ];
  @property() what = "";

  render() {
    return html`<div role="status"><i aria-hidden="true"></i><span>Loading${this.what ? ` ${this.what}` : ""} …</span></div>`;
  }
}

@customElement("tri-error")
export class ErrorBox extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      div {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-4);
        align-items: center;
        padding: var(--space-3) var(--space-4);
        border: 1px solid var(--bad);
        border-radius: var(--radius);
        background: var(--bad-soft);
        color: var(--bad);
        font-size: var(--text-s);
        overflow-wrap: anywhere;
      }
    `,
  ];
  @property({ attribute: false }) error: unknown = null;
  /** Called by the button, which is there only then. */
  @property({ attribute: false }) retry: (() => void) | null = null;

  render() {
    if (!this.error) return nothing;
    return html`<div role="alert">
      <span>${sayError(this.error)}</span>
      ${this.retry ? html`<button @click=${() => this.retry?.()}>Try again</button>` : nothing}
    </div>`;
  }
}
