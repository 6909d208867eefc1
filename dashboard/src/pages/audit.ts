/** Who changed what, the newest first, and whether the chain of entries holds. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import type { Column } from "../elements/table";
import { count, moment } from "../format";
import { get } from "../net/api";
import { keepQuery } from "../router";
import type { AuditEntry } from "../rows";
import { Live, store } from "../store";
import { shared } from "../style/shared";

const PAGE = 100;
const KEPT_MAX = 2000;
const SOON_MS = 400;

interface Filters {
  actor: string;
  kind: string;
  subject: string;
}

@customElement("page-audit")
export class Audit extends LitElement {
  static styles = [
    shared,
    css`
      form {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-3);
        align-items: end;
      }
      pre {
        max-height: 320px;
        padding: var(--space-3);
        overflow: auto;
        border-radius: var(--radius-s);
        background: var(--surface-2);
        font: 12px/1.5 var(--mono);
        white-space: pre-wrap;
        overflow-wrap: anywhere;
        margin: 0;
      }
      .more {
        display: flex;
        justify-content: center;
        padding: var(--space-3);
      }
    `,
  ];
  @property({ attribute: false }) query = new URLSearchParams();
  @state() private entries: AuditEntry[] = [];
  @state() private cursor: string | null = null;
  @state() private head: { number: number; hash: string } | null = null;
  @state() private error: unknown = null;
  @state() private chosen: number | null = null;
  @state() private loaded = false;
  @state() private filters: Filters = { actor: "", kind: "", subject: "" };
  private index = 0;
  private soon: ReturnType<typeof setTimeout> | null = null;
  private off: (() => void) | null = null;
  protected live = new Live(this, ["session"]);

  connectedCallback(): void {
    super.connectedCallback();
    this.filters = this.asked();
    // Whatever is entered came by the log.
    this.off = store.on(["figures", "components", "alerts", "tokens"], () => {
      if (store.link.index !== this.index) this.later();
    });
    void this.load();
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.off?.();
    if (this.soon !== null) clearTimeout(this.soon);
  }

  protected willUpdate(changed: PropertyValues): void {
    if (changed.has("query") && JSON.stringify(this.asked()) !== JSON.stringify(this.filters)) this.show(this.asked());
    if (this.chosen !== null && !this.entries.some((entry) => entry.number === this.chosen)) this.chosen = null;
  }

  /** What the address asks for. */
  private asked(): Filters {
    const { query } = this;
    return { actor: query.get("actor") ?? "", kind: query.get("kind") ?? "", subject: query.get("subject") ?? "" };
  }

  private show(filters: Filters): void {
    this.filters = filters;
    this.entries = [];
    this.cursor = null;
    this.loaded = false;
    void this.load();
  }

  /** New entries came: asked for once, however many. */
  private later(): void {
    this.soon ??= setTimeout(() => {
      this.soon = null;
      void this.load();
    }, SOON_MS);
  }

  /** The newest page, or with `older` the next one behind those that are here. */
  private async load(older = false): Promise<void> {
    this.index = store.link.index;
    try {
      const asked = { ...this.filters };
      const page = await get<{ entries: AuditEntry[]; cursor: string | null }>("/v1/audit", { ...asked, limit: PAGE, cursor: older ? this.cursor : null });
      if (JSON.stringify(asked) !== JSON.stringify(this.filters)) return;
      const known = new Map(this.entries.map((entry) => [entry.number, entry]));
      if (older || known.size <= PAGE) {
        this.cursor = page.cursor;
      }
      page.entries.forEach((entry) => known.set(entry.number, entry));
      this.entries = [...known.values()].sort((a, b) => b.number - a.number).slice(0, KEPT_MAX);
      this.head = await get<{ number: number; hash: string }>("/v1/audit/head");
      this.error = null;
    } catch (error) {
      this.error = error;
    }
    this.loaded = true;
  }

  private filter(event: Event): void {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    this.show({ actor: String(form.get("actor") ?? "").trim(), kind: String(form.get("kind") ?? "").trim(), subject: String(form.get("subject") ?? "") });
    keepQuery({ ...this.filters });
  }

  render() {
    return html`<div class="stack">
      <div class="row between"><h1>Audit</h1>${this.chain()}</div>
      <form @submit=${this.filter} aria-label="Filter">
        <div class="field"><label for="actor">Who</label><input id="actor" name="actor" .value=${this.filters.actor} maxlength="100" /></div>
        <div class="field"><label for="kind">Kind of change</label><input id="kind" name="kind" placeholder="component.register" .value=${this.filters.kind} maxlength="100" /></div>
        <div class="field"><label for="subject">Subject</label><select id="subject" name="subject">
          <option value="" .selected=${this.filters.subject === ""}>All</option>
          ${["cluster", "components", "groups", "policies", "playbooks", "executions", "processors", "variables", "alerts", "silences", "alert_rules", "tokens"].map((name) => html`<option .selected=${name === this.filters.subject}>${name}</option>`)}
        </select></div>
        <button type="submit">Show</button>
      </form>
      <tri-error .error=${this.error} .retry=${() => void this.load()}></tri-error>
      <section class="card flush">
        ${!this.loaded ? html`<tri-loading what="entries"></tri-loading>` : this.table()}
        ${this.cursor ? html`<div class="more"><button @click=${() => void this.load(true)}>Older entries</button></div>` : nothing}
      </section>
      ${this.detail()}
    </div>`;
  }

  private chain() {
    if (!this.head) return nothing;
    const unfiltered = !this.filters.actor && !this.filters.kind && !this.filters.subject;
    const broken = unfiltered ? brokenAt(this.entries) : null;
    return html`<div class="row small">
      <tri-badge state=${broken === null ? "INTACT" : "FAILED"} label=${broken === null ? "links hold" : `broken at ${broken}`}></tri-badge>
      <span class="muted num" title=${this.head.hash}>${count(this.head.number)} entries, newest <span class="mono">${this.head.hash.slice(0, 12)}</span></span>
    </div>`;
  }

  private table() {
    const columns: Column<AuditEntry>[] = [
      { key: "number", label: "No.", width: "76px", numeric: true, value: (row) => row.number, cell: (row) => html`<button class="plain" aria-expanded=${this.chosen === row.number} aria-label="Entry ${row.number}" @click=${() => (this.chosen = this.chosen === row.number ? null : row.number)}>${row.number}</button>` },
      { key: "time", label: "Time", width: "170px", value: (row) => row.time, cell: (row) => html`${moment(row.time)}` },
      { key: "actor", label: "Who", width: "170px", value: (row) => who(row) },
      { key: "kind", label: "Change", value: (row) => row.kind },
      { key: "subject", label: "Of", value: (row) => `${row.subject} ${row.id}`, extra: true },
      { key: "outcome", label: "Outcome", width: "130px", value: (row) => row.outcome, cell: (row) => html`<tri-badge state=${row.outcome} tone=${row.outcome === "done" ? "ok" : "warn"}></tri-badge>` },
      { key: "from", label: "From", width: "130px", extra: true, value: (row) => row.actor?.address ?? null },
    ];
    return html`<tri-table searchable label="Audit entries" sort="-number" empty="No entry fits" .columns=${columns} .rows=${this.entries} .rowKey=${(row: AuditEntry) => String(row.number)}></tri-table>`;
  }

  private detail() {
    const entry = this.entries.find((each) => each.number === this.chosen);
    if (!entry) return nothing;
    return html`<section class="card" aria-labelledby="h-entry">
      <header><h2 id="h-entry">Entry ${entry.number}</h2><button class="plain" @click=${() => (this.chosen = null)}>Close</button></header>
      <div class="stack">
        <dl class="facts">
          <dt>Who</dt><dd>${who(entry)} ${entry.actor?.id ? html`<span class="muted">${entry.actor.kind} ${entry.actor.id}, ${entry.actor.role ?? ""}</span>` : nothing}</dd>
          <dt>From</dt><dd>${entry.actor?.address || "–"}${entry.actor?.node ? ` by way of ${entry.actor.node}` : ""}</dd>
          <dt>Epoch, index</dt><dd>${entry.epoch ?? "–"}, ${entry.index}</dd>
          <dt>Hash</dt><dd class="mono">${entry.hash}</dd>
          <dt>Previous</dt><dd class="mono">${entry.previous}</dd>
        </dl>
        <div class="grid">
          <div><h3>Before</h3><pre tabindex="0" aria-label="Before">${shown(entry.before)}</pre></div>
          <div><h3>After</h3><pre tabindex="0" aria-label="After">${shown(entry.after)}</pre></div>
        </div>
      </div>
    </section>`;
  }
}

function who(row: AuditEntry): string {
  return row.actor?.name || row.actor?.id || "the cluster itself";
}

function shown(value: unknown): string {
  return value === null || value === undefined ? "–" : JSON.stringify(value, null, 2);
}

/** The first entry, of those that follow one another, whose link does not fit; null when all do. */
function brokenAt(entries: readonly AuditEntry[]): number | null {
  for (let at = 0; at + 1 < entries.length; at += 1) {
    const entry = entries[at]!;
    const before = entries[at + 1]!;
    if (entry.number === before.number + 1 && entry.previous !== before.hash) return entry.number;
  }
  return null;
}
