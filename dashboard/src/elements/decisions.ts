/** The newest decisions, of one component or of all, as a short list; the journal has the rest. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { decisions } from "../decisions";
import { href } from "../router";
import { Live } from "../store";
import { shared } from "../style/shared";

/** Of a busy plant they change with each frame that is drawn. */
const DRAW_MS = 300;

@customElement("tri-decisions")
export class DecisionList extends LitElement {
  static styles = [
    shared,
    css`
      ul {
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: max-content minmax(0, 1fr) max-content;
        gap: var(--space-3);
        align-items: baseline;
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      li:first-child {
        border-top: 0;
      }
      a {
        text-decoration: underline;
      }
    `,
  ];
  /** A component; empty: of all. */
  @property() about = "";
  @property({ type: Number }) most = 6;
  protected live = new Live(this, ["policies", "alerts", "executions", "journal", "cluster", "components"], DRAW_MS);

  render() {
    const rows = decisions.list(this.about).slice(0, this.most);
    if (rows.length === 0) return html`<tri-empty heading="Nothing was decided yet"></tri-empty>`;
    return html`<ul>
      ${rows.map((row) => html`<li>
        <tri-badge state=${row.level} label=${row.source}></tri-badge>
        <span class="wrap">${this.about || !row.about ? nothing : row.href ? html`<a href=${row.href}>${row.about}</a> ` : html`${row.about} `}${row.execution ? html`<a href=${href("executions", row.execution)}>${row.what}</a>` : row.what} <span class="muted">${row.why}</span></span>
        <tri-time class="muted" .value=${row.at / 1000}></tri-time>
      </li>`)}
    </ul>`;
  }
}
