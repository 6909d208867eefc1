/** Where groups and components stand on the map, and what joins them. No drawing here. */
import type { Component, Group } from "./rows";

export interface Box {
  name: string;
  title: string;
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

export interface ComponentMap {
  width: number;
  height: number;
  boxes: Box[];
  edges: Edge[];
  /** Too many for names: cells are small squares, and no edges are drawn. */
  dense: boolean;
}

export const DENSE_FROM = 120;
const NAMED = { width: 168, height: 30, gap: 8, columns: 1 };
const SMALL = { width: 14, height: 14, gap: 4, columns: 12 };
const PAD = 12;
const HEAD = 30;
const BETWEEN_X = 64;
const BETWEEN_Y = 18;
const NONE = "no group";

/** `room`: pixels of width; boxes of one depth stand below one another, what is needed stands to the left. */
export function mapOf(components: readonly Component[], groups: readonly Group[], room: number): ComponentMap {
  const dense = components.length > DENSE_FROM;
  const size = dense ? SMALL : NAMED;
  const depth = depths(components);
  const members = new Map<string, Component[]>();
  for (const row of components) {
    const name = row.groups[0] ?? NONE;
    const found = members.get(name);
    if (found) found.push(row);
    else members.set(name, [row]);
  }
  const titles = new Map(groups.map((group) => [group.name, group]));
  const columns = new Map<number, { name: string; rows: Component[] }[]>();
  for (const [name, rows] of [...members].sort(([a], [b]) => a.localeCompare(b))) {
    const column = dense ? 0 : Math.max(...rows.map((row) => depth.get(row.id) ?? 0));
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
        if (next.x + next.width + BETWEEN_Y + width <= room) {
          left = next.x + next.width + BETWEEN_Y;
          y = next.y;
        } else {
          left = x;
          y = height + BETWEEN_Y;
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
      boxes.push({ name, title: titles.get(name)?.title ?? "", within, x: left, y, width, height: tall, cells });
      widest = Math.max(widest, left + width - x);
      height = Math.max(height, y + tall);
      y += tall + BETWEEN_Y;
    }
    x += widest + BETWEEN_X;
  }
  const cells = new Map(boxes.flatMap((box) => box.cells.map((cell) => [cell.row.id, cell] as const)));
  const edges = dense
    ? []
    : [...cells.values()].flatMap((to) =>
        to.row.depends_on.flatMap((id) => {
          const from = cells.get(id);
          return from ? [{ from, to }] : [];
        }),
      );
  return { width: Math.max(0, ...boxes.map((box) => box.x + box.width)), height, boxes, edges, dense };
}

/** How long the longest chain of what each needs is; a cycle is cut where it closes. */
function depths(components: readonly Component[]): Map<string, number> {
  const rows = new Map(components.map((row) => [row.id, row]));
  const found = new Map<string, number>();
  const under = new Set<string>();
  const visit = (id: string): number => {
    const known = found.get(id);
    if (known !== undefined) return known;
    const row = rows.get(id);
    if (!row || under.has(id) || under.size > 500) return -1;
    under.add(id);
    const depth = Math.max(-1, ...row.depends_on.map(visit)) + 1;
    under.delete(id);
    found.set(id, depth);
    return depth;
  };
  components.forEach((row) => visit(row.id));
  return found;
}
