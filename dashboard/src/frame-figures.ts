/** Of the frame figures in the stream: lines over the trail. */
import type { FrameFigures } from "./rows";
import type { TrailPoint } from "./store";

type Counted = "published_s" | "dispatched_s" | "settled_s";

/** Frames a second at each point of the trail; null where they were not known. */
export function rates(trail: readonly TrailPoint[], name: Counted): (number | null)[] {
  return trail.map((point) => point.frames?.[name] ?? null);
}

/** Frames that wait anywhere: not dispatched yet, nobody for them, or in a processor's queue. */
export function waiting(frames: FrameFigures): number {
  const lanes = Object.values(frames.lanes).reduce((all, each) => all + each, 0);
  const queues = Object.values(frames.queues).reduce((all, each) => all + each.length, 0);
  return frames.capture + lanes + queues;
}
