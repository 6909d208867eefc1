/** Figures and times as people read them. */
import { clock } from "./clock";

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { year: "numeric", month: "short", day: "2-digit" });
const WHOLE = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat(undefined, { maximumFractionDigits: 1 });
const FINE = new Intl.NumberFormat(undefined, { maximumSignificantDigits: 3 });

export function count(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : WHOLE.format(value);
}

export function number(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  return Math.abs(value) >= 1000 ? WHOLE.format(value) : Math.abs(value) >= 10 ? SHORT.format(value) : FINE.format(value);
}

/** A figure a second: 0.4, 12.3, 240. */
export function rated(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : (value >= 100 ? WHOLE : SHORT).format(value);
}

export function percent(share: number | null | undefined): string {
  return share === null || share === undefined ? "–" : `${SHORT.format(share * 100)} %`;
}

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return "–";
  let left = value;
  for (const unit of ["B", "KiB", "MiB", "GiB"]) {
    if (left < 1024) return `${SHORT.format(left)} ${unit}`;
    left /= 1024;
  }
  return `${SHORT.format(left)} TiB`;
}

/** `seconds` as one or two units: 0.35 s, 12 s, 4 min 10 s, 3 h 5 min, 2 d 4 h. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return "–";
  const s = Math.max(0, seconds);
  if (s < 1) return `${s.toFixed(2)} s`;
  if (s < 10) return `${SHORT.format(s)} s`;
  if (s < 60) return `${Math.round(s)} s`;
  if (s < 3600) return pair(Math.floor(s / 60), "min", Math.round(s % 60), "s");
  if (s < 86400) return pair(Math.floor(s / 3600), "h", Math.round((s % 3600) / 60), "min");
  return pair(Math.floor(s / 86400), "d", Math.round((s % 86400) / 3600), "h");
}

function pair(a: number, aUnit: string, b: number, bUnit: string): string {
  return b === 0 ? `${a} ${aUnit}` : `${a} ${aUnit} ${b} ${bUnit}`;
}

/** Unix seconds, or RFC 3339, in milliseconds; NaN for what is no time. */
export function millis(value: number | string): number {
  return typeof value === "number" ? value * 1000 : Date.parse(value);
}

/** The time of day; with the date unless it is today's. */
export function moment(value: number | string | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const at = millis(value);
  if (Number.isNaN(at)) return String(value);
  const today = DAY.format(clock.now()) === DAY.format(at);
  return today ? TIME.format(at) : `${DAY.format(at)} ${TIME.format(at)}`;
}

export function timeOfDay(ms: number): string {
  return TIME.format(ms);
}

/** How long ago, by the nodes' clock. */
export function ago(value: number | string): string {
  const seconds = (clock.now() - millis(value)) / 1000;
  if (seconds < -1) return `in ${duration(-seconds)}`;
  return seconds < 1 ? "now" : `${duration(Math.floor(seconds))} ago`;
}

export function plural(n: number, one: string, many = `${one}s`): string {
  return `${WHOLE.format(n)} ${n === 1 ? one : many}`;
}
