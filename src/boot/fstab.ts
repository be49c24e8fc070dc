/**
 * /etc/fstab of a guest, after fstab(5): six fields, octal escapes for blanks in them.
 * A line that libmount would skip is skipped and named, never guessed at.
 */
import { Budget } from "../base/budget.ts";
import type { Where } from "../base/where.ts";
import { decodeBytes, parseDevice } from "./root-device.ts";
import type { RootSpec } from "./root-device.ts";

export type FstabEntry = {
  readonly device: RootSpec;
  /** `none` or `swap` where nothing is mounted. */
  readonly mountPoint: string;
  readonly type: string;
  readonly options: readonly string[];
  readonly dump: number;
  /** fsck order; 0 is never. */
  readonly pass: number;
  /** From 1. */
  readonly line: number;
};

export type Fstab = {
  readonly entries: readonly FstabEntry[];
  /** The lines that have fewer than three fields, or text where a number belongs. */
  readonly badLines: readonly number[];
};

/** More lines than any machine has mounts; what exceeds it is a `limit` failure. */
const MAX_LINES = 10_000;

export function parseFstab(text: string, where: Where = ["/etc/fstab"]): Fstab {
  const budget = new Budget(MAX_LINES, where, "the number of lines");
  const entries: FstabEntry[] = [];
  const badLines: number[] = [];
  let line = 0;
  for (const raw of text.split("\n")) {
    budget.spend();
    line += 1;
    const fields = raw.trim().split(/[\t\r ]+/);
    if (fields[0] === "" || fields[0]!.startsWith("#")) continue;
    const entry = parseLine(fields, line);
    if (entry) entries.push(entry);
    else badLines.push(line);
  }
  return { entries, badLines };
}

function parseLine(fields: readonly string[], line: number): FstabEntry | undefined {
  const comment = fields.findIndex((field) => field.startsWith("#"));
  const [device, mountPoint, type, options = "defaults", dump = "0", pass = "0"] =
    comment < 0 ? fields : fields.slice(0, comment);
  if (device === undefined || mountPoint === undefined || type === undefined) return undefined;
  if (!/^\d{1,9}$/.test(dump) || !/^\d{1,9}$/.test(pass)) return undefined;
  return {
    device: parseDevice(unescapeField(device)),
    mountPoint: unescapeField(mountPoint),
    type,
    options: unescapeField(options).split(","),
    dump: Number(dump),
    pass: Number(pass),
    line,
  };
}

/** `\040` is a blank, `\011` a tab, `\134` a backslash. */
function unescapeField(field: string): string {
  return field.includes("\\") ? decodeBytes(field, /\\([0-3][0-7]{2})/g, 8) : field;
}

/** The line of the root filesystem: the first for `/`, as systemd-fstab-generator takes it. */
export function rootEntry(fstab: Fstab): FstabEntry | undefined {
  return fstab.entries.find((entry) => entry.mountPoint === "/");
}
