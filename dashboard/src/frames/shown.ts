/** What the frame API answers. Times in milliseconds are the Redis server's. */

export interface Counters {
  session: string;
  highest: number;
  published: number;
  settled: number;
  dead: number;
  dropped: number;
}

export interface Fence {
  term: number;
  index: number;
  node: string;
  first_us: number;
  last_us: number;
  frames: number;
}

export interface Stats {
  capture_len: number;
  lanes: Record<string, number>;
  ready: Record<string, { length: number; pending: number }>;
  dead_len: number;
  cameras: Record<string, Counters>;
  fence: Fence | null;
  pressure: number;
  server_ms: number;
}

export interface Lag {
  place: string;
  length: number;
  oldest_s: number | null;
  pending: number | null;
  levels: Record<string, number>;
}

export interface Latency {
  server_ms: number;
  window_s: number;
  results: number;
  complete: boolean;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  max_ms: number | null;
}

export interface Camera {
  id: string;
  shard: number;
  session: string;
  last_sequence: number | null;
  published: number;
  settled: number;
  dead: number;
  dropped: number;
  in_flight: number;
  dropped_by_reason: Record<string, number>;
  policy: string | null;
  picture: { sequence: number; frame_id: string; age_s: number | null } | null;
}

export interface CameraPage {
  cameras: Camera[];
  cursor: string | null;
}

export interface NamedFrame {
  camera_id: string;
  sequence: number;
  reason: string;
}

export interface Ledger {
  published: number;
  settled: number;
  dead: number;
  dropped: number;
  in_flight: number;
  lost: number;
  duplicates: number;
  ledger_ok: boolean;
  lost_frames: NamedFrame[];
  duplicate_frames: NamedFrame[];
  problems: string[];
  stuck: number;
  stuck_frames: { camera_id: string; sequence: number; place: string; age_s: number }[];
}

export interface DeadFrame {
  entry_id: string;
  frame_id: string;
  camera_id: string;
  sequence: number;
  capability: string;
  priority: number;
  attempts: number;
  published_ms: number;
  died_ms: number;
  processor_id: string;
  reason: string;
}

export interface StoryStep {
  at_ms: number;
  what: string;
  capability?: string;
  priority?: number;
  attempts?: number;
  processor_id?: string;
  outstanding?: number;
  candidates?: Record<string, unknown>[];
  strategy?: string;
  node?: string;
  epoch?: string;
  reason?: string;
  result?: unknown;
}

export interface Story {
  frame_id: string | null;
  camera_id: string;
  sequence: number;
  status: string;
  capability: string;
  priority: number | null;
  parts: number;
  trace_id: string;
  received_ms: number | null;
  steps: StoryStep[];
  waits: { place: string; since_ms: number; attempts: number; consumer?: string; idle_ms?: number }[];
  unkept: string[];
}

/** A picture that is older than this is shown as old, seconds. */
export const OLD_S = 3;

export const PRESSURE = [
  { word: "normal", tone: "ok", means: "Cameras publish as they like." },
  { word: "low", tone: "info", means: "Queues fill; nobody is slowed yet." },
  { word: "high", tone: "warn", means: "Producers halve their rates." },
  { word: "critical", tone: "bad", means: "Producers pause; urgent frames go on." },
] as const;
