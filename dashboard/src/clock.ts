/**
 * The nodes' time of day, for texts like "3 min ago": times of the plant are the nodes', and this computer's clock may differ.
 * The Date header of the node that served the page says by how much, to a second.
 */

class Clock {
  private offset = 0;
  private readonly listeners = new Set<() => void>();
  private timer: ReturnType<typeof setInterval> | null = null;

  /** Milliseconds since 1970, by the nodes' clock. */
  now(): number {
    return Date.now() + this.offset;
  }

  async set(): Promise<void> {
    const began = Date.now();
    const response = await fetch("/healthz", { cache: "no-store" }).catch(() => null);
    const said = Date.parse(response?.headers.get("Date") ?? "");
    const ended = Date.now();
    // Less than the header's own precision is no difference.
    const offset = said + 500 - (began + ended) / 2;
    if (!Number.isNaN(offset)) this.offset = Math.abs(offset) < 1500 ? 0 : offset;
  }

  /** Calls once a second; all relative times of the page move together. */
  everySecond(listener: () => void): () => void {
    this.listeners.add(listener);
    this.timer ??= setInterval(() => this.listeners.forEach((each) => each()), 1000);
    return () => {
      this.listeners.delete(listener);
      if (this.listeners.size === 0 && this.timer !== null) {
        clearInterval(this.timer);
        this.timer = null;
      }
    };
  }
}

export const clock = new Clock();
