/** Executions and their steps as the API gives them, and what of it is said in words. */
import type { Tone } from "../elements/badge";

export interface Retrying {
  n: number;
  next: string | null;
  code: string;
  error: string;
}

export interface Step {
  path: string;
  id: string;
  type: string;
  status: string;
  attempt: number;
  started: string | null;
  ended: string | null;
  deadline: string | null;
  retrying: Retrying | null;
  waiting: string | null;
  code: string;
  error: string;
  value: unknown;
}

export interface Summary {
  id: string;
  playbook: string;
  version: number;
  status: string;
  revision: number;
  priority: number;
  created: string;
  started: string | null;
  ended: string | null;
  duration_s: number | null;
  /** How many steps wait to be tried again. Nodes of 0.1.0 do not say it. */
  retrying?: number;
  code: string;
  /** Why it did not end right; while steps are tried again, the newest one's. */
  error: string | null;
  who: string;
  parent: { execution: string; path: string } | null;
  index: number;
}

export interface Execution extends Summary {
  deadline: string | null;
  timeout_s: number;
  paused_at: string | null;
  cancel: string | boolean | null;
  trigger: Record<string, unknown>;
  inputs: Record<string, unknown>;
  variables: Record<string, unknown>;
  signals: Record<string, unknown>;
  approvals: { path: string; approved: boolean; who: string; comment: string }[];
  steps: Step[];
}

export const STATES = ["QUEUED", "RUNNING", "RETRYING", "PAUSED", "SUCCEEDED", "FAILED", "TIMED_OUT", "CANCELLED"] as const;
const OPEN = new Set(["QUEUED", "RUNNING", "PAUSED"]);

export function isOpen(row: { status: string }): boolean {
  return OPEN.has(row.status);
}

/** In which of `STATES` it is shown: one whose steps are tried again does not go on, though the API says RUNNING. */
export function stateOf(row: Summary): string {
  return row.status === "RUNNING" && (row.retrying ?? 0) > 0 ? "RETRYING" : row.status;
}

/** Its error in one line; of several steps that are tried again, how many. */
export function errorOf(row: Summary): string {
  const error = row.error ?? "";
  return isOpen(row) && (row.retrying ?? 0) > 1 ? `${row.retrying} steps retry${error ? `, the newest: ${error}` : ""}` : error;
}

export function toneOf(status: string): Tone {
  if (status === "SUCCEEDED") return "ok";
  if (status === "FAILED" || status === "TIMED_OUT") return "bad";
  if (status === "RUNNING") return "info";
  return status === "RETRYING" || status === "PAUSED" ? "warn" : "idle";
}

export function word(status: string): string {
  const text = status.replace("_", " ").toLowerCase();
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** Paths are `actions/2/on_failure/0`, of a target `actions/1/@io`, of a round `actions/3/#0/1`: how deep it stands. */
export function depth(path: string): number {
  return Math.min(6, Math.max(0, path.split("/").filter((part) => /^\d+$|^@|^#/.test(part)).length - 1));
}
