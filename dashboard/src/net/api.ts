/**
 * Requests to whichever node answers.
 *
 * A read goes on to the next node when one does not answer. A write carries an Idempotency-Key, and is repeated under
 * the same key, at another node if need be, until its outcome is known: it is done once at most.
 */
import { members } from "./members";
import { Problem, UNEXPECTED, Unreachable } from "./problem";
import { authorised } from "./token";

/** One attempt; a node that is asked for the leader's answer waits for a leader itself. */
const ATTEMPT_MS = 6000;
/** All attempts of a read, and of a write. */
const READ_MS = 8000;
const WRITE_MS = 20000;
const PAUSE_MS = 250;

export interface Answer<T> {
  body: T;
  headers: Headers;
  status: number;
}

export interface Ask {
  params?: Record<string, string | number | boolean | readonly string[] | null | undefined>;
  body?: unknown;
  /** For a body that is no JSON: its media type. */
  type?: string;
  headers?: Record<string, string>;
  signal?: AbortSignal;
  /** Instead of the one that is kept. */
  token?: string | null;
  key?: string;
}

export function pathWith(path: string, params: Ask["params"] = {}): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value === null || value === undefined || value === "") continue;
    for (const each of Array.isArray(value) ? value : [value]) query.append(name, String(each));
  }
  const text = query.toString();
  return text ? `${path}?${text}` : path;
}

/** A key that nobody else makes. `crypto.randomUUID` is not there on plain HTTP from another host. */
export function newKey(): string {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

const listeners = new Set<(problem: Problem) => void>();

/** Called when a node does not know the token any more. */
export function onUnauthorised(listener: (problem: Problem) => void): void {
  listeners.add(listener);
}

export async function request<T = unknown>(method: string, path: string, ask: Ask = {}): Promise<Answer<T>> {
  const write = method !== "GET";
  const key = write ? (ask.key ?? newKey()) : null;
  const deadline = performance.now() + (write ? WRITE_MS : READ_MS);
  let unknown = false;
  let last: Error = new Unreachable("no node was asked");
  for (;;) {
    const origin = members.current;
    const left = deadline - performance.now();
    if (left <= 0) break;
    let pause = PAUSE_MS;
    try {
      const response = await once(origin, pathWith(path, ask.params), method, ask, key, Math.min(ATTEMPT_MS, left));
      if (response.ok) return { body: await bodyOf<T>(response), headers: response.headers, status: response.status };
      const problem = await Problem.of(response);
      if (!again(problem)) {
        if (problem.status === 401 && ask.token === undefined) listeners.forEach((each) => each(problem));
        throw problem;
      }
      last = problem;
      unknown ||= write && (problem.code === "outcome_unknown" || problem.code === "read_timed_out" || between(problem));
      const wait = Number(response.headers.get("Retry-After"));
      if (wait > 0) pause = Math.min(wait, 2) * 1000;
      if (problem.code === "node_stopped" || problem.code === "not_ready" || between(problem)) members.leave(origin);
    } catch (error) {
      if (error instanceof Problem) throw error;
      if (ask.signal?.aborted) throw error;
      unknown ||= write; // it may have arrived before the connection broke
      last = new Unreachable(`${origin} does not answer`, key);
      members.leave(origin);
    }
    await new Promise((go) => setTimeout(go, pause));
  }
  if (write && unknown) throw new Unreachable("Whether it was done is not known: no node answered in time. Look before you repeat it.", key);
  throw last;
}

/** As the Python client does it. What a node says of a component (502 `unreachable`, 504 `state_not_reached`) every other node would say, too. */
function again(problem: Problem): boolean {
  return problem.status === 503 || problem.status === 429 || problem.code === "outcome_unknown" || problem.code === "key_in_flight" || between(problem);
}

/** Something between here and the node has answered: the node itself may not have been asked. */
function between(problem: Problem): boolean {
  return problem.code === UNEXPECTED && (problem.status === 502 || problem.status === 504);
}

async function once(origin: string, path: string, method: string, ask: Ask, key: string | null, timeout: number): Promise<Response> {
  const headers: Record<string, string> = { Accept: "application/json", ...ask.headers };
  if (key !== null) headers["Idempotency-Key"] = key;
  let body: string | undefined;
  if (ask.body !== undefined) {
    headers["Content-Type"] = ask.type ?? "application/json";
    body = ask.type ? String(ask.body) : JSON.stringify(ask.body);
  }
  // The stream notices sooner than a request that a node is dead.
  const ends = [AbortSignal.timeout(timeout), members.leaving(origin)];
  return fetch(origin + path, {
    method,
    headers: ask.token === undefined ? authorised(headers) : authorised(headers, ask.token),
    body,
    signal: AbortSignal.any(ask.signal ? [ask.signal, ...ends] : ends),
    cache: "no-store",
    credentials: "omit",
    redirect: "error",
  });
}

async function bodyOf<T>(response: Response): Promise<T> {
  if (response.status === 204) return undefined as T;
  const json = (response.headers.get("Content-Type") ?? "").includes("json");
  return (json ? await response.json() : await response.text()) as T;
}

export async function get<T>(path: string, params?: Ask["params"], ask: Ask = {}): Promise<T> {
  return (await request<T>("GET", path, { ...ask, params })).body;
}

export async function post<T>(path: string, body?: unknown, ask: Ask = {}): Promise<T> {
  return (await request<T>("POST", path, { ...ask, body })).body;
}

export async function put<T>(path: string, body?: unknown, ask: Ask = {}): Promise<T> {
  return (await request<T>("PUT", path, { ...ask, body })).body;
}

export async function remove<T = void>(path: string, ask: Ask = {}): Promise<T> {
  return (await request<T>("DELETE", path, ask)).body;
}

/** An address that is not JSON (a picture): a URL of a blob, to be revoked by who asked. */
export async function picture(path: string, params?: Ask["params"], signal?: AbortSignal): Promise<{ url: string; headers: Headers } | null> {
  const origin = members.current;
  const response = await fetch(origin + pathWith(path, params), { headers: authorised(), cache: "no-store", credentials: "omit", signal });
  if (response.status === 404) return null;
  if (!response.ok) throw await Problem.of(response);
  return { url: URL.createObjectURL(await response.blob()), headers: response.headers };
}
