/**
 * What Xen's own pygrub would do with the same disk: which partitions it sees, which file it reads, which entry it
 * takes. Facts and versions: xen tools/pygrub/src/pygrub and GrubConf.py, as of 4.14 to 4.20, run with Python 3.
 */
import { attempt } from "../base/failure.ts";
import { decodeText } from "../bytes/text.ts";
import type { Volume } from "../disk/content.ts";
import { findPath } from "../disk/fs/resolve.ts";
import type { FileSystem } from "../disk/fs/filesystem.ts";
import type { LoaderResult } from "./loader/loader.ts";
import { parseExtlinuxAsPygrub } from "./pygrub/extlinux-config.ts";
import { parseGrub2AsPygrub } from "./pygrub/grub2-config.ts";
import { parseLegacyAsPygrub } from "./pygrub/legacy-config.ts";
import type { PygrubEntry, PygrubParsed } from "./pygrub/python.ts";
import { pygrubOffsets } from "./pygrub/offsets.ts";
import { whyUnreadable } from "./pygrub/readable.ts";

export type PygrubView = {
  /** Set when pygrub finds an entry with a kernel. */
  readonly entry?: {
    readonly title: string;
    readonly index: number;
    readonly kernelPath: string;
    readonly ramdiskPath?: string;
    /** From the configuration alone; pygrub appends what the guest's config says. */
    readonly args: string;
    readonly configPath: string;
    /** Whose configuration that is. */
    readonly loader?: LoaderResult["loader"];
    readonly partitionNumber?: number;
    /** Of kernel and ramdisk: those that are not there. pygrub then stops with `Error opening ... in guest`. */
    readonly missing?: readonly string[];
  };
  /** With `entry`: its whole menu, submenus flattened, as the configuration has it. */
  readonly entries?: readonly PygrubEntry[];
  /** When it finds none: why, in its own terms, one line per partition or volume that it cannot see or read. */
  readonly blind: readonly string[];
  /** What may make it see something else than domus does: a journal that it does not replay. */
  readonly notes?: readonly string[];
};

export type PygrubInput = {
  /** The guest's first disk; pygrub is given no other. */
  readonly disk: Volume;
  readonly signal?: AbortSignal;
};

type Format = {
  readonly path: string;
  readonly loader: LoaderResult["loader"];
  readonly parse: (text: string) => PygrubParsed;
};

function formats(
  paths: readonly string[],
  loader: LoaderResult["loader"],
  parse: Format["parse"],
): Format[] {
  return paths.map((path) => ({ path, loader, parse }));
}

/** In this order; the first that is there is taken, whatever is in it. */
const FORMATS: readonly Format[] = [
  ...formats(
    ["/boot/grub/grub.cfg", "/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub2/grub.cfg"],
    "grub2",
    parseGrub2AsPygrub,
  ),
  ...formats(
    [
      "/boot/isolinux/isolinux.cfg",
      "/boot/extlinux/extlinux.conf",
      "/boot/extlinux.conf",
      "/extlinux/extlinux.conf",
      "/extlinux.conf",
    ],
    "extlinux",
    parseExtlinuxAsPygrub,
  ),
  ...formats(
    ["/boot/grub/menu.lst", "/boot/grub/grub.conf", "/grub/menu.lst", "/grub/grub.conf"],
    "grub-legacy",
    parseLegacyAsPygrub,
  ),
];
/** FS_READ_MAX in pygrub: what comes later in the file is not seen. */
const READ_MAX_BYTES = 1024 * 1024;

/** Fails only when the first sectors of the disk cannot be read. */
export async function pygrubView({ disk, signal }: PygrubInput): Promise<PygrubView> {
  const { offsets, problem } = await pygrubOffsets(disk.source, signal);
  if (problem !== undefined) return { blind: [`${disk.name}: ${problem}`] };
  const blind: string[] = [];
  const looked = new Set<Volume>();
  for (const offset of offsets) {
    const volume = volumeAt(disk, offset);
    if (!volume || looked.has(volume)) continue;
    looked.add(volume);
    const look = await lookAt(volume, signal);
    if ("why" in look) {
      if (look.why !== "") blind.push(`${volume.name}: ${look.why}`);
      continue;
    }
    const notes = staleNotes(volume, look.fs);
    const { entry, entries } = look;
    return { entry, entries, blind: [], ...(notes.length > 0 && { notes }) };
  }
  blind.push(...unseen(disk, looked));
  return { blind };
}

function volumeAt(disk: Volume, offset: number): Volume | undefined {
  if (offset === 0 && disk.content.kind !== "table") return disk;
  return disk.children.find((child) => child.partition?.offset === offset);
}

type Look =
  | {
      readonly entry: NonNullable<PygrubView["entry"]>;
      readonly entries: readonly PygrubEntry[];
      readonly fs: FileSystem;
    }
  /** Empty where there is nothing to say: swap, blank space. */
  | { readonly why: string };

async function lookAt(volume: Volume, signal?: AbortSignal): Promise<Look> {
  const unreadable = await whyUnreadable(volume, signal);
  if (unreadable !== undefined || volume.content.kind !== "filesystem") {
    return { why: unreadable ?? "" };
  }
  const { fs } = volume.content;
  const read = await attempt(() => readConfig(fs, signal));
  if (!read.ok) return { why: `its ${fs.kind} filesystem is damaged` };
  if (!read.value)
    return { why: `${fs.kind} without any configuration file that pygrub looks for` };
  const { format, bytes } = read.value;
  const { path } = format;
  const text = decodeText(bytes);
  if (!text.isWellFormed()) return { why: `${path} is not UTF-8, which ends pygrub's reading` };
  const parsed = format.parse(text);
  if ("crash" in parsed) return { why: `its parser gives up on ${path}: ${parsed.crash}` };
  const entry = { ...(await entryOf(fs, parsed.chosen, path)), loader: format.loader };
  const { partition } = volume;
  return {
    fs,
    entry: { ...entry, ...(partition && { partitionNumber: partition.number }) },
    entries: parsed.entries,
  };
}

type Config = { readonly format: Format; readonly bytes: Uint8Array };

async function readConfig(fs: FileSystem, signal?: AbortSignal): Promise<Config | undefined> {
  for (const format of FORMATS) {
    const found = await findPath(fs, format.path);
    if (found?.inode.kind !== "file") continue;
    const length = Math.min(found.inode.size, READ_MAX_BYTES);
    return { format, bytes: await fs.read(found.inode, 0, length, signal) };
  }
  return undefined;
}

async function entryOf(
  fs: FileSystem,
  chosen: PygrubEntry,
  configPath: string,
): Promise<NonNullable<PygrubView["entry"]>> {
  const { title, index, kernelPath, ramdiskPath, args } = chosen;
  const missing: string[] = [];
  for (const path of [kernelPath, ramdiskPath]) {
    if (path === undefined || path === "") continue;
    const found = await attempt(() => findPath(fs, path));
    // Damage on the way there keeps pygrub from it as well.
    if (!found.ok || found.value?.inode.kind !== "file") missing.push(path);
  }
  return {
    title,
    index,
    kernelPath,
    args,
    configPath,
    ...(ramdiskPath !== undefined && ramdiskPath !== "" && { ramdiskPath }),
    ...(missing.length > 0 && { missing }),
  };
}

function staleNotes(volume: Volume, fs: FileSystem): string[] {
  if (fs.state.clean && !/replay/.test(fs.state.text)) return [];
  return [
    `${volume.name}: ${fs.kind} with a journal that is not replayed (${fs.state.text}); pygrub reads the disk as it is and may see older files`,
  ];
}

/** Partitions and the disk itself, where pygrub did not even look. */
function unseen(disk: Volume, looked: ReadonlySet<Volume>): string[] {
  return disk.children
    .filter((child) => !looked.has(child) && child.content.kind !== "empty")
    .map((child) =>
      child.partition?.logical
        ? `${child.name}: a logical partition; pygrub looks at the four primary ones only`
        : `${child.name}: pygrub does not find it, as it takes the GPT for granted: first copy, entries in sector 2, sectors of 512 bytes`,
    );
}
