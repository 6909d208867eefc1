/** Tokens: who may come in, as what, until when. The text of a token is shown once, when it is made. */
import { LitElement, css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import type { Column } from "../elements/table";
import { ask } from "../elements/dialog";
import { toast } from "../elements/toast";
import { Every } from "../every";
import { get, post, remove } from "../net/api";
import type { TokenRow } from "../rows";
import { session } from "../session";
import { Live, store } from "../store";
import { shared } from "../style/shared";

const TOKENS_MS = 4000;
const ROLES: readonly [string, string][] = [
  ["viewer", "viewer: looks"],
  ["operator", "operator: acts on the plant"],
  ["admin", "admin: changes who may do what, and the cluster"],
  ["component", "component: reports for itself"],
  ["processor", "processor: works for itself"],
];
const LENGTHS: readonly [string, string][] = [
  ["86400", "1 day"],
  ["2592000", "30 days"],
  ["7776000", "90 days"],
  ["31536000", "1 year"],
  ["", "without an end"],
];

@customElement("page-access")
export class Access extends LitElement {
  static styles = [
    shared,
    css`
      .secret {
        display: grid;
        gap: var(--space-3);
        padding: var(--space-4);
        border: 1px solid var(--warn);
        border-radius: var(--radius);
        background: var(--warn-soft);
      }
      .secret code {
        padding: var(--space-2) var(--space-3);
        border-radius: var(--radius-s);
        background: var(--surface);
        overflow-wrap: anywhere;
        user-select: all;
      }
    `,
  ];
  @state() private made: { name: string; token: string } | null = null;
  protected live = new Live(this, ["session"]);
  private readonly tokens = new Every<TokenRow[]>(this, TOKENS_MS, (signal) => get<TokenRow[]>("/v1/tokens", undefined, { signal }));
  private off: (() => void) | null = null;

  connectedCallback(): void {
    super.connectedCallback();
    this.off = store.on(["tokens"], () => void this.tokens.now());
  }

  disconnectedCallback(): void {
    super.disconnectedCallback();
    this.off?.();
  }

  render() {
    return html`<div class="stack">
      <div class="row between">
        <h1>Access</h1>
        <tri-action path="/v1/tokens" kind="primary" .run=${() => this.create()}>Create a token</tri-action>
      </div>
      ${this.made
        ? html`<section class="secret" role="alert" aria-labelledby="h-made">
            <h2 id="h-made">The token ${this.made.name}</h2>
            <p class="small">It is shown this one time: keep it now. The nodes have only its digest.</p>
            <code data-secret>${this.made.token}</code>
            <div class="row"><button @click=${() => void this.copy()}>Copy</button><button @click=${() => (this.made = null)}>I have kept it</button></div>
          </section>`
        : nothing}
      <tri-error .error=${this.tokens.error}></tri-error>
      <section class="card flush">${this.tokens.value ? this.table(this.tokens.value) : html`<tri-loading what="tokens"></tri-loading>`}</section>
      <p class="muted small">You are ${session.who?.name || session.who?.id} (${session.who?.kind}), role ${session.who?.role}.</p>
    </div>`;
  }

  private table(rows: readonly TokenRow[]) {
    const columns: Column<TokenRow>[] = [
      { key: "name", label: "Name", value: (row) => row.name },
      { key: "role", label: "Role", width: "120px", value: (row) => row.role, cell: (row) => html`<tri-badge state=${row.role} tone=${row.role === "admin" ? "warn" : "idle"}></tri-badge>` },
      { key: "subject", label: "For", extra: true, value: (row) => row.subject },
      { key: "id", label: "Id", width: "130px", extra: true, value: (row) => row.id, cell: (row) => html`<span class="mono">${row.id}</span>` },
      { key: "created", label: "Created", width: "170px", extra: true, value: (row) => row.created, cell: (row) => html`<tri-time absolute .value=${row.created}></tri-time>` },
      { key: "expires", label: "Expires", width: "180px", value: (row) => row.expires, cell: (row) => (row.revoked !== null ? html`<tri-badge state="REVOKED" label="revoked"></tri-badge>` : row.expires === null ? html`<span class="muted">never</span>` : html`<tri-time .value=${row.expires}></tri-time>`) },
      {
        key: "act",
        label: "",
        width: "170px",
        sortable: false,
        value: () => null,
        cell: (row) => row.revoked !== null ? nothing : html`<span class="row">
          <tri-action compact path="/v1/tokens/{token_id}/rotate" label="Rotate ${row.name}" .run=${() => this.rotate(row)}>Rotate</tri-action>
          <tri-action compact method="DELETE" path="/v1/tokens/{token_id}" kind="danger" label="Revoke ${row.name}" .run=${() => this.revoke(row)}>Revoke</tri-action>
        </span>`,
      },
    ];
    return html`<tri-table searchable label="Tokens" sort="name" empty="There is no token yet" .columns=${columns} .rows=${rows}></tri-table>`;
  }

  private async create(): Promise<void> {
    let made: { name: string; token: string } | null = null;
    await ask({
      heading: "Create a token",
      action: "Create",
      fields: html`<div class="field"><label for="name">Name</label><input id="name" name="name" required maxlength="100" autocomplete="off" placeholder="ada" /></div>
        <div class="field"><label for="role">Role</label><select id="role" name="role">${ROLES.map(([value, text]) => html`<option value=${value}>${text}</option>`)}</select></div>
        <div class="field"><label for="subject">Component or processor <span class="hint">for those two roles</span></label><input id="subject" name="subject" maxlength="64" autocomplete="off" /></div>
        <div class="field"><label for="expires">Expires in</label><select id="expires" name="expires">${LENGTHS.map(([value, text]) => html`<option value=${value} .selected=${value === "7776000"}>${text}</option>`)}</select></div>`,
      run: async (values) => {
        made = await post<{ name: string; token: string }>("/v1/tokens", {
          name: values.name,
          role: values.role,
          ...(values.subject ? { subject: values.subject } : {}),
          ...(values.expires ? { expires_in_s: Number(values.expires) } : {}),
        });
      },
    });
    if (made) this.made = made;
    void this.tokens.now();
  }

  private async rotate(row: TokenRow): Promise<void> {
    let made: { name: string; token: string } | null = null;
    await ask({
      heading: `Rotate ${row.name}?`,
      text: "A new text is made. The old one goes on for a while, so that whoever uses it can change over.",
      action: "Rotate",
      fields: html`<div class="field"><label for="grace">The old one goes on for</label><select id="grace" name="grace"><option value="0">not at all</option><option value="300" selected>5 minutes</option><option value="3600">1 hour</option><option value="86400">1 day</option></select></div>`,
      run: async (values) => {
        const body = await post<{ name?: string; token: string }>(`/v1/tokens/${row.id}/rotate`, { grace_s: Number(values.grace) });
        made = { name: row.name, token: body.token };
      },
    });
    if (made) this.made = made;
    void this.tokens.now();
  }

  private async revoke(row: TokenRow): Promise<void> {
    const own = row.id === session.who?.id;
    const done = await ask({
      heading: `Revoke ${row.name}?`,
      text: own ? html`<strong>It is the token that you are signed in with.</strong> Every node refuses it at once.` : "Every node refuses it at once, and for good.",
      action: "Revoke",
      danger: true,
      run: () => remove(`/v1/tokens/${row.id}`),
    });
    if (done) toast(`${row.name}: revoked`);
    void this.tokens.now();
  }

  private async copy(): Promise<void> {
    if (!this.made) return;
    try {
      await navigator.clipboard.writeText(this.made.token);
      toast("Copied");
    } catch {
      // Browsers allow it on HTTPS and on this computer only.
      toast("The browser does not allow copying here: mark the text and copy it yourself", true);
    }
  }
}
