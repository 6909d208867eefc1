/** A playbook: its source, marked as it is typed; stored over the version that it came from; planned, run, deleted. */
import { LitElement, css, html, nothing, type PropertyValues } from "lit";
import { customElement, property, state } from "lit/decorators.js";
import { ask } from "../elements/dialog";
import { toast } from "../elements/toast";
import { plural } from "../format";
import { post, remove } from "../net/api";
import { Problem } from "../net/problem";
import { go, href } from "../router";
import { session } from "../session";
import { Live, store as plant } from "../store";
import { shared } from "../style/shared";
import { forget, judge, keep, keptOf, store, stored, template, type Judged, type Stored } from "./draft";
import { inputFields, inputValues } from "./inputs";
import "./plan";
import type { Plan } from "./plan";
import "./source";

const DEBOUNCE_MS = 250;

@customElement("tri-playbook")
export class Editor extends LitElement {
  static styles = [
    shared,
    css`
      .bar {
        display: flex;
        flex-wrap: wrap;
        align-items: center;
        gap: var(--space-2);
        padding: var(--space-2) var(--space-4);
      }
      .bar .room {
        flex: 1;
      }
      .notice {
        display: flex;
        flex-wrap: wrap;
        gap: var(--space-2) var(--space-4);
        align-items: center;
        padding: var(--space-2) var(--space-4);
        border: 1px solid var(--warn);
        border-radius: var(--radius);
        background: var(--warn-soft);
        color: var(--warn);
        font-size: var(--text-s);
      }
      select {
        max-width: 260px;
      }
    `,
  ];
  @property() name = "";
  @state() private book: Stored | null = null;
  @state() private text = "";
  /** The version that the text was made from; null for one that is new. */
  @state() private over: number | null = null;
  @state() private judged: Judged | null = null;
  @state() private judging = false;
  @state() private loading = true;
  @state() private error: unknown = null;
  @state() private plan: Plan | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking: AbortController | null = null;
  protected live = new Live(this, ["playbooks", "session"]);

  willUpdate(changed: PropertyValues): void {
    if (changed.has("name")) void this.load(null);
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    clearTimeout(this.timer);
    this.asking?.abort();
  }

  private get path(): string {
    return `/v1/playbooks/${encodeURIComponent(this.name)}`;
  }

  private get dirty(): boolean {
    return this.book === null || this.text !== this.book.text;
  }

  private get newest(): number | null {
    return this.book?.versions.find((each) => each.current)?.version ?? this.book?.version ?? null;
  }

  /** `version` null: the newest, with what was written and not stored here before. */
  private async load(version: number | null, fresh = false): Promise<void> {
    const name = this.name;
    this.loading = true;
    this.error = this.plan = this.judged = null;
    try {
      // Of one that nobody has stored the node has nothing to tell.
      const book = version === null && !plant.rows("playbooks").has(name) ? null : await stored(name, version);
      if (name !== this.name) return;
      if (fresh) forget(name);
      const draft = version === null ? keptOf(name) : undefined;
      this.book = book;
      this.over = draft ? draft.over : book ? (book.versions.find((each) => each.current)?.version ?? book.version) : null;
      this.text = draft?.text ?? book?.text ?? template(name);
      this.judgeSoon(0);
    } catch (error) {
      this.error = error;
    } finally {
      this.loading = false;
    }
  }

  private typed(text: string): void {
    this.text = text;
    if (this.dirty) keep(this.name, text, this.over);
    else forget(this.name);
    this.judgeSoon(DEBOUNCE_MS);
  }

  private judgeSoon(ms: number): void {
    clearTimeout(this.timer);
    this.asking?.abort();
    if (!session.may("POST", "/v1/playbooks/validate")) return;
    this.judging = true;
    this.timer = setTimeout(() => void this.judge(), ms);
  }

  private async judge(): Promise<void> {
    const asking = (this.asking = new AbortController());
    try {
      const judged = await judge(this.name, this.text, asking.signal);
      if (!asking.signal.aborted) this.judged = judged;
    } catch (error) {
      if (asking.signal.aborted) return;
      this.judged = { valid: false, name: null, problems: [{ line: 1, column: 1, field: "", message: error instanceof Error ? error.message : String(error), hint: "" }], warnings: [], inputs: {} };
    }
    if (this.asking === asking) this.judging = false;
  }

  private async save(over = this.over): Promise<void> {
    const text = this.text;
    try {
      const done = await store(this.name, text, over, session.who?.name ?? "");
      forget(this.name);
      toast(done.changed ? `${this.name}: version ${done.version} is stored` : `${this.name}: nothing was changed, version ${done.version} has this text already`);
      await this.load(null);
    } catch (error) {
      if (!(error instanceof Problem) || error.code !== "precondition_failed") throw error;
      const now = Number(error.members.version ?? 0);
      const answer = await ask({
        heading: "Somebody else was faster",
        text: html`Your text was made from ${over === null ? "nothing" : `version ${over}`}; ${now ? `version ${now} is there now` : "it has been deleted meanwhile"}. Nothing was changed.`,
        action: now ? `Store mine over version ${now}` : "Store it as new",
        danger: true,
      });
      if (answer) await this.save(now || null);
      else this.over = over;
    }
  }

  private async inputsOf(): Promise<Judged> {
    // Of what is stored, not of what is being written: that is what runs.
    return this.dirty || !this.judged?.valid ? judge(this.name, this.book?.text ?? "") : this.judged;
  }

  private async planIt(): Promise<void> {
    const { inputs } = await this.inputsOf();
    const ask_ = async (values: Record<string, string>) => {
      this.plan = await post<Plan>(`${this.path}/plan`, { inputs: inputValues(inputs, values) });
    };
    const fields = inputFields(inputs);
    if (!fields) return ask_({});
    await ask({ heading: `Plan ${this.name}`, text: "What a run would do on the plant as it is now. Nothing moves.", action: "Show the plan", fields, run: ask_ });
  }

  private async runIt(): Promise<void> {
    const { inputs } = await this.inputsOf();
    let id = "";
    const done = await ask({
      heading: `Run ${this.name}`,
      text: html`Version ${this.newest} runs on the plant.${this.dirty ? html` <strong>Your changes are not stored, and do not run.</strong>` : nothing}`,
      action: "Run",
      fields: inputFields(inputs),
      run: async (values) => {
        id = (await post<{ id: string }>(`${this.path}/runs`, { inputs: inputValues(inputs, values), who: session.who?.name ?? "" })).id;
      },
    });
    if (done) go("executions", id);
  }

  private async deleteIt(): Promise<void> {
    const done = await ask({
      heading: `Delete ${this.name}?`,
      text: "Executions that run go on under the version that they have. It can be put again.",
      action: "Delete",
      danger: true,
      run: () => remove(this.path, this.newest === null ? {} : { headers: { "If-Match": `"${this.newest}"` } }),
    });
    if (!done) return;
    forget(this.name);
    toast(`${this.name} is deleted`);
    go("playbooks");
  }

  render() {
    if (this.error) return html`<tri-error .error=${this.error} .retry=${() => this.load(null)}></tri-error>`;
    if (this.loading && !this.text) return html`<tri-loading what=${this.name}></tri-loading>`;
    const there = plant.rows("playbooks").get(this.name)?.version as number | undefined;
    const old = this.book !== null && this.book.version !== this.newest;
    const newer = there !== undefined && !this.loading && there > (this.newest ?? 0);
    return html`<div class="stack">
      <div class="row between">
        <div class="row">
          <h1>${this.name}</h1>
          ${this.book ? html`<tri-badge tone="idle" state="version ${this.book.version}"></tri-badge>` : html`<tri-badge tone="info" state="new"></tri-badge>`}
          ${this.dirty ? html`<tri-badge tone="warn" state="not stored"></tri-badge>` : nothing}
        </div>
        <div class="row">
          <a class="button" href=${`${href("executions")}?playbook=${encodeURIComponent(this.name)}`}>Executions</a>
          <tri-action kind="danger" method="DELETE" path="/v1/playbooks/{name}" .hinder=${this.book ? "" : "It is not stored yet."} .run=${() => this.deleteIt()}>Delete</tri-action>
          <tri-action method="POST" path="/v1/playbooks/{name}/plan" .hinder=${this.book ? "" : "Store it first."} .run=${() => this.planIt()}>Plan</tri-action>
          <tri-action kind="primary" method="POST" path="/v1/playbooks/{name}/runs" .hinder=${this.book ? "" : "Store it first."} .run=${() => this.runIt()}>Run …</tri-action>
        </div>
      </div>
      ${this.book?.description && !this.dirty ? html`<p class="muted">${this.book.description}</p>` : nothing}
      ${newer
        ? html`<div class="notice" role="status">
            <span>Version ${there} was stored meanwhile; this text was made from ${this.over === null ? "nothing" : `version ${this.over}`}.</span>
            <button @click=${() => this.load(null, true)}>Show version ${there}${this.dirty ? ", drop mine" : ""}</button>
          </div>`
        : nothing}
      ${old
        ? html`<div class="notice" role="status">
            <span>This is version ${this.book?.version}, not the newest. Stored, its text becomes a new version.</span>
            <button @click=${() => this.load(null)}>Show the newest</button>
          </div>`
        : nothing}
      <section class="card flush" aria-label="Source">
        <div class="bar">
          ${this.book && this.book.versions.length > 1
            ? html`<label for="version">Version</label>
                <select id="version" @change=${(event: Event) => this.load(Number((event.target as HTMLSelectElement).value))}>
                  ${this.book.versions.map((each) => html`<option value=${each.version} .selected=${each.version === this.book?.version}>${each.version}${each.current ? ", newest" : ""}${each.who ? `, ${each.who}` : ""}</option>`)}
                </select>`
            : nothing}
          <span class="room"></span>
          <span role="status" data-judged=${this.judging ? "no" : "yes"}>${this.verdict()}</span>
          ${this.dirty && this.book ? html`<button class="plain" @click=${() => this.load(null, true)}>Drop my changes</button>` : nothing}
          <tri-action kind="primary" method="PUT" path="/v1/playbooks/{name}" .hinder=${this.hinder()} .run=${() => this.save()}>Store</tri-action>
        </div>
        <tri-source
          label="Source of ${this.name}"
          .value=${this.text}
          ?readonly=${!session.may("PUT", "/v1/playbooks/{name}")}
          .problems=${this.judged?.problems ?? []}
          .warnings=${this.judged?.warnings ?? []}
          @typed=${(event: CustomEvent<string>) => this.typed(event.detail)}
        ></tri-source>
      </section>
      ${this.plan
        ? html`<section class="card flush" aria-label="Plan">
            <header>
              <h2>Plan of version ${this.plan.version}</h2>
              <span class="muted small">As the plant was when it was asked for. ${Object.keys(this.plan.inputs).length ? html`Inputs <code>${JSON.stringify(this.plan.inputs)}</code>` : nothing}</span>
              <button class="plain" @click=${() => (this.plan = null)}>Close</button>
            </header>
            <tri-plan .plan=${this.plan}></tri-plan>
          </section>`
        : nothing}
    </div>`;
  }

  private hinder(): string {
    if (!this.dirty) return "There is nothing to store.";
    return this.judged && !this.judged.valid && !this.judging ? "The text has errors." : "";
  }

  private verdict() {
    if (!this.judged) return nothing;
    if (this.judging) return html`<span class="muted small">Checking …</span>`;
    const { problems, warnings } = this.judged;
    if (problems.length) return html`<tri-badge state="ERROR" label=${plural(problems.length, "error")}></tri-badge>`;
    if (warnings.length) return html`<tri-badge state="WARNING" label=${`valid, ${plural(warnings.length, "doubt")}`}></tri-badge>`;
    return html`<tri-badge state="OK" label="valid"></tri-badge>`;
  }
}
