import { LitElement, css, html, nothing } from "lit";
import { customElement, state } from "lit/decorators.js";
import { sayError } from "../net/problem";
import { session } from "../session";
import { Live } from "../store";
import { shared } from "../style/shared";

@customElement("tri-sign-in")
export class SignIn extends LitElement {
  static styles = [
    shared,
    css`
      form {
        display: grid;
        gap: var(--space-4);
        width: min(440px, 100%);
        margin: 10vh auto 0;
      }
      input {
        width: 100%;
        font-family: var(--mono);
      }
      .refused {
        color: var(--bad);
        font-size: var(--text-s);
      }
    `,
  ];
  @state() private busy = false;
  @state() private refused = "";
  protected live = new Live(this, ["session"]);

  private async submit(event: Event): Promise<void> {
    event.preventDefault();
    const token = String(new FormData(event.target as HTMLFormElement).get("token") ?? "").trim();
    if (!token || this.busy) return;
    if (!/^[\x21-\x7e]+$/.test(token)) {
      this.refused = "A token has visible ASCII characters only: something else was pasted.";
      return;
    }
    this.busy = true;
    this.refused = "";
    try {
      await session.signIn(token);
    } catch (error) {
      this.refused = sayError(error);
    } finally {
      this.busy = false;
    }
  }

  render() {
    if (session.state === "asking") return html`<tri-loading></tri-loading>`;
    if (session.state === "unreachable") return html`<tri-empty heading="No node answers">${session.refusal}. Asking again …</tri-empty>`;
    const why = this.refused || session.refusal;
    return html`<form class="card" @submit=${this.submit} aria-labelledby="heading">
      <h1 id="heading">Sign in</h1>
      <div class="field">
        <label for="token">Token</label>
        <input id="token" name="token" type="password" autocomplete="off" spellcheck="false" required aria-describedby="hint" />
        <span class="hint" id="hint">Of this cluster, or of your identity provider. It is kept until this tab is closed. <code>triarch token create</code> makes one.</span>
      </div>
      ${why ? html`<p class="refused" role="alert">${why}</p>` : nothing}
      <div class="row"><button class="primary" ?disabled=${this.busy}>${this.busy ? "Asking …" : "Sign in"}</button></div>
    </form>`;
  }
}
