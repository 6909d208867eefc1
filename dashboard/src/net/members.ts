/** The origins of the members' APIs: the one that served the page, and those that the cluster names. */

class Members {
  private known: string[] = [location.origin];
  private at = 0;
  private readonly left = new Map<string, AbortController>();

  /** The origin that is asked now. */
  get current(): string {
    return this.known[this.at] ?? location.origin;
  }

  get all(): readonly string[] {
    return this.known;
  }

  /** Takes over the members' addresses. The present one stays, as it answers. */
  learn(addresses: readonly string[]): void {
    const current = this.current;
    const found = addresses.map(originOf).filter((origin): origin is string => origin !== null);
    this.known = [...new Set([current, ...found, location.origin])];
    this.at = 0;
  }

  /** `failed` does not answer: go over to the next, unless someone has done so already. Nobody waits for it any more. */
  leave(failed: string): void {
    if (this.current === failed) this.at = (this.at + 1) % this.known.length;
    this.left.get(failed)?.abort();
    this.left.delete(failed);
  }

  /** Fires when `origin` is left. */
  leaving(origin: string): AbortSignal {
    let found = this.left.get(origin);
    if (!found) this.left.set(origin, (found = new AbortController()));
    return found.signal;
  }
}

function originOf(address: string): string | null {
  try {
    const origin = new URL(address).origin;
    // A page that came by https may not ask by http; the browser would refuse it.
    return location.protocol === "https:" && origin.startsWith("http:") ? null : origin;
  } catch {
    return null;
  }
}

export const members = new Members();
