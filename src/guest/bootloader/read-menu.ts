/**
 * What can be started from a guest's first disk, and what would be: the guest's own loader configuration, with pygrub's
 * view of the disk where domus finds nothing.
 */
import { attempt, failureText, missing } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { isFile } from "../../boot/loader/boot-file.ts";
import type { BootEntry, BootFile, BootVolume, LoaderResult } from "../../boot/loader/loader.ts";
import { findLoaders } from "../../boot/loader/loaders.ts";
import type { PygrubEntry } from "../../boot/pygrub/python.ts";
import type { PygrubView } from "../../boot/pygrub-view.ts";
import { pygrubView } from "../../boot/pygrub-view.ts";
import type { Volume } from "../../disk/content.ts";
import { windowSource } from "../../disk/source.ts";
import { readVolumes } from "../../disk/tree.ts";
import { diskBootVolumes } from "../disks/boot-volumes.ts";
import type { OpenDisk } from "../disks/open-disks.ts";

export type MenuEntry = {
  /** With the titles of the submenus around it. */
  readonly title: string;
  /** The entry's own title, which `--entry` may name. */
  readonly ownTitle: string;
  readonly kernel?: BootFile;
  readonly ramdisks: readonly BootFile[];
  readonly args: string;
  /** Why it cannot be started. */
  readonly problem?: string;
  /** What it asks for and does not get. */
  readonly lacks?: string;
};

export type BootMenu = {
  /** For people: `grub2`, `kernel=`, `pygrub's reading`. */
  readonly loader: string;
  readonly where: Where;
  /** In menu order, submenus flattened. */
  readonly entries: readonly MenuEntry[];
  /** Index of the one that is started when nobody chooses. */
  readonly chosen: number;
  readonly because: string;
  /** In seconds; -1 waits for ever. Undefined where the configuration says nothing. */
  readonly timeoutSeconds?: number;
};

/** A place that was looked at, and what came of it. */
export type Look = { readonly where: Where; readonly said: string };

export type MenuSearch = { readonly menu?: BootMenu; readonly looks: readonly Look[] };

export type MenuOptions = {
  readonly disk: OpenDisk;
  /** Files in the guest that are to be started, whatever its configuration says. */
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** The only filesystem to look at, by its place on the disk in bytes. */
  readonly offset?: number;
  readonly signal?: AbortSignal;
};

/** Without a menu, `looks` says of each place why there is none. */
export async function readMenu(options: MenuOptions): Promise<MenuSearch> {
  const { disk, kernel, signal } = options;
  const { failure } = disk.facts;
  if (failure) return { looks: [{ where: failure.where, said: failureText(failure) }] };
  const volumes = await volumesOf(disk, options.offset, signal);
  const unread = [...(disk.volume ? [disk.volume] : []), ...disk.assembled].flatMap(unreadIn);
  if (kernel !== undefined) {
    const search = await namedFiles(volumes, kernel, options.ramdisk);
    return { ...search, looks: [...search.looks, ...unread] };
  }
  const { results, tried } = await findLoaders(volumes, signal);
  const view = await viewOfPygrub(options);
  const looks = [
    ...tried.map(({ where, failure: why }) => ({
      where,
      said: why ? failureText(why) : "no loader configuration",
    })),
    ...results.flatMap(lookOf),
    ...unread,
  ];
  const best = results.find(isStartable);
  if (best) return { menu: spelled(menuOf(best), view), looks };
  const menu = (view && menuOfPygrub(view, volumes)) ?? menuWithoutDefault(results);
  return { looks, ...(menu && { menu }) };
}

async function volumesOf(
  disk: OpenDisk,
  offset: number | undefined,
  signal: AbortSignal | undefined,
): Promise<readonly BootVolume[]> {
  if (offset === undefined || !disk.volume) return disk.bootVolumes;
  const at = disk.bootVolumes.filter((one) => (one.partition?.offset ?? 0) === offset);
  if (at.length > 0) return at;
  const { source } = disk.volume;
  if (offset >= source.size) throw missing(source.where, `byte ${offset}: the disk is smaller`);
  const rest = windowSource(source, offset, source.size - offset, `byte ${offset}`);
  const volume = await readVolumes(rest, signal ? { signal } : {});
  return diskBootVolumes(volume, { vdev: disk.facts.spec.vdev, index: 0 });
}

/** The places without a filesystem that domus reads, and why. */
function unreadIn(volume: Volume): Look[] {
  return [volume, ...volume.children].flatMap(({ source: { where }, content, tried }) => {
    if (content.kind === "filesystem" || content.kind === "table") return [];
    if (content.kind === "named") return [{ where, said: `${content.format}: ${content.why}` }];
    const [failed] = tried;
    if (failed) return [{ where, said: `${failed.name}: ${failureText(failed.failure)}` }];
    return [{ where, said: NOTHING[content.kind] }];
  });
}

const NOTHING = {
  swap: "swap",
  member: "part of a volume group or an array",
  empty: "nothing but zeroes",
  unknown: "no filesystem that domus knows",
} as const;

async function namedFiles(
  volumes: readonly BootVolume[],
  kernel: string,
  ramdisk: string | undefined,
): Promise<MenuSearch> {
  const looks: Look[] = [];
  for (const volume of volumes) {
    const found = await attempt(() => isFile(volume.fs, kernel));
    if (!found.ok || !found.value) {
      const said = found.ok ? `no file ${kernel}` : failureText(found.failure);
      looks.push({ where: volume.fs.where, said });
      continue;
    }
    const entry: MenuEntry = {
      title: kernel,
      ownTitle: kernel,
      kernel: { volume, path: kernel },
      ramdisks: ramdisk === undefined ? [] : [{ volume, path: ramdisk }],
      args: "",
    };
    const because = "kernel= in the guest's config names it";
    const where = volume.fs.where;
    return { menu: { loader: "kernel=", where, entries: [entry], chosen: 0, because }, looks };
  }
  return { looks };
}

function isStartable(result: LoaderResult): boolean {
  const entry = result.chosen === undefined ? undefined : result.entries[result.chosen];
  return entry !== undefined && problemOf(entry) === undefined;
}

/** The default cannot be started, but something else can: a person may choose it. */
function menuWithoutDefault(results: readonly LoaderResult[]): BootMenu | undefined {
  const some = results.find(
    ({ chosen, entries }) =>
      chosen !== undefined && entries.some((entry) => problemOf(entry) === undefined),
  );
  return some && menuOf(some);
}

function problemOf(entry: BootEntry): string | undefined {
  const [gone] = entry.missing;
  if (gone) return `${gone.path} is not there`;
  if (entry.problem !== undefined) return entry.problem;
  return entry.kernel ? undefined : "no Linux kernel in it";
}

function lookOf(result: LoaderResult): Look[] {
  const where = [...result.volume.fs.where, result.configPath];
  const entry = result.chosen === undefined ? undefined : result.entries[result.chosen];
  if (!entry) return [{ where, said: `nothing to start: ${result.because}` }];
  const problem = problemOf(entry);
  if (problem === undefined) return [];
  return [{ where, said: `the entry "${entry.title}" (${result.because}): ${problem}` }];
}

function menuOf(result: LoaderResult): BootMenu {
  const entries = result.entries.map((entry): MenuEntry => {
    const problem = problemOf(entry);
    return {
      title: [...entry.submenus, entry.title].join(" > "),
      ownTitle: entry.title,
      ramdisks: entry.ramdisks,
      args: result.loader === "extlinux" ? withoutInitrdWords(entry.args) : entry.args,
      ...(entry.kernel && { kernel: entry.kernel }),
      ...(problem !== undefined && { problem }),
      ...(entry.lacks !== undefined && { lacks: entry.lacks }),
    };
  });
  return {
    loader: result.loader,
    where: [...result.volume.fs.where, result.configPath],
    entries,
    chosen: result.chosen!,
    because: result.because,
    ...(result.timeout !== undefined && { timeoutSeconds: result.timeout }),
  };
}

async function viewOfPygrub({
  disk,
  offset,
  signal,
}: MenuOptions): Promise<PygrubView | undefined> {
  if (!disk.volume || offset !== undefined) return undefined;
  const { volume } = disk;
  const view = await attempt(() => pygrubView({ disk: volume, ...(signal && { signal }) }));
  return view.ok ? view.value : undefined;
}

/**
 * GRUB puts one space between the words of a command line, pygrub copies the line as it is. Where the words are the
 * same, the answer is to be the same as well. And where the configuration means a device that this guest does not have,
 * pygrub, which knows no devices, has the better view.
 */
function spelled(menu: BootMenu, view: PygrubView | undefined): BootMenu {
  const { entry: seen, entries: all = [] } = view ?? {};
  if (!seen) return menu;
  const keyOf = (path: string, args: string) => `${path}\0${wordsOf(args)}`;
  // The first of a kind wins, the default over all.
  const twins = new Map<string, PygrubEntry>();
  for (const one of [...all.toReversed(), seen]) twins.set(keyOf(one.kernelPath, one.args), one);
  const entries = menu.entries.map((entry): MenuEntry => {
    const { kernel, lacks, ...rest } = entry;
    if (!kernel || kernel.volume.partition?.number !== seen.partitionNumber) return entry;
    const twin = twins.get(keyOf(kernel.path, entry.args));
    if (!twin) return entry;
    const { args, ramdiskPath } = twin;
    if (twin !== seen || lacks === undefined || ramdiskPath === undefined || seen.missing) {
      return { ...entry, args };
    }
    return { ...rest, kernel, args, ramdisks: [{ volume: kernel.volume, path: ramdiskPath }] };
  });
  return { ...menu, entries };
}

/** SYSLINUX leaves its `initrd=` in the kernel's command line, pygrub takes it out; kernels do not know it. */
function withoutInitrdWords(args: string): string {
  return args.replace(/(?:^|[ \t]+)initrd=\S*/g, "").trimStart();
}

function wordsOf(args: string): string {
  return args
    .split(/[ \t]+/)
    .filter((word) => word !== "")
    .join(" ");
}

/** pygrub's own menu. Only the files of its default are known to be there. */
function menuOfPygrub(
  { entry, entries = [] }: PygrubView,
  volumes: readonly BootVolume[],
): BootMenu | undefined {
  const volume = volumes.find((one) => one.partition?.number === entry?.partitionNumber);
  if (!entry || !volume || (entry.missing?.length ?? 0) > 0) return undefined;
  return {
    loader: "pygrub's reading of it",
    where: [...volume.fs.where, entry.configPath],
    entries: entries.map(({ title, kernelPath, ramdiskPath = "", args }) => ({
      title,
      ownTitle: title,
      ramdisks: ramdiskPath === "" ? [] : [{ volume, path: ramdiskPath }],
      args,
      ...(kernelPath === ""
        ? { problem: "no Linux kernel in it" }
        : { kernel: { volume, path: kernelPath } }),
    })),
    chosen: entry.index,
    because: "the guest's own loader would start nothing",
  };
}
