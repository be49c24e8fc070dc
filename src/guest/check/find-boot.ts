/** From a guest's config and open disks to the boot that is planned: which files, which command line, and why. */
import type { Failure } from "../../base/failure.ts";
import { failureText } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { singleSlashes } from "../../base/path.ts";
import type { Where } from "../../base/where.ts";
import { findLoaders } from "../../boot/loader/loaders.ts";
import type { BootEntry, BootFile, BootVolume, LoaderResult } from "../../boot/loader/loader.ts";
import type { PygrubView } from "../../boot/pygrub-view.ts";
import type { DomainConfig } from "../../xen/domain-config.ts";

/** A file to be read for the boot: in a guest's filesystem, or in dom0 for a direct boot. */
export type BootSource =
  | { readonly from: "guest"; readonly file: BootFile }
  | { readonly from: "host"; readonly path: string };

export type FoundBoot = {
  readonly loader: LoaderResult["loader"] | "direct";
  readonly source: Where;
  readonly entry?: string;
  readonly because: string;
  readonly args: string;
  readonly kernel: BootSource;
  readonly ramdisks: readonly BootSource[];
  /** What the loader's configuration was found to have wrong. */
  readonly findings: readonly Finding[];
  /** The filesystem that the boot files are on. */
  readonly volume?: BootVolume;
};

export type BootSearch = {
  readonly boot?: FoundBoot;
  readonly tried: readonly { readonly where: Where; readonly said: string }[];
  readonly loaders: readonly LoaderResult[];
  /** A volume on which a configuration may be could not be read through. */
  readonly failed?: boolean;
};

/** True when libxl runs a bootloader in dom0 for it: only then `kernel=` is a path inside the guest. */
export function usesBootloader(config: DomainConfig): boolean {
  return config.type !== "hvm" && config.bootloader !== undefined && config.bootloader !== "";
}

export type FindBootOptions = {
  /** The loader that runs, where the firmware is known to start it: its configuration comes before others. */
  readonly runs?: LoaderResult["loader"] | undefined;
  readonly signal?: AbortSignal | undefined;
};

export async function findBoot(
  config: DomainConfig,
  volumes: readonly BootVolume[],
  { runs, signal }: FindBootOptions = {},
): Promise<BootSearch> {
  if (config.kernel && config.type !== "hvm") {
    if (!usesBootloader(config)) return { boot: directBoot(config), tried: [], loaders: [] };
    return { boot: namedBoot(config, volumes), tried: [], loaders: [] };
  }
  const { results, tried } = await findLoaders(volumes, signal);
  const failed = tried.some((one) => one.failure !== undefined);
  const notes = tried.map((one) => ({ where: one.where, said: said(one.failure) }));
  // libxl gives the bootloader the first disk only; GRUB in an HVM guest starts from the first that can boot.
  const startable = results.filter((result) => result.chosen !== undefined);
  const first = startable.find(({ loader }) => loader === runs) ?? startable[0];
  if (!first) {
    const entryless = results.map((r) => ({ where: r.where, said: `no entry: ${r.because}` }));
    return { tried: [...notes, ...entryless], loaders: results, failed };
  }
  const boot = bootOf(first, first.entries[first.chosen!]!, config);
  return { ...(boot && { boot }), tried: notes, loaders: results };
}

function said(failure: Failure | undefined): string {
  return failure ? failureText(failure) : "no loader configuration";
}

/** What the config itself names. */
export function directBoot(config: DomainConfig): FoundBoot {
  return {
    loader: "direct",
    source: [...config.where],
    because: "kernel= in the config",
    findings: [],
    args: config.cmdline,
    kernel: { from: "host", path: config.kernel! },
    ramdisks: config.ramdisk ? [{ from: "host", path: config.ramdisk }] : [],
  };
}

/** bootloader= and kernel=: the bootloader takes that path from the guest's disk instead of reading a menu. */
function namedBoot(config: DomainConfig, volumes: readonly BootVolume[]): FoundBoot {
  const volume = volumes[0];
  const file = (path: string): BootSource =>
    volume ? { from: "guest", file: { volume, path } } : { from: "host", path };
  return {
    loader: "direct",
    source: [...config.where],
    because: `kernel= in the config names a file in the guest, fetched by ${config.bootloader}`,
    findings: [],
    args: config.cmdline,
    kernel: file(config.kernel!),
    ramdisks: config.ramdisk ? [file(config.ramdisk)] : [],
    ...(volume && { volume }),
  };
}

/** The boot of one entry of a loader's configuration; `undefined` when it starts no kernel. */
export function bootOf(
  result: LoaderResult,
  entry: BootEntry,
  config: DomainConfig,
): FoundBoot | undefined {
  if (!entry.kernel) return undefined;
  // pygrub appends what the config says (extra=, root=) after the entry's own words.
  const extra = usesBootloader(config) ? config.cmdline : "";
  return {
    loader: result.loader,
    source: [...result.volume.fs.where, result.configPath],
    entry: [...entry.submenus, entry.title].join(" > "),
    because: result.because,
    findings: result.findings,
    args: extra ? `${entry.args} ${extra}` : entry.args,
    kernel: inGuest(entry.kernel),
    ramdisks: entry.ramdisks.map(inGuest),
    volume: result.volume,
  };
}

function inGuest(file: BootFile): BootSource {
  return { from: "guest", file };
}

/**
 * What pygrub starts from the first disk. It reads the same file as the guest's GRUB by rules of its own, and it is what
 * runs on this host.
 */
export function pygrubBoot(
  view: PygrubView,
  volumes: readonly BootVolume[],
  config: DomainConfig,
): FoundBoot | undefined {
  const { entry } = view;
  const volume = volumes.find(
    (one) => one.diskIndex === 0 && one.partition?.number === entry?.partitionNumber,
  );
  if (!entry || !volume) return undefined;
  const guest = (path: string) => inGuest({ volume, path });
  return {
    loader: entry.loader ?? "grub2",
    source: [...volume.fs.where, entry.configPath],
    entry: entry.title,
    because: `pygrub takes entry ${entry.index}`,
    findings: [],
    args: config.cmdline ? `${entry.args} ${config.cmdline}` : entry.args,
    kernel: guest(entry.kernelPath),
    ramdisks: entry.ramdiskPath === undefined ? [] : [guest(entry.ramdiskPath)],
    volume,
  };
}

/** The paths of kernel and ramdisks, for comparing two boots. */
export function bootPaths(boot: FoundBoot): { kernel: string; ramdisks: readonly string[] } {
  return { kernel: pathOf(boot.kernel), ramdisks: boot.ramdisks.map(pathOf) };
}

function pathOf(source: BootSource): string {
  return singleSlashes(source.from === "host" ? source.path : source.file.path);
}
