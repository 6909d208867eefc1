/** What the row of a component says about how it is, for every page that shows some. */
import { toneOf, type Tone } from "./elements/badge";
import type { Component } from "./rows";
import { store } from "./store";

/** Seconds since the leader has heard it; null where it says nothing. */
export function silence(id: string): number | null {
  return store.figures?.components?.silence_s?.[id] ?? null;
}

export function health(row: Component): string {
  return row.presence === "OFFLINE" ? "OFFLINE" : row.maintenance ? "MAINTENANCE" : row.health;
}

/** The worse of state and health. */
export function toneOfRow(row: Component): Tone {
  const by = health(row);
  return by === "OFFLINE" || by === "UNRESPONSIVE" || row.state === "FAULT" ? "bad" : by === "DEGRADED" || by === "MAINTENANCE" ? "warn" : toneOf(row.state);
}

export function inTrouble(row: Component): boolean {
  return row.state === "FAULT" || row.presence === "OFFLINE" || row.health === "UNRESPONSIVE";
}
