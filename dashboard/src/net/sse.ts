/** Server-sent events out of the body of a fetch: EventSource cannot send an Authorization header. */

export interface ServerEvent {
  id: string | null;
  event: string;
  data: string;
}

/** Longest line that is taken: a node that sends more is broken, and must not fill the browser's memory. */
const LINE_MAX = 8 << 20;

/** Gathers chunks of text into events. Comments count as bytes (see the watchdog) and give no event. */
export class EventParser {
  private rest = "";
  /** The last id that came, also beside a comment: whoever comes back goes on behind it. */
  id: string | null = null;
  private event = "";
  private data: string[] = [];

  feed(chunk: string): ServerEvent[] {
    const found: ServerEvent[] = [];
    this.rest += chunk;
    let from = 0;
    for (;;) {
      const end = this.rest.indexOf("\n", from);
      if (end < 0) break;
      const line = this.rest.slice(from, this.rest[end - 1] === "\r" && end > from ? end - 1 : end);
      from = end + 1;
      const event = this.line(line);
      if (event) found.push(event);
    }
    this.rest = this.rest.slice(from);
    if (this.rest.length > LINE_MAX) throw new Error("a line of the stream has no end");
    return found;
  }

  private line(line: string): ServerEvent | null {
    if (line === "") {
      const complete = this.data.length > 0 ? { id: this.id, event: this.event || "message", data: this.data.join("\n") } : null;
      this.event = "";
      this.data = [];
      return complete;
    }
    if (line.startsWith(":")) return null;
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(line[colon + 1] === " " ? colon + 2 : colon + 1);
    if (name === "id") this.id = value;
    else if (name === "event") this.event = value;
    else if (name === "data") this.data.push(value);
    return null;
  }
}

/** Events of a response. `heard` is called behind the events of every chunk, also of one that holds a comment only. */
export async function* eventsOf(response: Response, heard: (id: string | null) => void): AsyncGenerator<ServerEvent> {
  if (!response.body) return;
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  const parser = new EventParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      heard(null);
      yield* parser.feed(value);
      heard(parser.id);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
