/** Where groups and components stand on the map, and what joins them. No drawing here. */
import type { Component, Group } from "./rows";

export interface Box {
  name: string;
  title: string;
  /** It is a group, not what is in none. */
  real: boolean;
  /** Groups that hold it. */
  within: string[];
  x: number;
  y: number;
  width: number;
  height: number;
  cells: Cell[];
}

export interface Cell {
  row: Component;
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Edge {
  from: Cell;
  to: Cell;
}

/** All that components of one group need of another's: an arrow from what is needed to what needs it. */
export interface Link {
  from: Box;
  to: Box;
  edges: Edge[];
  /** Where it begins and ends, and by how many pixels downwards it leaves and comes from there. */
  x1: number;
  y1: number;
  x2: number;
  y2: number;
  out: number;
  back: number;
}

export interface ComponentMap {
  width: number;
  height: number;
  boxes: Box[];
  cells: Map<string, Cell>;
  edges: Edge[];
  /** The largest first. */
  links: Link[];
  /** Those of them that are drawn on a dense map. */
  shown: Link[];
  /** Too many for names: cells are small squares, and links are drawn, no edges but the chosen cell's. */
  dense: boolean;
}

export const DENSE_FROM = 120;
const NAMED = { width: 168, height: 30, gap: 8, columns: 1 };
const SMALL = { width: 14, height: 14, gap: 4, columns: 12 };
const PAD = 12;
const HEAD = 30;
const BETWEEN_X = 64;
const BETWEEN_Y = 18;
/** Room for arrows from what is needed down to what needs it. */
const BETWEEN_RANKS = 52;
const BEND_LEAST = 24;
/** More arrows than these say nothing any more, and are much to draw. */
const LINKS_MAX = 300;
/** By how much the arrow of groups that stand side by side hangs down: they need each other, by way of others or not. */
const HANG = 40;
const NONE = "no group";

/**
 * `room`: pixels of width; boxes of one depth stand below one another, what is needed stands to the left.
 * A dense map fills lines with boxes: what needs none of another group stands above, what needs it on a line below.
 */
export function mapOf(components: readonly Component[], groups: readonly Group[], room: number): ComponentMap {
  const dense = components.length > DENSE_FROM;
  const size = dense ? SMALL : NAMED;
  const depth = dense ? null : depths(new Map(components.map((row) => [row.id, row.depends_on])));
  const members = new Map<string, Component[]>();
  for (const row of components) {
    const name = row.groups[0] ?? NONE;
    const found = members.get(name);
    if (found) found.push(row);
    else members.set(name, [row]);
  }
  const titles = new Map(groups.map((group) => [group.name, group]));
  const ranks = dense ? depths(needsOfGroups(members)) : null;
  const rankOf = (name: string) => ranks?.get(name) ?? 0;
  const columns = new Map<number, { name: string; rows: Component[] }[]>();
  for (const [name, rows] of [...members].sort(([a], [b]) => rankOf(a) - rankOf(b) || a.localeCompare(b, undefined, { numeric: true }))) {
    const column = depth ? Math.max(...rows.map((row) => depth.get(row.id) ?? 0)) : 0;
    columns.set(column, [...(columns.get(column) ?? []), { name, rows }]);
  }
  const boxes: Box[] = [];
  let x = 0;
  let height = 0;
  const wide = (n: number) => Math.min(n, size.columns) * (size.width + size.gap) - size.gap + 2 * PAD;
  for (const [, column] of [...columns].sort(([a], [b]) => a - b)) {
    let y = 0;
    let widest = 0;
    let left = x;
    for (const { name, rows } of column) {
      const width = Math.max(wide(rows.length), dense ? 150 : 0);
      const lines = Math.ceil(rows.length / size.columns);
      const tall = HEAD + lines * (size.height + size.gap) - size.gap + PAD;
      // With nothing that joins them, boxes fill the width line by line.
      if ((dense || columns.size === 1) && widest > 0) {
        const next = boxes[boxes.length - 1]!;
        const ranked = rankOf(next.name) === rankOf(name);
        if (ranked && next.x + next.width + BETWEEN_Y + width <= room) {
          left = next.x + next.width + BETWEEN_Y;
          y = next.y;
        } else {
          left = x;
          y = height + (ranked ? BETWEEN_Y : BETWEEN_RANKS);
        }
      }
      const cells = rows.map((row, at) => ({
        row,
        x: left + PAD + (at % size.columns) * (size.width + size.gap),
        y: y + HEAD + Math.floor(at / size.columns) * (size.height + size.gap),
        width: size.width,
        height: size.height,
      }));
      const within = groups.filter((group) => group.groups.includes(name)).map((group) => group.name);
      boxes.push({ name, title: titles.get(name)?.title ?? "", real: rows[0]?.groups[0] === name, within, x: left, y, width, height: tall, cells });
      widest = Math.max(widest, left + width - x);
      height = Math.max(height, y + tall);
      y += tall + BETWEEN_Y;
    }
    x += widest + BETWEEN_X;
  }
  const cells = new Map(boxes.flatMap((box) => box.cells.map((cell) => [cell.row.id, cell] as const)));
  const edges = [...cells.values()].flatMap((to) =>
    to.row.depends_on.flatMap((id) => {
      const from = cells.get(id);
      return from ? [{ from, to }] : [];
    }),
  );
  const { links, shown } = linksOf(boxes, edges);
  // What hangs below the last line is to be seen.
  if (dense) height = Math.max(height, ...shown.map((link) => Math.max(link.y1, link.y2) + (link.out > 0 && link.back > 0 ? HANG : 0)));
  return { width: Math.max(0, ...boxes.map((box) => box.x + box.width)), height, boxes, cells, edges, links, shown, dense };
}

/** By id, who needs it, in the order of their ids. */
export function neededBy(components: readonly Component[]): Map<string, string[]> {
  const found = new Map<string, string[]>();
  for (const row of components) {
    for (const id of row.depends_on) {
      const known = found.get(id);
      if (known) known.push(row.id);
      else found.set(id, [row.id]);
    }
  }
  found.forEach((ids) => ids.sort());
  return found;
}

function needsOfGroups(members: ReadonlyMap<string, Component[]>): Map<string, string[]> {
  const groupOf = new Map([...members].flatMap(([name, rows]) => rows.map((row) => [row.id, name] as const)));
  return new Map(
    [...members].map(([name, rows]) => {
      const needs = new Set(rows.flatMap((row) => row.depends_on.flatMap((id) => groupOf.get(id) ?? [])));
      needs.delete(name);
      return [name, [...needs]];
    }),
  );
}

function linksOf(boxes: readonly Box[], edges: readonly Edge[]): { links: Link[]; shown: Link[] } {
  const boxOf = new Map(boxes.flatMap((box) => box.cells.map((cell) => [cell, box] as const)));
  const pairs = new Map<Box, Map<Box, Edge[]>>();
  for (const edge of edges) {
    const [from, to] = [boxOf.get(edge.from)!, boxOf.get(edge.to)!];
    if (from === to) continue;
    const ends = pairs.get(from) ?? new Map<Box, Edge[]>();
    pairs.set(from, ends);
    const its = ends.get(to);
    if (its) its.push(edge);
    else ends.set(to, [edge]);
  }
  const links = [...pairs].flatMap(([from, ends]) => [...ends].map(([to, its]) => joined(from, to, its)));
  links.sort((a, b) => b.edges.length - a.edges.length);
  const shown = links.slice(0, LINKS_MAX);
  spread(shown);
  return { links, shown };
}

/** Ends at one side of a box share it, in the order of where they lead, so that few arrows cross. */
function spread(links: readonly Link[]): void {
  const sides = new Map<string, { box: Box; other: Box; put: (x: number) => void }[]>();
  const end = (box: Box, y: number, other: Box, put: (x: number) => void) => {
    const side = `${y} ${box.name}`;
    const found = sides.get(side);
    if (found) found.push({ box, other, put });
    else sides.set(side, [{ box, other, put }]);
  };
  for (const link of links) {
    end(link.from, link.y1, link.to, (x) => (link.x1 = x));
    end(link.to, link.y2, link.from, (x) => (link.x2 = x));
  }
  const middle = (box: Box) => box.x + box.width / 2;
  for (const ends of sides.values()) {
    ends.sort((a, b) => middle(a.other) - middle(b.other));
    ends.forEach(({ box, put }, at) => put(Math.round(box.x + (box.width * (at + 1)) / (ends.length + 1))));
  }
}

function joined(from: Box, to: Box, edges: Edge[]): Link {
  const [fromEnd, toEnd] = [from.y + from.height, to.y + to.height];
  const place = { from, to, edges, x1: from.x, x2: to.x };
  if (to.y >= fromEnd) {
    const bend = Math.max(BEND_LEAST, (to.y - fromEnd) / 2);
    return { ...place, y1: fromEnd, y2: to.y, out: bend, back: -bend };
  }
  if (from.y >= toEnd) {
    const bend = Math.max(BEND_LEAST, (from.y - toEnd) / 2);
    return { ...place, y1: from.y, y2: toEnd, out: -bend, back: bend };
  }
  return { ...place, y1: fromEnd, y2: toEnd, out: HANG, back: HANG };
}

/** How long the longest chain of what each needs is; a cycle is cut where it closes. */
function depths(needs: ReadonlyMap<string, readonly string[]>): Map<string, number> {
  const found = new Map<string, number>();
  const under = new Set<string>();
  const visit = (id: string): number => {
    const known = found.get(id);
    if (known !== undefined) return known;
    const its = needs.get(id);
    if (!its || under.has(id) || under.size > 500) return -1;
    under.add(id);
    const depth = Math.max(-1, ...its.map(visit)) + 1;
    under.delete(id);
    found.set(id, depth);
    return depth;
  };
  [...needs.keys()].forEach(visit);
  return found;
}
