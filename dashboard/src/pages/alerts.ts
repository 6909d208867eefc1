import { LitElement, html } from "lit";
import { customElement } from "lit/decorators.js";

@customElement("page-alerts")
export class Page extends LitElement {
  render() {
    return html`<tri-empty heading="Not built yet"></tri-empty>`;
  }
}
