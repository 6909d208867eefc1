/** A form out of what a playbook declares that it is given, and what was filled in as JSON. */
import { html, nothing, type TemplateResult } from "lit";

export interface Input {
  type: "string" | "number" | "boolean" | "list" | "object" | "any";
  default: unknown;
  required: boolean;
  description: string;
}

export type Inputs = Record<string, Input>;

export function inputFields(inputs: Inputs): TemplateResult | undefined {
  const names = Object.keys(inputs);
  if (names.length === 0) return undefined;
  return html`${names.map((name) => field(name, inputs[name]!))}`;
}

function field(name: string, input: Input): TemplateResult {
  const id = `input-${name}`;
  const given = input.default === null || input.default === undefined ? "" : typeof input.default === "string" ? input.default : JSON.stringify(input.default);
  const json = input.type === "list" || input.type === "object" || input.type === "any";
  return html`<div class="field">
    <label for=${id}><code>${name}</code> <span class="hint">${input.type}${input.required ? ", required" : ""}</span></label>
    ${input.type === "boolean"
      ? html`<select id=${id} name=${id}>
          ${input.required ? nothing : html`<option value="" .selected=${true}>default${given ? ` (${given})` : ""}</option>`}
          <option value="true" .selected=${input.default === true && input.required}>true</option>
          <option value="false" .selected=${input.default === false && input.required}>false</option>
        </select>`
      : html`<input
          id=${id}
          name=${id}
          autocomplete="off"
          inputmode=${input.type === "number" ? "decimal" : nothing}
          ?required=${input.required}
          .value=${input.required ? given : ""}
          placeholder=${given ? `default: ${given}` : json ? "JSON" : ""}
        />`}
    ${input.description ? html`<span class="hint">${input.description}</span>` : nothing}
  </div>`;
}

/** What was filled in. What was left empty is left out: the playbook's default stands. Throws what is no such value. */
export function inputValues(inputs: Inputs, values: Record<string, string>): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [name, input] of Object.entries(inputs)) {
    const text = values[`input-${name}`] ?? "";
    if (text === "") continue;
    found[name] = valueOf(name, input, text);
  }
  return found;
}

function valueOf(name: string, input: Input, text: string): unknown {
  if (input.type === "string") return text;
  if (input.type === "boolean") return text === "true";
  if (input.type === "number") {
    const value = Number(text.replace(",", "."));
    if (!Number.isFinite(value)) throw new Error(`${name}: ${text} is no number`);
    return value;
  }
  try {
    return JSON.parse(text);
  } catch {
    if (input.type === "any") return text;
    throw new Error(`${name}: must be JSON, ${input.type === "list" ? 'such as ["a", "b"]' : 'such as {"a": 1}'}`);
  }
}
