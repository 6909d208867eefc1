/** Who is signed in, and what they may do. */
import { get, onUnauthorised } from "./net/api";
import { feed } from "./net/feed";
import { members } from "./net/members";
import { Problem, sayError } from "./net/problem";
import { keepToken, token } from "./net/token";
import { store } from "./store";

export interface Who {
  kind: string;
  id: string;
  name: string;
  role: string;
  subject: string | null;
  expires: number | null;
}

interface Right {
  method: string;
  path: string;
  roles: string[];
}


class Session {
  who: Who | null = null;
  /** Why nobody is signed in. */
  refusal = "";
  state: "asking" | "signed-out" | "signed-in" | "unreachable" = "asking";
  private rights = new Map<string, readonly string[]>();
  /** The node that told them. */
  private rightsOf = "";

  /** Begins with the token that the tab has kept, or with none. */
  async begin(): Promise<void> {
    onUnauthorised((problem) => this.end(problem.message));
    await this.enter(token(), token() !== null);
  }

  /** Signs in. Throws what the node refuses. */
  async signIn(text: string): Promise<void> {
    await this.enter(text.trim(), true, true);
  }

  end(why = ""): void {
    if (this.state === "signed-out") return;
    feed.stop();
    keepToken(null);
    this.who = null;
    this.state = "signed-out";
    this.refusal = why;
    store.forget();
    store.relink({ state: "signed-out" });
    store.touch("session");
  }

  /**
   * "" when this role may do it, else the reason why not. `path` as the API documents it: `/v1/alerts/{alert_id}`.
   * What stands in no row is for nobody, as the nodes have it: one of an older release may serve this page.
   */
  denied(method: string, path: string): string {
    const roles = this.rights.get(name(method, path));
    if (!this.who) return "";
    if (!roles) return "The node that told your rights does not know this.";
    if (roles.includes(this.who.role)) return "";
    return `Your role is ${this.who.role}; this needs ${roles.filter((role) => role !== "component" && role !== "processor").join(" or ")}.`;
  }

  /** Whether this role may read it at all. */
  may(method: string, path: string): boolean {
    return this.denied(method, path) === "";
  }

  private async enter(text: string | null, kept: boolean, strict = false): Promise<void> {
    try {
      this.who = await get<Who>("/v1/whoami", { consistency: "stale" }, { token: text });
    } catch (error) {
      if (strict) throw error;
      const refused = error instanceof Problem && error.status === 401;
      this.state = refused ? "signed-out" : "unreachable";
      this.refusal = refused ? (kept ? sayError(error) : "") : sayError(error);
      if (refused) keepToken(null);
      store.relink({ state: refused ? "signed-out" : "connecting" });
      store.touch("session");
      if (!refused) setTimeout(() => void this.enter(text, kept), 1000);
      return;
    }
    keepToken(text);
    await this.learn();
    this.state = "signed-in";
    this.refusal = "";
    store.touch("session");
    feed.start((problem) => this.end(problem.message), (origin) => void this.servedBy(origin));
  }

  private async learn(): Promise<void> {
    const origin = members.current;
    const rows = await get<Right[]>("/v1/rights", { consistency: "stale" });
    this.rights = new Map(rows.map((row) => [name(row.method, row.path), row.roles]));
    this.rightsOf = origin;
  }

  /** Another node may be of another release, and know of more or of less. */
  private async servedBy(origin: string): Promise<void> {
    if (origin === this.rightsOf) return;
    // One that does not answer is left, and the next one is asked.
    await this.learn().catch(() => undefined);
    store.touch("session");
  }
}

/** The names of parameters do not matter. */
function name(method: string, path: string): string {
  return `${method} ${path.replace(/\{[^}]*\}/g, "{}")}`;
}

export const session = new Session();
