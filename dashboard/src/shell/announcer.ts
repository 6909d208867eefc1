/** Tells screen readers what changes by itself: another leader, a connection lost or found again. */
import { LitElement, css, html } from "lit";
import { customElement, state } from "lit/decorators.js";
import { Live, store } from "../store";
import { shared } from "../style/shared";

@customElement("tri-announcer")
export class Announcer extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        position: absolute;
      }
    `,
  ];
  @state() private text = "";
  private leader: string | null = null;
  private node: string | null = null;
  private lost = false;
  protected live = new Live(this, ["link"]);

  willUpdate(): void {
    const { state: now, leader, node, epoch } = store.link;
    const changed = leader !== null && this.leader !== null && leader !== this.leader;
    const leads = `${leader} leads now, in epoch ${epoch}.`;
    if (now === "lost" && !this.lost) this.text = "Not live: the connection is lost.";
    else if (now === "live" && this.lost) this.text = `Live again, served by ${node}.${changed ? ` ${leads}` : ""}`;
    else if (changed) this.text = leads;
    else if (now === "live" && node !== this.node && this.node !== null) this.text = `Served by ${node} now.`;
    this.lost = now === "lost";
    if (now === "live") {
      this.node = node;
      this.leader = leader ?? this.leader;
    }
  }

  render() {
    return html`<p class="only-read" role="status" aria-live="polite">${this.text}</p>`;
  }
}
