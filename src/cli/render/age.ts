/** How long ago something was, in words. */
import { countText } from "../../base/units.ts";

const UNITS = [
  ["day", 86_400_000],
  ["hour", 3_600_000],
  ["minute", 60_000],
  ["second", 1000],
] as const;

/** `3 minutes`, in the largest unit of which there are two. Of what is yet to come, `0 seconds`. */
export function ageText(thenMs: number, nowMs: number): string {
  const ageMs = Math.max(0, nowMs - thenMs);
  const [name, ms] = UNITS.find(([, unitMs]) => ageMs >= 2 * unitMs) ?? ["second", 1000];
  return countText(Math.floor(ageMs / ms), name);
}

/** `3d`: as short as a column wants it. */
export function shortAge(thenMs: number, nowMs: number): string {
  const [count, name] = ageText(thenMs, nowMs).split(" ");
  return `${count}${name![0]}`;
}
