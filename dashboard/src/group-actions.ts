/** What can be done with all components of a group at once; the API does it as one change. */
import { html } from "lit";
import { ask } from "./elements/dialog";
import { toast } from "./elements/toast";
import { byWhom } from "./every";
import { plural } from "./format";
import { put, remove } from "./net/api";
import type { Component, Group } from "./rows";

/** What the dialog calls the state that is none: an empty value is no choice yet. */
const NEITHER = "neither";
const LATER = "Who joins the group later is not meant.";

const path = (name: string, rest: string) => `/v1/groups/${encodeURIComponent(name)}${rest}`;

export async function desireOfGroup({ name, size, state }: Group, members: readonly Component[]): Promise<void> {
  const all = plural(size, "component");
  const done = await ask({
    heading: `Desired state of ${name}`,
    text: `The supervision brings ${all} there, each after what it needs, and back when one leaves it. ${LATER} ${desired(members, state.absent)}`,
    action: "Set",
    fields: html`<div class="field"><label for="desired">State</label><select id="desired" name="state" required><option value="">Choose …</option><option>STARTED</option><option>STOPPED</option><option value=${NEITHER}>neither: left as they are</option></select></div>`,
    run: (values) => put(path(name, "/desired"), { state: values.state === NEITHER ? null : values.state, by: byWhom() }),
  });
  if (done) toast(`${name}: desired state of ${all} is ${done.state}`);
}

/** Of members that are not registered it is not known here. */
function desired(members: readonly Component[], absent: number): string {
  const counts = new Map<string, number>();
  for (const row of members) counts.set(row.desired ?? NEITHER, (counts.get(row.desired ?? NEITHER) ?? 0) + 1);
  const told = [...counts].map(([state, count]) => `${state} for ${count}`);
  if (absent) told.push(`${absent} not registered`);
  return told.length ? `Now: ${told.join(", ")}.` : "";
}

export async function beginMaintenanceOfGroup({ name, size }: Group): Promise<void> {
  const all = plural(size, "component");
  const done = await ask({
    heading: `Maintenance of ${name}`,
    text: `The supervision, plans and playbooks leave ${all} alone until maintenance ends. ${LATER}`,
    action: "Begin maintenance",
    reason: { label: "Reason", required: true, placeholder: "belt change" },
    run: (values) => put(path(name, "/maintenance"), { reason: values.reason, by: byWhom() }),
  });
  if (done) toast(`${name}: ${all} in maintenance`);
}

export async function endMaintenanceOfGroup({ name, size, state }: Group, maintained: number): Promise<void> {
  const done = await ask({
    heading: `End the maintenance of ${name}?`,
    text: `Of ${plural(size, "component")} ${maintained} ${are(maintained)} in maintenance${state.absent ? `, ${state.absent} ${are(state.absent)} not registered and may be, too` : ""}.`,
    action: "End maintenance",
    run: () => remove(path(name, "/maintenance")),
  });
  if (done) toast(`${name}: maintenance ended`);
}

function are(count: number): string {
  return count === 1 ? "is" : "are";
}
