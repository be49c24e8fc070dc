/**
 * An entry of systemd-boot's menu, and the menu's order (systemd: src/boot/boot.c boot_entry_compare; UAPI "Boot
 * Loader Specification", section "Sorting"; boot counting: systemd.io/AUTOMATIC_BOOT_ASSESSMENT).
 */
import type { BootEntry } from "../loader.ts";
import { compareText, compareUapiVersions } from "./version.ts";

export type Item = {
  readonly entry: BootEntry;
  /** The file name without its counter: what `default` in loader.conf is matched with. */
  readonly id: string;
  readonly sortKey?: string;
  readonly machineId: string;
  readonly version: string;
  /** Undefined without a counter in the file name. */
  readonly triesLeft?: number;
  readonly triesDone?: number;
};

export type Counted = Pick<Item, "id" | "triesLeft" | "triesDone">;

/** `arch+3-1.conf`: 3 tries are left, 1 is done. */
export function parseCounter(name: string): Counted {
  const match = /^(.*)\+(\d{1,9})(?:-(\d{1,9}))?(\.(?:conf|efi))$/i.exec(name);
  if (!match) return { id: name };
  return {
    id: match[1]! + match[4]!,
    triesLeft: Number(match[2]),
    triesDone: Number(match[3] ?? 0),
  };
}

/** Below 0 when `a` comes first. Entries without tries left are the last. */
export function compareItems(a: Item, b: Item): number {
  const spent = Number(a.triesLeft === 0) - Number(b.triesLeft === 0);
  if (spent !== 0) return spent;
  const keyed = Number(a.sortKey === undefined) - Number(b.sortKey === undefined);
  if (keyed !== 0) return keyed;
  if (a.sortKey !== undefined && b.sortKey !== undefined) {
    const order =
      compareText(a.sortKey, b.sortKey) ||
      compareText(a.machineId, b.machineId) ||
      compareUapiVersions(b.version, a.version);
    if (order !== 0) return order;
  }
  const byId = compareUapiVersions(b.id.toLowerCase(), a.id.toLowerCase());
  if (byId !== 0 || a.triesLeft === undefined || b.triesLeft === undefined) return byId;
  return b.triesLeft - a.triesLeft || (a.triesDone ?? 0) - (b.triesDone ?? 0);
}
