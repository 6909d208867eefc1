/** Where frames wait: capture, the lane of each capability, the queue of each processor. */
import { LitElement, css, html, nothing } from "lit";
import { customElement } from "lit/decorators.js";
import type { Column } from "../elements/table";
import { ask } from "../elements/dialog";
import { toast } from "../elements/toast";
import { count, duration } from "../format";
import { get, remove } from "../net/api";
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
    const found = (this.polled.value ?? []).map((lag) => {
      const place = lag.place.split("/").pop() ?? "";
      const [kind = "", ...rest] = place.split(":");
      const name = rest.join(":");
      return { ...lag, kind, name, processor: kind === "ready" ? (processors.get(name) ?? null) : null };
    });
    // One that never got a frame has no queue yet, and is registered all the same.
    const queues = new Set(found.filter((row) => row.kind === "ready").map((row) => row.name));
    for (const [name, processor] of processors) {
      if (!queues.has(name)) found.push({ place: `ready:${name}`, length: 0, oldest_s: null, pending: 0, levels: {}, kind: "ready", name, processor });
    }
    return found;
  }

  private async forget(row: Row): Promise<void> {
    const done = await ask({
      heading: `Remove ${row.name}?`,
      text: "The plant forgets the processor; the frames in its queue go to others. One that comes back registers again.",
      action: "Remove",
      danger: true,
      run: () => remove(`/v1/processors/${encodeURIComponent(row.name)}`),
    });
    if (!done) return;
    toast(`${row.name}: removed`);
    this.polled.refresh();
  }

  private columns(longest: number, removable: boolean): Column<Row>[] {
    const order: Record<string, number> = { capture: 0, lane: 1, ready: 2 };
    return [
      { key: "kind", label: "Place", value: (row) => order[row.kind] ?? 3, cell: (row) => html`${WORDS[row.kind] ?? row.kind}`, width: "92px" },
      { key: "name", label: "Of", value: (row) => row.name || "all cameras", cell: (row) => html`<code>${row.name || "all cameras"}</code>` },
      { key: "health", label: "State", value: (row) => state(row), cell: (row) => (row.processor || row.kind === "ready" ? html`<tri-badge state=${state(row)} title=${row.processor?.reason ?? ""}></tri-badge>` : "–"), width: "128px", extra: true },
      { key: "length", label: "Frames", value: (row) => row.length, cell: (row) => count(row.length), numeric: true, width: "84px" },
      { key: "bar", label: "Filled", value: (row) => row.length, cell: (row) => html`<meter min="0" max=${row.processor?.capacity ?? longest} value=${row.length} aria-label="${row.length} of ${row.processor?.capacity ?? longest}"></meter>`, width: "16%", extra: true, sortable: false },
      { key: "pending", label: "In hand", value: (row) => row.pending, cell: (row) => count(row.pending), numeric: true, width: "84px", extra: true },
      { key: "oldest", label: "Oldest", value: (row) => row.oldest_s, cell: (row) => duration(row.oldest_s), numeric: true, width: "92px", extra: removable },
      ...(removable ? [this.removal()] : []),
    ];
  }

  private removal(): Column<Row> {
    return { key: "act", label: "", width: "96px", sortable: false, value: () => null, cell: (row) => (lost(row) ? html`<tri-action compact kind="danger" method="DELETE" path="/v1/processors/{processor_id}" label="Remove ${row.name}" .run=${() => this.forget(row)}>Remove</tri-action>` : nothing) };
  }

  render() {
    if (!this.polled.value) return this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : html`<tri-loading what="queues"></tri-loading>`;
    const rows = this.rows();
    const longest = Math.max(1, ...rows.map((row) => row.length));
    return html`${this.polled.error ? html`<tri-error .error=${this.polled.error}></tri-error>` : ""}
      <section class="card flush">
        <tri-table label="Queues and lanes" searchable sort="kind" .columns=${this.columns(longest, rows.some(lost))} .rows=${rows} .rowKey=${(row: Row) => row.place} empty="No place holds frames"></tri-table>
      </section>`;
  }
}

/** Registered, and silent for too long. */
function lost(row: Row): boolean {
  return row.processor !== null && !row.processor.healthy;
}

function state(row: Row): string {
  if (row.kind !== "ready") return "";
  if (!row.processor) return "GONE";
  if (row.processor.draining) return "DRAINING";
  return row.processor.healthy ? "HEALTHY" : "UNHEALTHY";
}
