/**
 * A button that changes something. Where the role may not, it stays in its place, says why, and does nothing:
 * `<tri-action method="POST" path="/v1/components/{component_id}/commands" @act=${…}>Stop</tri-action>`.
 */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { session } from "../session";
import { Live, store } from "../store";
import { shared } from "../style/shared";
import { toastError } from "./toast";

@customElement("tri-action")
export class Action extends LitElement {
  static shadowRootOptions = { ...LitElement.shadowRootOptions, delegatesFocus: true };
  static styles = [
    shared,
    css`
      :host {
        display: inline-flex;
      }
      :host([compact]) button {
        min-height: 24px;
        padding: 0 var(--space-2);
        font-size: var(--text-xs);
      }
    `,
  ];
  /** As the API documents it. */
  @property() method = "POST";
  @property() path = "";
  @property() kind: "" | "primary" | "danger" | "plain" = "";
  /** Another reason why it cannot be done now. */
  @property() hinder = "";
  /** For who does not see what is around it. */
  @property() label = "";
  /** What is done; what it throws becomes a toast. */
  @property({ attribute: false }) run: (() => Promise<unknown> | void) | null = null;
  @state() private busy = false;
  protected live = new Live(this, ["session", "link"]);

  get denied(): string {
    if (this.path) {
      const denied = session.denied(this.method, this.path);
      if (denied) return denied;
    }
    if (this.hinder) return this.hinder;
    return store.link.state === "lost" ? "Not connected now." : "";
  }

  private async act(): Promise<void> {
    if (this.denied || this.busy) return;
    this.busy = true;
    try {
      await this.run?.();
    } catch (error) {
      toastError(error);
    } finally {
      this.busy = false;
    }
  }

  render() {
    const denied = this.denied;
    return html`<button
        class=${this.kind}
        aria-disabled=${denied || this.busy ? "true" : "false"}
        aria-describedby=${denied ? "why" : nothing}
        aria-label=${this.label || nothing}
        title=${denied || nothing}
        @click=${this.act}
      >
        <slot></slot></button
      >${denied ? html`<span id="why" class="only-read">${denied}</span>` : nothing}`;
  }
}
