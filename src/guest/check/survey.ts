/** Gathers everything that the rules want to know of one guest. All I/O of `domus check` is called from here. */
import { attempt } from "../../base/failure.ts";
import { fileName } from "../../base/path.ts";
import { contains } from "../../base/where.ts";
import { readChanges } from "../../boot/changes/read-changes.ts";
import type { PackageChange } from "../../boot/changes/package-change.ts";
import { DEFAULT_ORDER, hvmBoot } from "../../boot/hvm/firmware.ts";
import type { HvmBoot } from "../../boot/hvm/firmware.ts";
import type { BootVolume } from "../../boot/loader/loader.ts";
import { pygrubView } from "../../boot/pygrub-view.ts";
import type { PygrubView } from "../../boot/pygrub-view.ts";
import { findRoot, parseRoot } from "../../boot/root-device.ts";
import type { RootDevice } from "../../boot/root-device.ts";
import type { HostAround } from "../../check/host-around.ts";
import { judge } from "../../check/judge.ts";
import { wantsChanges } from "../../check/recent-change.ts";
import type { GrubStage } from "../../check/facts.ts";
import { unpackedBy } from "../../boot/grub-image/grub-image.ts";
import type { ConfiguredBoot, GuestFacts, PlannedBoot, VolumeFacts } from "../../check/facts.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import type { Host } from "../../host/host.ts";
import type { DomainConfig } from "../../xen/domain-config.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import { readSettings } from "../bootloader/settings.ts";
import { openDisks } from "../disks/open-disks.ts";
import type { OpenDisk } from "../disks/open-disks.ts";
import { noFactsCache } from "./facts-cache.ts";
import type { FactsCache } from "./facts-cache.ts";
import { volumesInBootOrder } from "./boot-order.ts";
import { findGrubChain } from "./grub-chain.ts";
import type { GrubChain } from "./grub-chain.ts";
import { neighbourOf, surroundingsOf } from "./host-around.ts";
import { bootPaths, findBoot, pygrubBoot, usesBootloader } from "./find-boot.ts";
import type { BootSearch, FoundBoot } from "./find-boot.ts";
import { readBootFiles } from "./read-boot-files.ts";
import { readRootFiles } from "./root-files.ts";
import { openRootView } from "./root-view.ts";
import type { ReadBootOptions } from "./read-boot-files.ts";

export type SurveyOptions = {
  readonly host: Host;
  readonly xen: HostFacts;
  readonly configPath: string;
  readonly config: DomainConfig;
  /** Left out: everything is read anew. */
  readonly cache?: FactsCache;
  /** What else is on the host; left out: the guest is judged by itself. */
  readonly around?: HostAround;
  /** See DiskOptions. */
  readonly backing?: readonly string[] | undefined;
  readonly signal?: AbortSignal;
};

/** Reads disks, loader configuration, kernel, initramfs and logs. What cannot be read becomes a fact that says so. */
export async function survey(options: SurveyOptions): Promise<GuestFacts> {
  const { host, xen, config, configPath, cache = noFactsCache, signal } = options;
  await using opened = await openDisks(host, config.disks, { backing: options.backing, signal });
  const { disks } = opened;
  const bootVolumes = disks.flatMap((disk) => disk.bootVolumes);
  const hvm = await hvmOf(config, disks, signal);
  const runs = hvm?.start?.loader;
  // libxl gives a bootloader the first disk only.
  const reachable = isDomusPygrub(config) ? disks.slice(0, 1) : disks;
  const search = await findBoot(config, volumesInBootOrder(reachable, hvm), { runs, signal });
  const volumes = disks.flatMap((disk) => disk.facts.volumes);
  const pygrub = await pygrubOf(config, disks[0], signal);
  // What runs on this host decides; what the guest's own loader would start is kept for comparison.
  const chain = await findGrubChain({
    host,
    config,
    volumes: bootVolumes,
    ...(signal && { signal }),
  });
  const found = (pygrub && pygrubBoot(pygrub, bootVolumes, config)) ?? chain?.boot ?? search.boot;
  const device = found && rootOf(found, disks, volumes);
  const holder = rootFileSystem(bootVolumes, volumes, device);
  const view = holder && (await openRootView(holder, found?.args ?? ""));
  const root = device?.where && view ? { ...device, view: view.facts } : device;
  const boot = found
    ? await plannedBoot({ host, boot: found, cache, root, chain, ...(signal && { signal }) })
    : hvm && hvmDiskBoot(hvm, search);
  const rootFs = view ? view.fs : holder;
  const complete = disks.every((disk) => disk.complete);
  const facts: GuestFacts = {
    name: config.name,
    configPath,
    config,
    host: xen,
    disks: disks.map((disk) => disk.facts),
    bootTried: search.tried,
    changes: [],
    ...(rootFs && { rootFiles: await readRootFiles(rootFs, { volumes, complete }) }),
    ...(options.around && {
      around: await surroundingsOf(
        host,
        options.around,
        await neighbourOf(host, config, configPath),
      ),
    }),
    ...(boot && { boot }),
    ...(pygrub && { pygrub }),
    ...((await mendsBoot(host, config)) && { mendsBoot: true as const }),
    ...(hvm && { hvm }),
    ...(search.boot && { configured: configuredBoot(search.boot) }),
  };
  // Awaited here: the disks are closed when this function ends.
  return rootFs ? await withChanges(facts, rootFs, signal) : facts;
}

function isDomusPygrub(config: DomainConfig): boolean {
  return usesBootloader(config) && fileName(config.bootloader ?? "") === "domus-pygrub";
}

async function mendsBoot(host: Host, config: DomainConfig): Promise<boolean> {
  if (!isDomusPygrub(config) || config.bootloaderArgs.includes("--no-repair")) return false;
  return (await readSettings(host)).repair !== "never";
}

/** Reading the logs of a guest can take longer than all the rest, and says nothing of one that will boot. */
async function withChanges(
  facts: GuestFacts,
  fs: FileSystem,
  signal: AbortSignal | undefined,
): Promise<GuestFacts> {
  if (!wantsChanges(judge(facts).findings)) return facts;
  return { ...facts, changes: await changesOf(fs, signal) };
}

type PlanOptions = ReadBootOptions & {
  readonly root?: RootDevice | undefined;
  readonly chain?: GrubChain | undefined;
};

async function plannedBoot(options: PlanOptions): Promise<PlannedBoot> {
  const { boot, root, chain, ...rest } = options;
  const read = await readBootFiles(options);
  const stage = chain?.boot && (await grubStage(chain, { ...rest, boot: chain.itself }));
  return {
    loader: boot.loader,
    source: boot.source,
    because: boot.because,
    args: boot.args,
    findings: boot.findings,
    ...read,
    ...(boot.entry !== undefined && { entry: boot.entry }),
    ...(root && { root }),
    ...(stage && { chain: stage }),
    ...(chain && !chain.boot && { grubSaid: chain.said ?? "" }),
  };
}

async function grubStage({ path, image }: GrubChain, options: PlanOptions): Promise<GrubStage> {
  const { platform, bits } = image;
  const boot = await plannedBoot(options);
  return { path, platform, bits, unpacks: unpackedBy(image), boot };
}

function configuredBoot(boot: FoundBoot): ConfiguredBoot {
  const { entry, because, args } = boot;
  return { because, args, ...bootPaths(boot), ...(entry !== undefined && { entry }) };
}

function rootOf(
  boot: FoundBoot,
  disks: readonly OpenDisk[],
  volumes: readonly VolumeFacts[],
): RootDevice | undefined {
  const spec = parseRoot(boot.args);
  return (
    spec &&
    findRoot(
      spec,
      volumes,
      disks.every((disk) => disk.complete),
    )
  );
}

async function pygrubOf(
  config: DomainConfig,
  first: OpenDisk | undefined,
  signal: AbortSignal | undefined,
): Promise<PygrubView | undefined> {
  const isPygrub = usesBootloader(config) && /(^|\/)pygrub$/.test(config.bootloader ?? "");
  // With kernel= it takes the named file and reads no menu.
  if (!isPygrub || config.kernel || !first?.volume) return undefined;
  return pygrubView({ disk: first.volume, ...(signal && { signal }) });
}

/** With kernel= the firmware starts that, and no disk. */
async function hvmOf(
  config: DomainConfig,
  disks: readonly OpenDisk[],
  signal: AbortSignal | undefined,
): Promise<HvmBoot | undefined> {
  if (config.type !== "hvm" || config.kernel) return undefined;
  const present = disks.filter(({ facts }) => facts.state !== "empty-cdrom");
  return hvmBoot({
    disks: present.map(({ facts, volume, bootVolumes }) => ({
      vdev: facts.spec.vdev,
      cdrom: facts.spec.cdrom,
      bootVolumes,
      ...(volume && { volume }),
    })),
    firmware: /ovmf|uefi/i.test(config.firmware ?? "") ? "uefi" : "bios",
    order: config.boot ?? DEFAULT_ORDER,
    ...(signal && { signal }),
  });
}

/**
 * Windows and the like: no configuration of a loader that domus knows, and something that the firmware starts. Where a
 * configuration was found that could not be followed, it is not known where the boot goes.
 */
function hvmDiskBoot({ start }: HvmBoot, { loaders, failed }: BootSearch): PlannedBoot | undefined {
  if (!start || failed || loaders.length > 0) return undefined;
  return {
    loader: "hvm-disk",
    source: start.where,
    because: `the firmware starts ${start.what}`,
    args: "",
    files: [],
    initramfs: [],
  };
}

/** The filesystem that root= names; else the one that looks like a root. */
function rootFileSystem(
  bootVolumes: readonly BootVolume[],
  volumes: readonly VolumeFacts[],
  root: RootDevice | undefined,
): FileSystem | undefined {
  const at = (where: readonly string[] | undefined) =>
    where && bootVolumes.find((one) => contains(where, one.fs.where))?.fs;
  return at(root?.where) ?? at(volumes.find((one) => one.looksLikeRoot)?.where);
}

async function changesOf(
  fs: FileSystem,
  signal: AbortSignal | undefined,
): Promise<readonly PackageChange[]> {
  // No log, or a damaged one, takes nothing from the verdict.
  const read = await attempt(() => readChanges(fs, signal ? { signal } : {}));
  return read.ok ? read.value : [];
}
