/** The rows of the API that pages show: as the lists of the same names give them. */

export interface Member {
  id: string;
  raft: string;
  api: string;
  reachable: boolean;
  role: string;
  voter: boolean;
  lag: number | null;
  release: string;
}

export interface Component {
  id: string;
  name: string;
  address: string;
  groups: string[];
  state: string;
  presence: string;
  reason: string;
  registered_time: number;
  health: string;
  health_reason: string;
  labels: Record<string, string>;
  heartbeat_s: number | null;
  last_seen_s: number | null;
  cpu: number | null;
  memory: number | null;
  metrics: Record<string, number>;
  depends_on: string[];
  desired: string | null;
  maintenance: { reason: string; by: string; since: number } | null;
  acknowledged: { by: string; note: string; time: number } | null;
  exhausted: string;
}

export interface Group {
  name: string;
  title: string;
  components: string[];
  groups: string[];
  strategy: string;
  size: number;
  state: { state: string; counts: Record<string, number>; offline: number; absent: number; troubled: boolean };
}

export interface Alert {
  id: string | null;
  state: "PENDING" | "FIRING" | "RESOLVED";
  rule: string;
  group: string;
  severity: string;
  summary: string;
  members: { subject: string; value: number | null; reason: string; since: number }[];
  members_total: number;
  fired_time: number | null;
  changed_time: number | null;
  resolved_time: number | null;
  acknowledged: { by: string; note: string; time: number } | null;
  silenced_by: string[];
  fires_in_s?: number | null;
}

export interface Silence {
  id: string;
  rule: string;
  subject: string;
  severity: string | null;
  until: number;
  by: string;
  reason: string;
  created_time: number;
  active: boolean;
}

export interface AlertRule {
  name: string;
  severity: string;
  condition: Record<string, unknown>;
  for_s: number;
  target: string;
  summary: string;
  enabled: boolean;
  revision: number;
  shipped: boolean;
}

export interface AuditEntry {
  number: number;
  index: number;
  epoch: string | null;
  time: string;
  /** Empty: the cluster itself. */
  actor: { kind?: string; id?: string; name?: string; role?: string; address?: string; node?: string };
  kind: string;
  subject: string;
  id: string;
  /** `done`, or why not. */
  outcome: string;
  before: unknown;
  after: unknown;
  previous: string;
  hash: string;
}

export interface TokenRow {
  id: string;
  name: string;
  role: string;
  subject: string | null;
  created: number;
  expires: number | null;
  rotated: number | null;
  grace_until: number | null;
  revoked: number | null;
}

export interface Leadership {
  epoch: string;
  node: string;
  at: number;
  gap_s: number | null;
  reason: string;
}

/** What a node says about once a second. It is no part of the log. */
export interface Figures {
  node: string;
  leader: string | null;
  epoch: string | null;
  index: number;
  /** Age of the state that this node has, seconds; null on the leader. */
  state_age_s: number | null;
  /** Age of the figures below, which the leader works out. */
  staleness_s: number | null;
  figures_of: string | null;
  members: { id: string; role: string; reachable: boolean; lag: number | null }[];
  /** Null while Redis does not answer. */
  frames: FrameFigures | null;
  cameras: CameraFigures[];
  processors: Record<string, ProcessorFigures>;
  components: { total: number; offline: number; states: Record<string, number>; health: Record<string, number>; silence_s: Record<string, number> } | Record<string, never>;
}

export interface FrameFigures {
  published_s: number | null;
  dispatched_s: number | null;
  settled_s: number | null;
  capture: number;
  lanes: Record<string, number>;
  queues: Record<string, { length: number; pending: number }>;
  dead_letters: number;
  ledger: { published: number; settled: number; dead: number; dropped: number; in_flight: number };
  backpressure: { level: number; name: string };
  dispatch_p95_s?: number | null;
  oldest_frame_s?: Record<string, number>;
  lost?: number;
}

export interface CameraFigures {
  id: string;
  sequence: number;
  rate: number | null;
  published: number;
  settled: number;
  dead: number;
  dropped: number;
  in_flight: number;
}

export interface ProcessorFigures {
  in_flight: number | null;
  settled: number | null;
  settled_s: number | null;
  errors: number | null;
  breaker: string;
  silence_s: number | null;
}

/** Of subjects whose pages say more themselves. */
type Row = Record<string, any>; // eslint-disable-line @typescript-eslint/no-explicit-any

/** `cluster` has members under their ids, leaderships under `@` and their epoch, and `@claim`: who leads. */
export type ClusterRow = Member & Leadership;

export interface RowOf {
  cluster: ClusterRow;
  components: Component;
  groups: Group;
  policies: Row;
  playbooks: Row;
  executions: Row;
  processors: Row;
  variables: Row;
  alerts: Alert;
  silences: Silence;
  alert_rules: AlertRule;
  journal: Row;
  tokens: TokenRow;
  audit: AuditEntry;
}

export type Subject = keyof RowOf;
