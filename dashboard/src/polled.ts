/** What no stream tells: asked for again and again while the page is looked at, one request at a time. */
import type { ReactiveController, ReactiveControllerHost } from "lit";

export class Polled<T> implements ReactiveController {
  value: T | null = null;
  /** Why the last attempt gave nothing. The value of before stays, with its time. */
  error: unknown = null;
  /** `performance.now()` when the value came. */
  at = 0;
  private stopping: AbortController | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private asking = false;
  private again = false;
  private readonly seen = () => document.hidden || this.refresh();

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly ask: (signal: AbortSignal) => Promise<T>,
    private readonly everyMs: number,
    /** Called with each new value, before the element is drawn. */
    private readonly came: (value: T) => void = () => undefined,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.stopping = new AbortController();
    document.addEventListener("visibilitychange", this.seen);
    this.refresh();
  }

  hostDisconnected(): void {
    this.stopping?.abort();
    this.stopping = null;
    this.asking = this.again = false;
    clearTimeout(this.timer);
    document.removeEventListener("visibilitychange", this.seen);
  }

  /** Seconds since the value came. */
  get age(): number {
    return this.at ? (performance.now() - this.at) / 1000 : Infinity;
  }

  /** Asks now; where a request is under way, once more behind it. */
  refresh(): void {
    if (this.asking) {
      this.again = true;
      return;
    }
    clearTimeout(this.timer);
    const stopping = this.stopping;
    if (stopping) void this.once(stopping);
  }

  /** Another question: what is known answers the one before. */
  restart(): void {
    this.value = this.error = null;
    this.at = 0;
    this.stopping?.abort();
    this.asking = this.again = false;
    clearTimeout(this.timer);
    this.stopping = new AbortController();
    this.refresh();
  }

  private async once(stopping: AbortController): Promise<void> {
    this.asking = true;
    try {
      const value = await this.ask(stopping.signal);
      if (stopping.signal.aborted) return;
      this.value = value;
      this.error = null;
      this.at = performance.now();
      this.came(value);
    } catch (error) {
      if (stopping.signal.aborted) return;
      this.error = error;
    }
    this.asking = false;
    this.host.requestUpdate();
    if (this.again) {
      this.again = false;
      void this.once(stopping);
    } else if (!document.hidden) {
      this.timer = setTimeout(() => this.refresh(), this.everyMs);
    }
  }
}
