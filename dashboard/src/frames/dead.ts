/** Dead frames: why each was given up; sent on their way again, or their bytes deleted for good. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { ask } from "../elements/dialog";
import type { Column } from "../elements/table";
import { toast } from "../elements/toast";
import { plural } from "../format";
import { get, post } from "../net/api";
import { Polled } from "../polled";
import { href } from "../router";
import { shared } from "../style/shared";
import type { DeadFrame } from "./shown";

const PAGE = 200;
const EVERY_MS = 3000;
const DEBOUNCE_MS = 300;

interface Page {
  frames: DeadFrame[];
  cursor: string | null;
}

interface Handled {
  done: number;
  not_found: number;
  refused: number;
  cursor: string | null;
}

@customElement("tri-dead")
export class Dead extends LitElement {
  static styles = [
    shared,
    css`
      :host {
        display: block;
      }
      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: end;
        gap: var(--space-3);
        padding: var(--space-3) var(--space-4);
        border-bottom: 1px solid var(--line);
      }
      .bar .room {
        flex: 1;
      }
      .bar input {
        width: 180px;
      }
    `,
  ];
  @property() camera = "";
  @state() private reason = "";
  @state() private chosen: ReadonlySet<string> = new Set();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly polled: Polled<Page> = new Polled(
    this,
    (signal) => get<Page>("/v1/frames/dead", { limit: PAGE, camera: this.camera, reason: this.reason }, { signal }),
    EVERY_MS,
    (page) => {
      const there = new Set(page.frames.map((frame) => frame.entry_id));
      this.chosen = new Set([...this.chosen].filter((id) => there.has(id)));
    },
  );

  disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
  }

  private filter(name: "camera" | "reason", value: string): void {
    this[name] = value.trim();
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.polled.restart(), DEBOUNCE_MS);
  }

  private choose(id: string, on: boolean): void {
    const chosen = new Set(this.chosen);
    if (on) chosen.add(id);
    else chosen.delete(id);
    this.chosen = chosen;
  }

  private async handle(verb: "replay" | "drop", which: Record<string, unknown>): Promise<void> {
    let [done, other] = [0, 0];
    let cursor: string | null = "";
    // With `all`, page by page: each answer says where to go on.
    while (cursor !== null) {
      const answer: Handled = await post<Handled>(`/v1/frames/dead/${verb}`, cursor ? { ...which, cursor } : which);
      done += answer.done;
      other += answer.not_found + answer.refused;
      cursor = which.all ? answer.cursor : null;
    }
    toast(`${plural(done, "frame")} ${verb === "replay" ? "on the way again" : "dropped for good"}${other ? `, ${other} left as they were` : ""}`, other > 0);
    this.chosen = new Set();
    this.polled.refresh();
  }

  private confirm(verb: "replay" | "drop"): Promise<unknown> {
    const ids = [...this.chosen];
    const filtered = [this.camera && `of camera ${this.camera}`, this.reason && `whose reason holds “${this.reason}”`].filter(Boolean).join(", ");
    const whom = ids.length ? plural(ids.length, "chosen frame") : filtered ? `all dead frames ${filtered}` : "all dead frames";
    return ask({
      heading: `${verb === "replay" ? "Replay" : "Drop"} ${whom}?`,
      text: verb === "replay" ? "They go their way again as if they had never failed." : "Their bytes are deleted for good. The ledger keeps that they died.",
      action: verb === "replay" ? "Replay" : "Drop",
      danger: verb === "drop",
      run: () => this.handle(verb, ids.length ? { ids } : { all: true, camera: this.camera, reason: this.reason }),
    });
  }

  private columns(): Column<DeadFrame>[] {
    return [
      {
        key: "chosen",
        label: "",
        value: (row) => (this.chosen.has(row.entry_id) ? 1 : 0),
        cell: (row) => html`<input type="checkbox" aria-label="Choose ${row.frame_id}" .checked=${this.chosen.has(row.entry_id)} @change=${(event: Event) => this.choose(row.entry_id, (event.target as HTMLInputElement).checked)} />`,
        width: "48px",
        sortable: false,
      },
      { key: "frame", label: "Frame", value: (row) => `${row.camera_id}:${row.sequence}`, cell: (row) => html`<a href=${href("frames", "frame", `${row.camera_id}:${row.sequence}`)}>${row.frame_id}</a>`, width: "24%" },
      { key: "reason", label: "Reason", value: (row) => row.reason, cell: (row) => html`<span title=${row.reason}>${row.reason}</span>` },
      { key: "attempts", label: "Attempts", value: (row) => row.attempts, numeric: true, width: "88px", extra: true },
      { key: "processor", label: "Processor", value: (row) => row.processor_id || null, width: "130px", extra: true },
      { key: "died", label: "Died", value: (row) => row.died_ms, cell: (row) => html`<tri-time .value=${row.died_ms / 1000}></tri-time>`, width: "110px" },
    ];
  }

  render() {
    const page = this.polled.value;
    const some = this.chosen.size > 0;
    const none = !page || page.frames.length === 0 ? "There is none." : "";
    return html`<section class="card flush">
      <div class="bar">
        <div class="field"><label for="camera">Camera</label><input id="camera" type="search" maxlength="64" .value=${this.camera} @input=${(event: InputEvent) => this.filter("camera", (event.target as HTMLInputElement).value)} /></div>
        <div class="field"><label for="reason">Reason holds</label><input id="reason" type="search" maxlength="500" .value=${this.reason} @input=${(event: InputEvent) => this.filter("reason", (event.target as HTMLInputElement).value)} /></div>
        <span class="room"></span>
        <tri-action method="POST" path="/v1/frames/dead/replay" kind="primary" .hinder=${none} .run=${() => this.confirm("replay")}>${some ? `Replay ${this.chosen.size} …` : "Replay all …"}</tri-action>
        <tri-action method="POST" path="/v1/frames/dead/drop" kind="danger" .hinder=${none} .run=${() => this.confirm("drop")}>${some ? `Drop ${this.chosen.size} …` : "Drop all …"}</tri-action>
      </div>
      ${this.polled.error ? html`<tri-error .error=${this.polled.error} .retry=${() => this.polled.refresh()}></tri-error>` : nothing}
      ${page
        ? html`<tri-table label="Dead frames" .columns=${this.columns()} .rows=${page.frames} .rowKey=${(row: DeadFrame) => row.entry_id} empty="No dead frames"></tri-table>
            ${page.cursor ? html`<p class="muted small">The oldest ${page.frames.length} are shown; there are more.</p>` : nothing}`
        : this.polled.error
          ? nothing
          : html`<tri-loading what="dead frames"></tri-loading>`}
    </section>`;
  }
}
