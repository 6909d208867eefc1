/** What a run would do on the plant as it is: the steps in order, with the components that each selector means now. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { shared } from "../style/shared";

export interface PlannedStep {
  path: string;
  type: string;
  id: string;
  description: string;
  when: string | null;
  runs: boolean | null;
  timeout_s: number | null;
  retry: Record<string, unknown> | null;
  does: Record<string, unknown>;
  components: string[] | null;
  order: string[][] | null;
  problem: string;
}

export interface Plan {
  name: string;
  version: number;
  inputs: Record<string, unknown>;
  steps: PlannedStep[];
}

@customElement("tri-plan")
export class PlanView extends LitElement {
  static styles = [
    shared,
    css`
      ol {
        list-style: none;
      }
      li {
        display: grid;
        grid-template-columns: minmax(110px, 170px) minmax(0, 1fr);
        gap: var(--space-1) var(--space-4);
        padding: var(--space-2) var(--space-4);
        border-top: 1px solid var(--line);
        font-size: var(--text-s);
      }
      li.left > div {
        color: var(--ink-3);
      }
      .path {
        font-family: var(--mono);
        color: var(--ink-3);
        overflow-wrap: anywhere;
      }
      .does {
        overflow-wrap: anywhere;
      }
      .wave {
        display: inline-flex;
        flex-wrap: wrap;
        gap: 4px;
        align-items: center;
      }
      .chip {
        padding: 0 7px;
        border: 1px solid var(--line-strong);
        border-radius: 10px;
        font-size: var(--text-xs);
        line-height: 18px;
      }
      .problem {
        color: var(--warn);
      }
      @media (max-width: 620px) {
        li {
          grid-template-columns: minmax(0, 1fr);
        }
      }
    `,
  ];
  @property({ attribute: false }) plan!: Plan;

  render() {
    return html`<ol aria-label="Steps in order">
      ${this.plan.steps.map((step) => this.step(step))}
    </ol>`;
  }

  private step(step: PlannedStep) {
    const does = Object.entries(step.does).filter(([, value]) => value !== null && value !== "");
    return html`<li class=${step.runs === false ? "left" : ""}>
      <span class="path">${step.path}</span>
      <div>
        <div class="row">
          <strong>${step.type}</strong>${step.id ? html`<code>${step.id}</code>` : nothing}
          ${step.runs === false ? html`<tri-badge state="SKIPPED" label="Left out now"></tri-badge>` : nothing}
          ${step.timeout_s ? html`<span class="muted">within ${step.timeout_s} s</span>` : nothing}
        </div>
        ${does.length ? html`<div class="does">${does.map(([name, value], at) => html`${at ? ", " : ""}${name.replace("_", " ")} <code>${typeof value === "string" ? value : JSON.stringify(value)}</code>`)}</div>` : nothing}
        ${step.when ? html`<div class="muted">when <code>${step.when}</code></div>` : nothing}
        ${step.order ? this.order(step.order) : step.components ? this.order([step.components]) : nothing}
        ${step.problem ? html`<div class="problem">${step.problem}</div>` : nothing}
      </div>
    </li>`;
  }

  private order(waves: string[][]) {
    return html`<div class="row">
      ${waves.map((wave, at) => html`${at ? html`<span aria-label="then">→</span>` : nothing}<span class="wave">${wave.map((each) => html`<span class="chip">${each}</span>`)}</span>`)}
      ${waves.every((wave) => wave.length === 0) ? html`<span class="muted">nobody is selected now</span>` : nothing}
    </div>`;
  }
}
