/** Where frames wait: capture, the lane of each capability, the queue of each processor. */
import { LitElement, css, html } from "lit";
import { customElement } from "lit/decorators.js";
import type { Column } from "../elements/table";
import { count, duration } from "../format";
import { get } from "../net/api";
import { Polled } from "../polled";
import { Live, store } from "../store";
import { shared } from "../style/shared";
import type { Lag } from "./shown";

const EVERY_MS = 1000;

interface Processor {
  healthy?: boolean;
  draining?: boolean;
  reason?: string;
  capacity?: number;
  capabilities?: string[];
}

interface Row extends Lag {
  kind: string;
  name: string;
  processor: Processor | null;
}

const WORDS: Record<string, string> = { capture: "Capture", lane: "Lane", ready: "Queue" };

@customElement("tri-places")
export class Places extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      meter {
        width: 100%;
        height: 12px;
      }
    `,
  ];
  private readonly polled = new Polled(this, (signal) => get<Lag[]>("/v1/frames/lag", undefined, { signal }), EVERY_MS);
  protected live = new Live(this, ["processors"]);

  private rows(): Row[] {
    const processors = store.rows("processors") as ReadonlyMap<string, Processor>;
    return (this.polled.value ?? []).map((lag) => {
      const place = lag.place.split("/").pop() ?? "";
      const [kind = "", ...rest] = place.split(":");
      const name = rest.join(":");
      return { ...lag, kind, name, processor: kind === "ready" ? (processors.get(name) ?? null) : null };
    });
  }

  private columns(longest: number): Column<Row>[] {
    const order: Record<string, number> = { capture: 0, lane: 1, ready: 2 };
    return [
      { key: "kind", label: "Place", value: (row) => order[row.kind] ?? 3, cell: (row) => html`${WORDS[row.kind] ?? row.kind}`, width: "92px" },
      { key: "name", label: "Of", value: (row) => row.name || "all cameras", cell: (row) => html`<code>${row.name || "all cameras"}</code>` },
      { key: "health", label: "State", value: (row) => state(row), cell: (row) => (row.processor || row.kind === "ready" ? html`<tri-badge state=${state(row)} title=${row.processor?.reason ?? ""}></tri-badge>` : "–"), width: "128px", extra: true },
      { key: "length", label: "Frames", value: (row) => row.length, cell: (row) => count(row.length), numeric: true, width: "84px" },
      { key: "bar", label: "Filled", value: (row) => row.length, cell: (row) => html`<meter min="0" max=${row.processor?.capacity ?? longest} value=${row.length} aria-label="${row.length} of ${row.processor?.capacity ?? longest}"></meter>`, width: "16%", extra: true, sortable: false },
      { key: "pending", label: "In hand", value: (row) => row.pending, cell: (row) => count(row.pending), numeric: true, width: "84px", extra: true },
      { key: "oldest", label: "Oldest", value: (row) => row.oldest_s, cell: (row) => duration(row.oldest_s), numeric: true, width: "92px" },
    ];
  }

  render() {
    if (!this.polled.value) return this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : html`<tri-loading what="queues"></tri-loading>`;
    const rows = this.rows();
    const longest = Math.max(1, ...rows.map((row) => row.length));
    return html`${this.polled.error ? html`<tri-error .error=${this.polled.error}></tri-error>` : ""}
      <section class="card flush">
        <tri-table label="Queues and lanes" searchable sort="kind" .columns=${this.columns(longest)} .rows=${rows} .rowKey=${(row: Row) => row.place} empty="No place holds frames"></tri-table>
      </section>`;
  }
}

function state(row: Row): string {
  if (row.kind !== "ready") return "";
  if (!row.processor) return "GONE";
  if (row.processor.draining) return "DRAINING";
  return row.processor.healthy ? "HEALTHY" : "UNHEALTHY";
}
