/**
 * What the frame pages have seen in the last ten minutes. Rates are differences of the ledger's counters over the Redis
 * server's own time; where the pages were not looked at there is a gap, not a line.
 */
import type { Latency, Stats } from "./shown";

export interface Point {
  /** Unix seconds, by the Redis server. */
  at: number;
  published: number | null;
  settled: number | null;
  ended: number | null;
  inFlight: number | null;
  waiting: number | null;
  p50: number | null;
  p95: number | null;
  p99: number | null;
}

const POINTS_MAX = 600;
const GAP_S = 5;

interface Sum {
  at: number;
  published: number;
  settled: number;
  ended: number;
}

class History {
  readonly points: Point[] = [];
  private last: Sum | null = null;

  add(stats: Stats, latency: Latency | null): void {
    const sum: Sum = { at: stats.server_ms / 1000, published: 0, settled: 0, ended: 0 };
    for (const camera of Object.values(stats.cameras)) {
      sum.published += camera.published;
      sum.settled += camera.settled;
      sum.ended += camera.dead + camera.dropped;
    }
    const before = this.last;
    // Time stands still, or went back: another server answers since a failover.
    if (before && sum.at <= before.at) {
      if (sum.at < before.at) this.last = null;
      return;
    }
    this.last = sum;
    const queued = Object.values(stats.ready).reduce((all, each) => all + each.length, 0);
    const lanes = Object.values(stats.lanes).reduce((all, each) => all + each, 0);
    const passed = before ? sum.at - before.at : 0;
    const known = before !== null && passed <= GAP_S;
    const rate = (now: number, then: number) => (known ? Math.max(0, (now - then) / passed) : null);
    if (before && !known) this.push({ at: sum.at - 0.001, published: null, settled: null, ended: null, inFlight: null, waiting: null, p50: null, p95: null, p99: null });
    this.push({
      at: sum.at,
      published: rate(sum.published, before?.published ?? 0),
      settled: rate(sum.settled, before?.settled ?? 0),
      ended: rate(sum.ended, before?.ended ?? 0),
      inFlight: stats.capture_len + lanes + queued,
      waiting: lanes + stats.capture_len,
      p50: latency?.p50_ms ?? null,
      p95: latency?.p95_ms ?? null,
      p99: latency?.p99_ms ?? null,
    });
  }

  get newest(): Point | null {
    return this.points[this.points.length - 1] ?? null;
  }

  /** Rates over the last seconds: one second alone jumps. */
  lately(key: "published" | "settled" | "ended", seconds = 3): number | null {
    const values = this.points.slice(-seconds).map((point) => point[key]).filter((value): value is number => value !== null);
    return values.length ? values.reduce((all, each) => all + each, 0) / values.length : null;
  }

  private push(point: Point): void {
    this.points.push(point);
    if (this.points.length > POINTS_MAX) this.points.splice(0, this.points.length - POINTS_MAX);
  }
}

export const history = new History();
