/** Fetching pictures: a few at a time, each for who still wants it. */
import { picture } from "../net/api";

const AT_ONCE = 4;

export interface Shown {
  url: string;
  sequence: number | null;
  /** Seconds, by the Redis server, when it came; null where it cannot be told. */
  age: number | null;
  /** `performance.now()` when it came. */
  at: number;
}

let running = 0;
const waiting: (() => void)[] = [];

async function turn(): Promise<() => void> {
  if (running >= AT_ONCE) await new Promise<void>((go) => waiting.push(go));
  running += 1;
  return () => {
    running -= 1;
    waiting.shift()?.();
  };
}

/** Null where none is kept. The URL is the caller's to revoke. Throws what the node refuses. */
export async function fetchPicture(camera: string, signal: AbortSignal): Promise<Shown | null> {
  const done = await turn();
  try {
    signal.throwIfAborted();
    const began = performance.now();
    const found = await picture(`/v1/frames/cameras/${encodeURIComponent(camera)}/picture`, undefined, signal);
    if (!found) return null;
    const age = Number.parseFloat(found.headers.get("X-Triarch-Picture-Age") ?? "");
    const sequence = Number.parseInt(found.headers.get("X-Triarch-Picture-Sequence") ?? "", 10);
    // It was so old when the server was asked, which was after `began`: at most so much older by now.
    return { url: found.url, sequence: Number.isNaN(sequence) ? null : sequence, age: Number.isNaN(age) ? null : age, at: began };
  } finally {
    done();
  }
}
