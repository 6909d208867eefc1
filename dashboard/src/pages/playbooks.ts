/** All playbooks, or one of them. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property } from "lit/decorators.js";
import { ask } from "../elements/dialog";
import type { Column } from "../elements/table";
import { go, href } from "../router";
import { Live, store } from "../store";
import { shared } from "../style/shared";
import "../playbooks/editor";

interface Row {
  name: string;
  version: number;
  time: string;
  who: string;
  description: string;
  triggers: string[];
  inputs: string[];
  problem: string;
}

const NAME = "[A-Za-z0-9][A-Za-z0-9._\\-]{0,99}";

const COLUMNS: Column<Row>[] = [
  { key: "name", label: "Name", value: (row) => row.name, cell: (row) => html`<a href=${href("playbooks", row.name)}>${row.name}</a>`, width: "22%" },
  {
    key: "description",
    label: "What it does",
    value: (row) => row.problem || row.description,
    cell: (row) => (row.problem ? html`<tri-badge state="ERROR" label="unreadable"></tri-badge> ${row.problem}` : html`<span title=${row.description}>${row.description || "–"}</span>`),
  },
  { key: "triggers", label: "Started by", value: (row) => row.triggers.filter((each) => each !== "manual").join(", ") || "by hand", width: "18%", extra: true },
  { key: "version", label: "Version", value: (row) => row.version, numeric: true, width: "84px", extra: true },
  { key: "time", label: "Changed", value: (row) => row.time, cell: (row) => html`<tri-time .value=${row.time}></tri-time>`, width: "120px", extra: true },
  { key: "who", label: "By", value: (row) => row.who || null, width: "100px", extra: true },
];

@customElement("page-playbooks")
export class Page extends LitElement {
  static styles = [shared, css`:host { display: block; }`];
  @property({ attribute: false }) params: Record<string, string> = {};
  protected live = new Live(this, ["playbooks", "session"]);

  private async begin(): Promise<void> {
    const values = await ask({
      heading: "New playbook",
      action: "Write it",
      fields: html`<div class="field">
        <label for="name">Name</label>
        <input id="name" name="name" required maxlength="100" pattern=${NAME} autocomplete="off" aria-describedby="name-hint" />
        <span class="hint" id="name-hint">Letters, digits, _ . and -; nothing is stored yet.</span>
      </div>`,
    });
    if (values?.name) go("playbooks", values.name);
  }

  render() {
    if (this.params.name) return html`<tri-playbook .name=${this.params.name}></tri-playbook>`;
    const rows = store.list("playbooks") as Row[];
    return html`<div class="stack">
      <div class="row between">
        <h1>Playbooks</h1>
        <tri-action kind="primary" method="PUT" path="/v1/playbooks/{name}" .run=${() => this.begin()}>New playbook …</tri-action>
      </div>
      <section class="card flush">
        <tri-table label="Playbooks" searchable sort="name" .columns=${COLUMNS} .rows=${rows} .rowKey=${(row: Row) => row.name} empty="No playbooks yet"></tri-table>
      </section>
      ${rows.length === 0 ? html`<p class="muted small">The repository's <code>playbooks/</code> holds eight that work on any plant: <code>triarch playbook apply playbooks/</code> stores them.</p>` : nothing}
    </div>`;
  }
}
