/** Components as a map of groups and what they need, or as a list; both hold the same, live. */
import { LitElement, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import "../elements/map";
import { health, inTrouble, silence } from "../component-shown";
import type { Column } from "../elements/table";
import * as actions from "../group-actions";
import { duration } from "../format";
import { href, keepQuery } from "../router";
import type { Component, Group } from "../rows";
import { Live, store } from "../store";
import { shared } from "../style/shared";

/** A thousand of them are not drawn with every change. */
const DRAW_MS = 200;

@customElement("page-components")
export class Components extends LitElement {
  static styles = shared;
  @property({ attribute: false }) query = new URLSearchParams();
  @state() private view: "map" | "list" = "map";
  @state() private group = "";
  @state() private only = "";
  protected live = new Live(this, ["components", "groups", "figures"], DRAW_MS);

  willUpdate(changed: PropertyValues): void {
    if (!changed.has("query")) return;
    this.view = this.query.get("view") === "list" ? "list" : this.query.get("view") === "map" ? "map" : usual();
    this.group = this.query.get("group") ?? "";
    this.only = this.query.get("only") ?? "";
  }

  private set(change: () => void): void {
    change();
    keepQuery({ view: this.view === usual() ? "" : this.view, group: this.group, only: this.only });
  }

  /** Those of the group that is chosen, with those of its groups; without one, all. */
  private members(): Component[] {
    const rows = store.list("components");
    if (!this.group) return rows;
    const held = this.held(this.group, new Set());
    return rows.filter((row) => row.groups.some((name) => held.has(name)) || held.has(`=${row.id}`));
  }

  private shown(members: Component[]): Component[] {
    return members
      .filter((row) => this.only === "" || (this.only === "trouble" ? inTrouble(row) || row.health !== "OK" : row.state === this.only))
      .sort((a, b) => a.id.localeCompare(b.id, undefined, { numeric: true }));
  }

  /** Names of a group and of those within; `=id` for components that it names itself. */
  private held(name: string, seen: Set<string>): Set<string> {
    if (seen.has(name)) return seen;
    seen.add(name);
    const group = store.rows("groups").get(name);
    group?.components.forEach((id) => seen.add(`=${id}`));
    group?.groups.forEach((each) => this.held(each, seen));
    return seen;
  }

  render() {
    const members = this.members();
    const rows = this.shown(members);
    const states = [...new Set(store.list("components").map((row) => row.state))].sort();
    const groups = store.list("groups").map((group) => group.name).sort();
    // What is chosen stays to be seen when nothing is like it any more.
    if (this.only && this.only !== "trouble" && !states.includes(this.only)) states.push(this.only);
    if (this.group && !groups.includes(this.group)) groups.push(this.group);
    return html`<div class="stack">
      <div class="row between">
        <h1>Components</h1>
        <div class="row">
          <label class="only-read" for="group">Group</label>
          <select id="group" @change=${(event: Event) => this.set(() => (this.group = (event.target as HTMLSelectElement).value))}>
            <option value="" .selected=${this.group === ""}>All groups</option>
            ${groups.map((name) => html`<option .selected=${name === this.group}>${name}</option>`)}
          </select>
          <label class="only-read" for="only">State</label>
          <select id="only" @change=${(event: Event) => this.set(() => (this.only = (event.target as HTMLSelectElement).value))}>
            <option value="" .selected=${this.only === ""}>All states</option>
            <option value="trouble" .selected=${this.only === "trouble"}>In trouble</option>
            ${states.map((name) => html`<option .selected=${name === this.only}>${name}</option>`)}
          </select>
          <div class="row" role="group" aria-label="Shown as">
            <button aria-pressed=${this.view === "map"} class=${this.view === "map" ? "primary" : ""} @click=${() => this.set(() => (this.view = "map"))}>Map</button>
            <button aria-pressed=${this.view === "list"} class=${this.view === "list" ? "primary" : ""} @click=${() => this.set(() => (this.view = "list"))}>List</button>
          </div>
        </div>
      </div>
      ${this.group ? this.whole(store.rows("groups").get(this.group), members) : nothing}
      ${rows.length === 0 ? html`<section class="card"><tri-empty heading=${store.rows("components").size ? "Nothing fits" : "No component is registered"}></tri-empty></section>` : this.view === "map" ? html`<tri-map .rows=${rows}></tri-map>` : this.list(rows)}
    </div>`;
  }

  /** The group as one: how it is, and what can be done with all its members. */
  private whole(group: Group | undefined, members: Component[]) {
    if (!group) return nothing;
    const { name, state } = group;
    const counts = Object.entries(state.counts).filter(([, count]) => count > 0).map(([each, count]) => `${count} ${each}`);
    if (state.offline) counts.push(`${state.offline} OFFLINE`);
    if (state.absent) counts.push(`${state.absent} not registered`);
    const maintained = members.filter((row) => row.maintenance).length;
    // Members that are not registered may be in maintenance, too: it is not known here.
    const idle = maintained === 0 && !state.absent;
    const none = group.size === 0 ? `${name} has no components.` : "";
    return html`<section class="card row between" aria-labelledby="h-group">
      <div class="row"><h2 id="h-group">${group.title || name}</h2><tri-badge state=${state.state}></tri-badge><span class="muted small">${counts.join(", ")}</span></div>
      <div class="row" role="group" aria-label="Actions on the group">
        <tri-action method="PUT" path="/v1/groups/{name}/desired" hinder=${none} .run=${() => actions.desireOfGroup(group, members)}>Desired state</tri-action>
        <tri-action method="PUT" path="/v1/groups/{name}/maintenance" hinder=${none || (maintained === group.size ? `All of ${name} is in maintenance.` : "")} .run=${() => actions.beginMaintenanceOfGroup(group)}>Maintenance</tri-action>
        <tri-action method="DELETE" path="/v1/groups/{name}/maintenance" hinder=${none || (idle ? `Nothing of ${name} is in maintenance.` : "")} .run=${() => actions.endMaintenanceOfGroup(group, maintained)}>End maintenance</tri-action>
      </div>
    </section>`;
  }

  private list(rows: Component[]) {
    const columns: Column<Component>[] = [
      { key: "id", label: "Component", value: (row) => row.id, cell: (row) => html`<a href=${href("components", row.id)}>${row.id}</a>` },
      { key: "state", label: "State", width: "150px", value: (row) => row.state, cell: (row) => html`<tri-badge state=${row.state}></tri-badge>` },
      { key: "health", label: "Health", width: "140px", value: (row) => health(row), cell: (row) => html`<tri-badge state=${health(row)}></tri-badge>` },
      { key: "group", label: "Groups", extra: true, value: (row) => row.groups.join(", ") },
      { key: "desired", label: "Desired", width: "110px", extra: true, value: (row) => row.desired },
      { key: "needs", label: "Needs", extra: true, value: (row) => row.depends_on.join(", ") || null },
      { key: "seen", label: "Last seen", width: "110px", numeric: true, extra: true, value: (row) => silence(row.id), cell: (row) => duration(silence(row.id)) },
      { key: "why", label: "Why", extra: true, value: (row) => row.reason || row.health_reason || (row.maintenance ? `maintenance: ${row.maintenance.reason}` : null) },
    ];
    return html`<section class="card flush"><tri-table searchable label="Components" sort="id" .columns=${columns} .rows=${rows}></tri-table></section>`;
  }
}

/** What is shown where the address says nothing: a map needs room. */
function usual(): "map" | "list" {
  return innerWidth < 760 ? "list" : "map";
}
