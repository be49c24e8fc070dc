/** What is fuzzed: every reader, with what a user of it would do. */
import { decodeText } from "../../src/bytes/text.ts";
import { COMPRESSIONS } from "../../src/bytes/decompress/format.ts";
import { unpack } from "../../src/bytes/decompress/decompress.ts";
import { parsePacmanLog } from "../../src/boot/changes/pacman-log.ts";
import { readChangeLogs } from "../../src/boot/changes/read-changes.ts";
import { parseFstab } from "../../src/boot/fstab.ts";
import { hvmBoot } from "../../src/boot/hvm/firmware.ts";
import { readInitramfs } from "../../src/boot/initramfs/read-initramfs.ts";
import { readKernel } from "../../src/boot/kernel/read-kernel.ts";
import { findLoaders } from "../../src/boot/loader/loaders.ts";
import { evaluateGrub2 } from "../../src/boot/loader/grub2/evaluate.ts";
import { assembleVolumes } from "../../src/disk/assemble.ts";
import type { Volume } from "../../src/disk/content.ts";
import type { FileSystem } from "../../src/disk/fs/filesystem.ts";
import { walk } from "../../src/disk/fs/walk.ts";
import { openImage } from "../../src/disk/image/formats.ts";
import type { ImageFormat } from "../../src/disk/image/formats.ts";
import { parseVolumeGroup } from "../../src/disk/lvm/metadata.ts";
import { memorySource } from "../../src/disk/source.ts";
import { readVolumes } from "../../src/disk/tree.ts";
import { parseDomainConfig } from "../../src/xen/domain-config.ts";
import { memoryFs } from "../../test/support/memory-fs.ts";
import type { Tree } from "../../test/support/memory-fs.ts";
import type { Field } from "./damage.ts";
import { DIRTY_SEEDS } from "./dirty-seeds.ts";
import { DM_TARGETS } from "./dm-targets.ts";
import { countRead } from "./outcome.ts";
import type { Outcome } from "./outcome.ts";
import { ext4Places, fatPlaces, qcow2Places, vhdPlaces, xfsPlaces } from "./places.ts";
import { btrfsSeals } from "./seals/btrfs.ts";
import { ext4Seals } from "./seals/ext4.ts";
import type { Seal } from "./seals/seal.ts";
import { gptSeals, lvmSeals, mdSeals, vhdSeals, xzSeals } from "./seals/tables.ts";
import { xfsSeals } from "./seals/xfs.ts";
import {
  COMPRESSED_SEEDS,
  DISK_SEEDS,
  GUEST_FILES,
  IMAGE_SEEDS,
  INITRAMFS_SEEDS,
  KERNEL_SEEDS,
  TEXT_SEEDS,
} from "./seeds.ts";

export type Target = {
  readonly name: string;
  readonly seed: () => Uint8Array;
  /**
   * Counts how far it got in `outcome`. May fail with a FailureError, which is a refusal of the whole; anything else is
   * a bug.
   */
  readonly read: (input: Uint8Array, outcome: Outcome) => Promise<void>;
  /** Places that are worth damage and in none of the structs that were looked at, whose fields are `known`. */
  readonly places?: (input: Uint8Array, known: readonly Field[]) => readonly Field[];
  /** Checksums. */
  readonly seals?: (input: Uint8Array) => readonly Seal[];
};

const MIB = 1024 * 1024;

async function readDisk(input: Uint8Array, outcome: Outcome): Promise<void> {
  const disk = await readVolumes(memorySource(input, ["fuzz"]), {});
  const { volumes } = await assembleVolumes([disk]);
  for (const volume of [disk, ...volumes].flatMap(allVolumes)) {
    const { content, source, tried } = volume;
    if (content.kind !== "unknown" && content.kind !== "empty") outcome.opened += 1;
    outcome.refused += tried.length;
    if (content.kind === "filesystem") await useFileSystem(content.fs, outcome);
    if (volume.assembly) {
      await countRead(outcome, () => source.read(0, Math.min(source.size, 64 * 1024)));
    }
  }
  const disc = { vdev: "hdc", cdrom: true, volume: disk, bootVolumes: [] };
  for (const firmware of ["bios", "uefi"] as const) {
    await hvmBoot({ disks: [disc], firmware, order: "d" });
  }
}

function allVolumes(volume: Volume): Volume[] {
  return [volume, ...volume.children];
}

/** As check, ls and cat would: everything is looked at, a little is read of many files. */
async function useFileSystem(fs: FileSystem, outcome: Outcome): Promise<void> {
  let files = 0;
  const read = (work: () => Promise<unknown>) => countRead(outcome, work);
  const onFailure = () => void (outcome.unreadable += 1);
  await read(async () => {
    for await (const { inode } of walk(fs, { maxEntries: 2000, onFailure })) {
      if (inode.kind === "file" && files++ < 40) {
        await read(() => fs.read(inode, 0, Math.min(inode.size, 64 * 1024)));
        const end = Math.max(0, inode.size - 4096);
        await read(() => fs.read(inode, end, Math.min(inode.size, 4096)));
      } else if (inode.kind === "symlink") await read(() => fs.readLink(inode));
    }
  });
  await read(async () => {
    let extents = 0;
    for await (const { length } of fs.usedExtents()) if (length <= 0 || ++extents > 100_000) break;
  });
}

/** Some of a disk in a file of another format, from its start on and at its end. */
async function readDiskImage(
  input: Uint8Array,
  outcome: Outcome,
  format: ImageFormat,
): Promise<void> {
  const file = memorySource(input, ["fuzz"]);
  const { source } = await openImage(format, file, { where: ["fuzz"] });
  outcome.opened += 1;
  const step = 4096;
  for (let at = 0; at < Math.min(source.size, MIB); at += step) {
    await countRead(outcome, () => source.read(at, Math.min(step, source.size - at)));
  }
  const end = Math.max(0, source.size - step);
  await countRead(outcome, () => source.read(end, Math.min(step, source.size)));
}

/** By what the name of a seed begins with. */
const PLACES: Readonly<Record<string, NonNullable<Target["places"]>>> = {
  fat: fatPlaces,
  ext: ext4Places,
  xfs: xfsPlaces,
  qcow2: qcow2Places,
  vhd: vhdPlaces,
};
const SEALS: Readonly<Record<string, NonNullable<Target["seals"]>>> = {
  ext: ext4Seals,
  xfs: xfsSeals,
  btrfs: btrfsSeals,
  gpt: gptSeals,
  "iso-hybrid": gptSeals,
  lvm: lvmSeals,
  md: mdSeals,
  vhd: vhdSeals,
  xz: xzSeals,
};

function byName<T>(table: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.entries(table).find(([start]) => name.startsWith(start))?.[1];
}

const bytesTargets = (
  seeds: Readonly<Record<string, () => Uint8Array>>,
  read: (input: Uint8Array, outcome: Outcome, name: string) => Promise<void>,
): Target[] =>
  Object.entries(seeds).map(([name, seed]) => {
    const places = byName(PLACES, name);
    const seals = byName(SEALS, name);
    return {
      name,
      seed,
      ...(places && { places }),
      ...(seals && { seals }),
      read: (input, outcome) => read(input, outcome, name),
    };
  });

/** For what opens as a whole or not at all. */
const whole =
  (read: (input: Uint8Array, name: string) => unknown) =>
  async (input: Uint8Array, outcome: Outcome, name = ""): Promise<void> => {
    await read(input, name);
    outcome.opened += 1;
  };

async function unpackAll(input: Uint8Array, name: string): Promise<void> {
  const format = COMPRESSIONS.find((one) => one === name)!;
  for await (const _ of unpack(format, input, { limit: 64 * MIB, where: ["fuzz"] })) continue;
}

async function readGrub(input: Uint8Array): Promise<void> {
  const fs = memoryFs({ boot: { grub: { "grub.cfg": input } } });
  const volume = { fs, vdev: "xvda", diskIndex: 0 };
  await evaluateGrub2({ config: { volume, path: "/boot/grub/grub.cfg" }, volumes: [volume] });
}

/** A file in a guest, as the loaders and the logs of package managers are looked for. */
async function readGuestFile(input: Uint8Array, path: string): Promise<void> {
  const [name, ...steps] = path.split("/").toReversed();
  const tree = steps.filter(Boolean).reduce<Tree>((inside, step) => ({ [step]: inside }), {
    [name!]: input,
  });
  const fs = memoryFs({ vmlinuz: "kernel", initrd: "initramfs", ...tree });
  const volume = { fs, vdev: "xvda", diskIndex: 0 };
  await findLoaders([volume]);
  await readChangeLogs(fs);
}

const text = (name: keyof typeof TEXT_SEEDS, read: (input: Uint8Array) => unknown): Target => ({
  name: `${name}-text`,
  seed: TEXT_SEEDS[name],
  read: whole(read),
});

export const TARGETS: readonly Target[] = [
  ...bytesTargets(DISK_SEEDS, readDisk),
  ...bytesTargets(DIRTY_SEEDS, readDisk),
  ...DM_TARGETS,
  ...bytesTargets(
    KERNEL_SEEDS,
    whole((input) => readKernel(input, "/vmlinuz", { where: ["fuzz"] })),
  ),
  ...bytesTargets(
    INITRAMFS_SEEDS,
    whole((input) => readInitramfs(input, "/initrd", { where: ["fuzz"], limitBytes: 64 * MIB })),
  ),
  ...bytesTargets(IMAGE_SEEDS, (input, outcome, name) =>
    readDiskImage(input, outcome, name as ImageFormat),
  ),
  ...bytesTargets(COMPRESSED_SEEDS, whole(unpackAll)),
  ...Object.entries(GUEST_FILES).map(([path, content]) => ({
    name: path,
    seed: () => Buffer.from(content),
    read: whole((input) => readGuestFile(input, path)),
  })),
  text("fstab", (input) => parseFstab(decodeText(input))),
  text("lvm", (input) => parseVolumeGroup(input, ["fuzz"])),
  text("grub", readGrub),
  text("config", (input) => parseDomainConfig(decodeText(input), { path: "fuzz.cfg" })),
  text("pacman", (input) => parsePacmanLog({ text: decodeText(input), where: ["fuzz"] })),
];
