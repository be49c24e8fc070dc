/**
 * Boot Loader Specification type 1 entries, `loader/entries/*.conf` (https://uapi-group.org/specifications/specs/
 * boot_loader_specification/), and what the GRUB of Fedora, RHEL and their relatives makes of them (command `blscfg`,
 * grub-core/commands/blscfg.c in their packages): the order, variables in `options`, `early_initrd`.
 *
 * Not supported: `efi` entries and unified kernel images.
 */
import { decodeText } from "../../../bytes/text.ts";
import type { FileSystem } from "../../../disk/fs/filesystem.ts";
import { findPath, readFile } from "../../../disk/fs/resolve.ts";

export type BlsEntry = {
  /** The file name without `.conf`. */
  readonly id: string;
  /** In the order of the file; a key may come several times. */
  readonly fields: readonly (readonly [key: string, value: string])[];
};

/** In bytes; real ones have less than 1 KiB. */
const ENTRY_LIMIT = 64 * 1024;
const MAX_ENTRIES = 1_000;

/** The first value of a key. */
export function blsField(entry: BlsEntry, key: string): string | undefined {
  return entry.fields.find(([name]) => name === key)?.[1];
}

export function blsFields(entry: BlsEntry, key: string): readonly string[] {
  return entry.fields.flatMap(([name, value]) => (name === key ? [value] : []));
}

/**
 * Lines of `key value`; lines that begin with `#` are comments. GRUB's reader (`grub: true`) ends at the first line
 * without a value, an empty one included, and takes a space before a tab for the separator.
 */
export function parseBlsEntry(
  text: string,
  id: string,
  { grub = false }: { grub?: boolean } = {},
): BlsEntry {
  const fields: [string, string][] = [];
  for (const raw of text.split("\n")) {
    const line = raw.replaceAll("\r", "").replace(/^[ \t]+/, "");
    if (line.startsWith("#")) continue;
    const space = grub && line.includes(" ") ? line.indexOf(" ") : line.search(/[ \t]/);
    const value = space < 0 ? "" : line.slice(space + 1).replace(/^[ \t]+/, "");
    if (value === "") {
      if (grub) break;
      continue;
    }
    fields.push([line.slice(0, space), grub ? value : value.trimEnd()]);
  }
  return { id, fields };
}

export type ReadBlsOptions = {
  /** Called for each file before it is read; throws when that is too much. */
  readonly spend: () => void;
  readonly signal?: AbortSignal;
};

/** The entries of a directory as GRUB lists them, newest first; `undefined` when there is no such directory. */
export async function readBlsEntries(
  fs: FileSystem,
  directory: string,
  { spend, signal }: ReadBlsOptions,
): Promise<BlsEntry[] | undefined> {
  const found = await findPath(fs, directory);
  if (found?.inode.kind !== "directory") return undefined;
  const entries: BlsEntry[] = [];
  for await (const { name } of fs.list(found.inode, signal)) {
    if (name.startsWith(".") || !name.endsWith(".conf") || name === ".conf") continue;
    if (entries.length >= MAX_ENTRIES) break;
    spend();
    const path = `${directory}/${name}`;
    if ((await findPath(fs, path))?.inode.kind !== "file") continue;
    const text = decodeText(await readFile(fs, path, ENTRY_LIMIT, signal));
    entries.push(parseBlsEntry(text, name.slice(0, -".conf".length), { grub: true }));
  }
  entries.sort((a, b) => compareBlsIds(b.id, a.id));
  // Of several that compare equal GRUB keeps the one that it read first.
  return entries.filter((entry, i) => i === 0 || compareBlsIds(entries[i - 1]!.id, entry.id) !== 0);
}

/** Which is newer: the file name is taken for a package's name-version-release. */
export function compareBlsIds(a: string, b: string): number {
  const left = splitPackage(a);
  const right = splitPackage(b);
  for (const [i, part] of left.entries()) {
    const order = compareRpmVersions(part, right[i]!);
    if (order !== 0) return order;
  }
  return 0;
}

/** Name, version and release; what is not there is empty. */
function splitPackage(id: string): [string, string, string] {
  const last = id.lastIndexOf("-");
  if (last < 0) return [id, "", ""];
  const middle = id.lastIndexOf("-", last - 1);
  if (middle < 0 || last === 0) return [id.slice(0, last), id.slice(last + 1), ""];
  return [id.slice(0, middle), id.slice(middle + 1, last), id.slice(last + 1)];
}

const PART = /[0-9]+|[A-Za-z]+|[~+]/g;

/**
 * rpm's order of versions: digits as numbers and newer than letters, `~` before everything, even the end; `+` as
 * `~`, but after the end. A number compares with letters as newer.
 */
export function compareRpmVersions(a: string, b: string): number {
  const left = a.match(PART) ?? [];
  const right = b.match(PART) ?? [];
  for (let i = 0; i < Math.max(left.length, right.length); i++) {
    const [one, two] = [left[i], right[i]];
    if (one === two) continue;
    for (const mark of ["~", "+"]) {
      if (one !== mark && two !== mark) continue;
      if (mark === "+" && one === undefined) return -1;
      if (mark === "+" && two === undefined) return 1;
      return one === mark ? -1 : 1;
    }
    if (one === undefined || two === undefined) return one === undefined ? -1 : 1;
    const order = compareParts(one, two);
    if (order !== 0) return order;
  }
  return 0;
}

function isNumber(part: string): boolean {
  return /^[0-9]/.test(part);
}

function compareParts(a: string, b: string): number {
  // A number against letters: the number is newer, whichever side it is on.
  if (isNumber(a) !== isNumber(b)) return isNumber(a) ? 1 : -1;
  if (!isNumber(a)) return a < b ? -1 : a > b ? 1 : 0;
  const [one, two] = [a.replace(/^0+/, ""), b.replace(/^0+/, "")];
  if (one.length !== two.length) return one.length - two.length;
  return one < two ? -1 : one > two ? 1 : 0;
}

/**
 * The menu entry that GRUB's `blscfg` makes, as script; `undefined` when the entry names no kernel. `variable` gives
 * GRUB's variables: `$kernelopts` in the options, `early_initrd`, `default_kernelopts`, `save_default`.
 */
export function blsBody(
  entry: BlsEntry,
  variable: (name: string) => string | undefined,
): string | undefined {
  const linux = blsField(entry, "linux");
  if (linux === undefined) return undefined;
  const options = blsField(entry, "options") ?? variable("default_kernelopts") ?? "";
  const initrds = blsFields(entry, "initrd");
  const beside = initrds[0] ?? linux;
  const directory = beside.slice(0, beside.lastIndexOf("/") + 1);
  const early = (variable("early_initrd") ?? "").split(" ").filter(Boolean);
  const all = [...early.map((name) => directory + name), ...initrds];
  const lines = [
    ...(variable("save_default") === "true" ? ["savedefault"] : []),
    "load_video",
    "set gfxpayload=keep",
    "insmod gzio",
    `linux ($root)${linux} ${expandOptions(options, variable)}`,
    ...(all.length > 0 ? [`initrd ${all.map((path) => `($root)${path}`).join(" ")}`] : []),
  ];
  return lines.join("\n");
}

/** Whether GRUB asks for a password before it starts the entry, once it has superusers. */
export function isBlsRestricted(
  entry: BlsEntry,
  variable: (name: string) => string | undefined,
): boolean {
  return expandOptions(blsField(entry, "grub_users") ?? "", variable) !== "";
}

/** `$kernelopts` and the like; a blank follows the value, and one that followed the name is taken away. */
function expandOptions(text: string, variable: (name: string) => string | undefined): string {
  return text.replace(/\$([A-Za-z0-9_]+) ?/g, (_, name: string) => {
    const value = variable(name);
    return value === undefined ? "" : `${value} `;
  });
}
