/** Of the frame figures in the stream: totals, and rates between two points of the trail. */
import type { TrailPoint } from "./store";

export interface FrameTotals {
  published: number;
  settled: number;
  dead: number;
  dropped: number;
  waiting: number;
}

type Tree = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

export function totals(frames: Record<string, unknown> | null | undefined): FrameTotals | null {
  const tree = (frames ?? {}) as Tree;
  const cameras = tree.cameras && typeof tree.cameras === "object" ? (Object.values(tree.cameras) as Tree[]) : [];
  if (cameras.length === 0 && tree.published === undefined) return null;
  const sum = (name: string) => Number(tree[name] ?? cameras.reduce((all, each) => all + Number(each[name] ?? 0), 0));
  const found = { published: sum("published"), settled: sum("settled"), dead: sum("dead"), dropped: sum("dropped") };
  return { ...found, waiting: Math.max(0, found.published - found.settled - found.dead - found.dropped) };
}

/** Frames a second between points that follow one another; null where one has no figures, or a count went back. */
export function rates(trail: readonly TrailPoint[], name: "published" | "settled"): (number | null)[] {
  const found: (number | null)[] = [];
  let before: { at: number; count: number } | null = null;
  for (const point of trail) {
    const count = totals(point.frames)?.[name] ?? null;
    const now = count === null ? null : { at: point.at, count };
    found.push(before && now && now.at > before.at && now.count >= before.count ? (now.count - before.count) / (now.at - before.at) : null);
    before = now;
  }
  return found;
}
