/** One playbook that is looked at or written: its text, the version it came from, and what the node says of the text. */
import { post, request } from "../net/api";
import { Problem } from "../net/problem";
import type { Inputs } from "./inputs";
import type { Said } from "./source";

export interface Version {
  version: number;
  time: string;
  who: string;
  current: boolean;
}

export interface Stored {
  name: string;
  version: number;
  versions: Version[];
  description: string;
  text: string;
}

export interface Judged {
  valid: boolean;
  name: string | null;
  problems: Said[];
  warnings: Said[];
  inputs: Inputs;
}

const YAML = "application/yaml";
const VERSIONS = { headers: { Accept: "application/json" } };

export function template(name: string): string {
  return `name: ${name}\ndescription: ""\n\nactions:\n  - type: log_event\n    message: "${name} begins"\n`;
}

/** Null where there is no such playbook. */
export async function stored(name: string, version: number | null, signal?: AbortSignal): Promise<Stored | null> {
  try {
    return (await request<Stored>("GET", `/v1/playbooks/${encodeURIComponent(name)}`, { params: { version }, signal, ...VERSIONS })).body;
  } catch (error) {
    if (error instanceof Problem && error.status === 404 && version === null) return null;
    throw error;
  }
}

export function judge(name: string, text: string, signal?: AbortSignal): Promise<Judged> {
  return post<Judged>("/v1/playbooks/validate", text, { params: { name }, type: YAML, signal });
}

/** `over`: the version that it takes the place of; null where there is none yet. Problem `precondition_failed`: another one is there. */
export function store(name: string, text: string, over: number | null, who: string): Promise<{ version: number; changed: boolean }> {
  const headers: Record<string, string> = over === null ? { "If-None-Match": "*" } : { "If-Match": `"${over}"` };
  return request<{ version: number; changed: boolean }>("PUT", `/v1/playbooks/${encodeURIComponent(name)}`, { params: { who }, body: text, type: YAML, headers }).then((answer) => answer.body);
}

/** Texts that were not stored yet, by name, for when their page is left and come back to. The newest few. */
const KEPT_MAX = 20;
const kept = new Map<string, { text: string; over: number | null }>();

export function keep(name: string, text: string, over: number | null): void {
  kept.delete(name);
  kept.set(name, { text, over });
  for (const oldest of kept.keys()) {
    if (kept.size <= KEPT_MAX) break;
    kept.delete(oldest);
  }
}

export function keptOf(name: string): { text: string; over: number | null } | undefined {
  return kept.get(name);
}

export function forget(name: string): void {
  kept.delete(name);
}

export function anythingKept(): boolean {
  return kept.size > 0;
}

window.addEventListener("beforeunload", (event) => {
  if (anythingKept()) event.preventDefault();
});
