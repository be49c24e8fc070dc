/** Entries of type 1 of the Boot Loader Specification, `loader/entries/*.conf`, as systemd-boot reads them. */
import { isFile, fileNames, readTextFile } from "../boot-file.ts";
import { blsField, blsFields, parseBlsEntry } from "../grub2/bls.ts";
import type { BlsEntry } from "../grub2/bls.ts";
import type { BootEntry, BootFile, BootVolume } from "../loader.ts";
import { parseCounter } from "./item.ts";
import type { Item } from "./item.ts";

/** In bytes; real ones have less than 1 KiB. */
const ENTRY_LIMIT = 64 * 1024;
const MAX_ENTRIES = 500;
/** A field that repeats is meant for two or three files. */
const MAX_RAMDISKS = 32;
/** What systemd-boot for this processor calls it. */
const OUR_ARCHITECTURE = "x64";

export type Type1Place = {
  readonly volume: BootVolume;
  /** What paths in the entries begin at: empty, or `/boot` where that is a directory of a larger filesystem. */
  readonly base: string;
  readonly signal?: AbortSignal;
};

/** Those that would be in the menu; in the order of the directory. */
export async function readType1(place: Type1Place): Promise<Item[]> {
  const { volume, base, signal } = place;
  const directory = `${base}/loader/entries`;
  const items: Item[] = [];
  const options = { limit: 4 * MAX_ENTRIES, ...(signal && { signal }) };
  for (const name of await fileNames(volume.fs, directory, options)) {
    if (name.startsWith(".") || !/[^.]\.conf$/i.test(name)) continue;
    if (items.length >= MAX_ENTRIES) break;
    signal?.throwIfAborted();
    const path = `${directory}/${name}`;
    const read = { limitBytes: ENTRY_LIMIT, ...(signal && { signal }) };
    const text = await readTextFile(volume.fs, path, read);
    const fields = text === undefined ? undefined : parseBlsEntry(text, name);
    const item = fields && (await itemOf(fields, place));
    if (item) items.push(item);
  }
  return items;
}

async function itemOf(fields: BlsEntry, place: Type1Place): Promise<Item | undefined> {
  const architecture = blsField(fields, "architecture");
  if (architecture !== undefined && architecture.toLowerCase() !== OUR_ARCHITECTURE) {
    return undefined;
  }
  const entry = await entryOf(fields, place);
  if (!entry) return undefined;
  const sortKey = blsField(fields, "sort-key");
  return {
    entry,
    ...parseCounter(fields.id),
    machineId: blsField(fields, "machine-id") ?? "",
    version: blsField(fields, "version") ?? "",
    ...(sortKey !== undefined && { sortKey }),
  };
}

async function entryOf(fields: BlsEntry, place: Type1Place): Promise<BootEntry | undefined> {
  const linux = blsField(fields, "linux");
  const program = blsField(fields, "efi") ?? blsField(fields, "uki");
  const first = linux ?? program;
  if (first === undefined) return undefined;
  const { volume } = place;
  const paths = [first, ...(linux === undefined ? [] : blsFields(fields, "initrd"))];
  const files: BootFile[] = [];
  const missing: BootFile[] = [];
  for (const path of paths.slice(0, MAX_RAMDISKS)) {
    const file = await locate(path, place);
    files.push(file);
    if (!(await isFile(volume.fs, file.path))) missing.push(file);
  }
  const [kernel, ...ramdisks] = files;
  const version = blsField(fields, "version");
  const title = blsField(fields, "title") ?? fields.id;
  return {
    // The menu tells entries of one title apart by their versions.
    title: version === undefined || title.includes(version) ? title : `${title} (${version})`,
    id: fields.id,
    submenus: [],
    kind: linux === undefined ? "chain" : "linux",
    ...(linux !== undefined && kernel && { kernel }),
    ramdisks,
    args: blsFields(fields, "options").join(" "),
    missing,
    line: 1,
  };
}

/** Paths begin at the partition; below `/boot` of a root filesystem both ways of writing them are met. */
async function locate(text: string, { volume, base }: Type1Place): Promise<BootFile> {
  const path = `/${text.replace(/^\/+/, "")}`;
  if (base !== "" && !(await isFile(volume.fs, path))) {
    const below = base + path;
    if (await isFile(volume.fs, below)) return { volume, path: below };
  }
  return { volume, path };
}
