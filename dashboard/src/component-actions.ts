/** What can be done with a component from the dashboard: the plan is shown, agreed to, and carried out step by step. */
import { html, nothing } from "lit";
import { ask } from "./elements/dialog";
import { toast } from "./elements/toast";
import { byWhom } from "./every";
import { plural } from "./format";
import { get, newKey, post, put, remove } from "./net/api";
import { go } from "./router";
import type { Component } from "./rows";
import { store } from "./store";

export const COMMANDS = "/v1/components/{component_id}/commands";

/** A passage that lasts longer is looked after by the page, no more by this action. */
const PASSAGE_MS = 60_000;
const PASSAGES = new Set(["INITIALIZING", "STOPPING"]);

interface Step {
  wave: number;
  component_id: string;
  state: string;
  commands: string[];
}

interface Plan {
  target: string;
  complete: boolean;
  steps: Step[];
  skipped: { component_id: string; reason: string; blocked: boolean }[];
}

interface Answered {
  completed: boolean;
  state: string;
}

type Target = "STARTED" | "STOPPED";

const path = (id: string, rest = "") => `/v1/components/${encodeURIComponent(id)}${rest}`;

function planFor(id: string, target: Target, related: boolean): Promise<Plan> {
  return get<Plan>("/v1/plan", { target, component: id, related });
}

/** One command, to the end of the work that it begins. */
async function send(id: string, command: string): Promise<void> {
  const answer = await post<Answered>(path(id, "/commands"), { command }, { key: newKey() });
  if (!answer.completed) await passed(id);
}

/** Until the component is in no passage any more, as the stream tells. Throws when it ended in FAULT. */
async function passed(id: string): Promise<void> {
  const deadline = performance.now() + PASSAGE_MS;
  for (;;) {
    const row = await get<Component>(path(id));
    if (row.state === "FAULT") throw new Error(`${id} is in FAULT: ${row.reason}`);
    if (!PASSAGES.has(row.state)) return;
    if (performance.now() > deadline) throw new Error(`${id} is still ${row.state} after ${PASSAGE_MS / 1000} s`);
    await changed(500);
  }
}

/** The next change of a component, at the latest after `ms`. */
function changed(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      off();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const off = store.on(["components"], done);
  });
}

async function carryOut(plan: Plan): Promise<void> {
  for (const step of [...plan.steps].sort((a, b) => a.wave - b.wave)) {
    for (const command of step.commands) await send(step.component_id, command);
  }
}

function shown(plan: Plan, id: string) {
  const others = plan.steps.some((step) => step.component_id !== id);
  return html`<table class="plan" aria-label="Plan">
      <thead><tr><th scope="col">Step</th><th scope="col">Component</th><th scope="col">Is</th><th scope="col">Commands</th></tr></thead>
      <tbody>${plan.steps.map((step) => html`<tr><td>${step.wave}</td><td>${others ? html`<strong>${step.component_id}</strong>` : step.component_id}</td><td>${step.state}</td><td>${step.commands.join(", ")}</td></tr>`)}</tbody>
    </table>
    ${plan.skipped.map((each) => html`<p>Left out: ${each.component_id} ${each.reason}</p>`)}
    ${plan.steps.length === 0 ? html`<p>${plan.skipped.some((each) => each.blocked) ? "Nothing can be done now." : "Nothing has to be done."}</p>` : nothing}`;
}

/** What became of `id`. A plan that moves only what it needs, or what needs it, has not moved it. */
function told(plan: Plan, id: string, word: string): void {
  if (plan.steps.some((step) => step.component_id === id)) return toast(`${id}: ${word}`);
  const left = plan.skipped.find((each) => each.component_id === id);
  toast(`${id}: not ${word}${left ? `, it ${left.reason}` : ""}; ${plural(new Set(plan.steps.map((step) => step.component_id)).size, "other")} ${word}`, left?.blocked ?? true);
}

export async function move(id: string, target: Target): Promise<void> {
  const [own, wide] = await Promise.all([planFor(id, target, false), planFor(id, target, true)]);
  const more = wide.steps.length > own.steps.length;
  const others = wide.steps.map((step) => step.component_id).filter((other) => other !== id);
  const [verb, word] = target === "STARTED" ? ["Start", "started"] : ["Stop", "stopped"];
  const done = await ask({
    heading: `${verb} ${id}?`,
    text: html`${shown(own, id)}${more ? html`<label><input type="checkbox" name="related" value="yes" ?required=${own.steps.length === 0} /> ${target === "STARTED" ? "Start what it needs, too" : "Stop what needs it, too"}: ${others.join(", ")}</label>` : nothing}`,
    action: verb,
    danger: target === "STOPPED",
    idle: wide.steps.length === 0,
    run: (values) => carryOut(values.related ? wide : own),
  });
  if (done) told(done.related ? wide : own, id, word);
}

export async function restart(id: string): Promise<void> {
  const stop = await planFor(id, "STOPPED", false);
  const done = await ask({
    heading: `Restart ${id}?`,
    text: html`${shown(stop, id)}${stop.steps.length === 0 ? nothing : html`<p>Then the way back to STARTED: CMD_RESET, CMD_INITIALIZE, CMD_START. What needs it is not stopped.</p>`}`,
    action: "Restart",
    danger: true,
    idle: stop.steps.length === 0,
    run: async () => {
      await carryOut(stop);
      const start = await planFor(id, "STARTED", false);
      if (start.steps.length === 0) throw new Error(`${id} was stopped, and cannot be started: it ${start.skipped[0]?.reason ?? "is left out"}`);
      await carryOut(start);
    },
  });
  if (done) toast(`${id}: restarted`);
}

export async function reset(id: string, row: Component): Promise<void> {
  const done = await ask({
    heading: `Reset ${id}?`,
    text: html`${shown({ target: "READY", complete: true, skipped: [], steps: [{ wave: 1, component_id: id, state: row.state, commands: ["CMD_RESET"] }] }, id)}<p>It is READY then.</p>`,
    action: "Reset",
    danger: true,
    run: () => send(id, "CMD_RESET"),
  });
  if (done) toast(`${id}: reset`);
}

export async function beginMaintenance(id: string): Promise<void> {
  const done = await ask({
    heading: `Maintenance of ${id}`,
    text: "The supervision, plans and playbooks leave it alone until maintenance ends.",
    action: "Begin maintenance",
    reason: { label: "Reason", required: true, placeholder: "belt change" },
    run: (values) => put(path(id, "/maintenance"), { reason: values.reason, by: byWhom() }),
  });
  if (done) toast(`${id}: in maintenance`);
}

export async function endMaintenance(id: string): Promise<void> {
  const done = await ask({ heading: `End the maintenance of ${id}?`, action: "End maintenance", run: () => remove(path(id, "/maintenance")) });
  if (done) toast(`${id}: maintenance ended`);
}

/** Takes it out of the list, where it will not come back. */
export async function forget(id: string): Promise<void> {
  const done = await ask({
    heading: `Remove ${id}?`,
    text: "The plant forgets that it is registered. One that comes back registers again; what is wanted of it is kept for it.",
    action: "Remove",
    danger: true,
    run: () => remove(path(id)),
  });
  if (!done) return;
  toast(`${id}: removed`);
  go("components");
}

export async function acknowledge(id: string): Promise<void> {
  const done = await ask({
    heading: `Acknowledge the fault of ${id}`,
    text: "It stays in FAULT; that somebody knows is shown.",
    action: "Acknowledge",
    fields: html`<label><input type="checkbox" name="retry" value="yes" /> Restarts may be tried again, counted anew</label>`,
    reason: { label: "Note" },
    run: (values) => post(path(id, "/acknowledge"), { by: byWhom(), note: values.reason, retry: values.retry === "yes" }),
  });
  if (done) toast(`${id}: acknowledged`);
}

export async function desire(id: string, row: Component): Promise<void> {
  const option = (value: string, text: string) => html`<option value=${value} .selected=${(row.desired ?? "") === value}>${text}</option>`;
  const done = await ask({
    heading: `Desired state of ${id}`,
    text: "The supervision brings it there, and back when it leaves it.",
    action: "Set",
    fields: html`<div class="field"><label for="desired">State</label><select id="desired" name="state">${option("STARTED", "STARTED")}${option("STOPPED", "STOPPED")}${option("", "neither: left as it is")}</select></div>`,
    run: (values) => put(path(id, "/desired"), { state: values.state || null, by: byWhom() }),
  });
  if (done) toast(`${id}: desired state is ${done.state || "neither"}`);
}
