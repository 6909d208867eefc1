/** Asks something again and again while its element is shown: what is not part of the watch stream. */
import type { ReactiveController, ReactiveControllerHost } from "lit";
import { session } from "./session";
import { store } from "./store";

export class Every<T> implements ReactiveController {
  value: T | null = null;
  error: unknown = null;
  private timer: ReturnType<typeof setTimeout> | null = null;
  private asking: AbortController | null = null;
  private connected = false;

  constructor(
    private readonly host: ReactiveControllerHost,
    private readonly ms: number,
    private readonly ask: (signal: AbortSignal) => Promise<T>,
  ) {
    host.addController(this);
  }

  hostConnected(): void {
    this.connected = true;
    void this.now();
  }

  hostDisconnected(): void {
    this.connected = false;
    this.asking?.abort();
    if (this.timer !== null) clearTimeout(this.timer);
  }

  /** Asks at once, and goes on from here. What was asked before is given up. */
  async now(): Promise<void> {
    if (this.timer !== null) clearTimeout(this.timer);
    this.asking?.abort();
    const asking = (this.asking = new AbortController());
    // While nothing answers, the stream finds a node that does; while the page is hidden, nobody looks.
    if (session.state === "signed-in" && store.link.state !== "lost" && !document.hidden) {
      try {
        const value = await this.ask(asking.signal);
        if (asking.signal.aborted) return;
        this.value = value;
        this.error = null;
      } catch (error) {
        if (asking.signal.aborted) return;
        this.error = error;
      }
      this.host.requestUpdate();
    }
    if (this.connected) this.timer = setTimeout(() => void this.now(), this.ms);
  }
}

/** Who does it, for texts that are kept beside a change. */
export function byWhom(): string {
  const who = session.who;
  return !who || who.kind === "open" ? "dashboard" : who.name || who.id;
}
