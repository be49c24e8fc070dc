/** What is fuzzed: every reader, with what a user of it would do. */
import { attempt } from "../../src/base/failure.ts";
import { decodeText } from "../../src/bytes/text.ts";
import { COMPRESSIONS } from "../../src/bytes/decompress/format.ts";
import { unpack } from "../../src/bytes/decompress/decompress.ts";
import { parsePacmanLog } from "../../src/boot/changes/pacman-log.ts";
import { hvmBoot } from "../../src/boot/hvm/firmware.ts";
import { readInitramfs } from "../../src/boot/initramfs/read-initramfs.ts";
import { readKernel } from "../../src/boot/kernel/read-kernel.ts";
import { evaluateGrub2 } from "../../src/boot/loader/grub2/evaluate.ts";
import { assembleVolumes } from "../../src/disk/assemble.ts";
import type { Volume } from "../../src/disk/content.ts";
import { parseBootSector } from "../../src/disk/fs/fat/boot-sector.ts";
import type { FileSystem } from "../../src/disk/fs/filesystem.ts";
import { walk } from "../../src/disk/fs/walk.ts";
import { openImage } from "../../src/disk/image/formats.ts";
import type { ImageFormat } from "../../src/disk/image/formats.ts";
import { parseVolumeGroup } from "../../src/disk/lvm/metadata.ts";
import { memorySource } from "../../src/disk/source.ts";
import { readVolumes } from "../../src/disk/tree.ts";
import { parseDomainConfig } from "../../src/xen/domain-config.ts";
import { memoryFs } from "../../test/support/memory-fs.ts";
import type { Field } from "./damage.ts";
import {
  COMPRESSED_SEEDS,
  DISK_SEEDS,
  IMAGE_SEEDS,
  INITRAMFS_SEEDS,
  KERNEL_SEEDS,
  TEXT_SEEDS,
} from "./seeds.ts";

export type Target = {
  readonly name: string;
  readonly seed: () => Uint8Array;
  /** May fail with a FailureError; anything else is a bug. */
  readonly read: (input: Uint8Array) => Promise<void>;
  /** Places that are worth damage and in no struct. */
  readonly places?: (input: Uint8Array) => readonly Field[];
};

const MIB = 1024 * 1024;

async function readDisk(input: Uint8Array): Promise<void> {
  const disk = await readVolumes(memorySource(input, ["fuzz"]), {});
  for (const volume of allVolumes(disk)) {
    if (volume.content.kind === "filesystem") await useFileSystem(volume.content.fs);
  }
  const { volumes } = await assembleVolumes([disk]);
  for (const { source, content } of volumes.flatMap(allVolumes)) {
    if (content.kind === "filesystem") await useFileSystem(content.fs);
    await attempt(() => source.read(0, Math.min(source.size, 64 * 1024)));
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
async function useFileSystem(fs: FileSystem): Promise<void> {
  let files = 0;
  await attempt(async () => {
    for await (const { inode } of walk(fs, { maxEntries: 2000, onFailure: () => {} })) {
      if (inode.kind === "file" && files++ < 40) {
        await attempt(() => fs.read(inode, 0, Math.min(inode.size, 64 * 1024)));
        await attempt(() =>
          fs.read(inode, Math.max(0, inode.size - 4096), Math.min(inode.size, 4096)),
        );
      } else if (inode.kind === "symlink") await attempt(() => fs.readLink(inode));
    }
  });
  await attempt(async () => {
    let extents = 0;
    for await (const { length } of fs.usedExtents()) if (length <= 0 || ++extents > 100_000) break;
  });
}

/** Some of a disk in a file of another format, from its start on and at its end. */
async function readDiskImage(input: Uint8Array, format: ImageFormat): Promise<void> {
  const file = memorySource(input, ["fuzz"]);
  const { source } = await openImage(format, file, { where: ["fuzz"] });
  const step = 4096;
  for (let at = 0; at < Math.min(source.size, MIB); at += step) {
    await source.read(at, Math.min(step, source.size - at));
  }
  await source.read(Math.max(0, source.size - step), Math.min(step, source.size));
}

/** The first entries of the file allocation table, where chains are. */
function fatEntries(input: Uint8Array): Field[] {
  const { fatOffset, bits, clusterEnd } = parseBootSector(input.subarray(0, 512), ["fuzz"]);
  return Array.from({ length: Math.min(clusterEnd, 2000) }, (_, cluster) => ({
    name: `FAT entry ${cluster}`,
    at: fatOffset + Math.floor((cluster * bits) / 8),
    size: Math.ceil(bits / 8),
  }));
}

const bytesTargets = (
  seeds: Readonly<Record<string, () => Uint8Array>>,
  read: (input: Uint8Array, name: string) => Promise<unknown>,
): Target[] =>
  Object.entries(seeds).map(([name, seed]) => ({
    name,
    seed,
    ...(name.startsWith("fat") && { places: fatEntries }),
    read: async (input) => {
      await read(input, name);
    },
  }));

async function unpackAll(input: Uint8Array, name: string): Promise<void> {
  const format = COMPRESSIONS.find((one) => one === name)!;
  for await (const _ of unpack(format, input, { limit: 64 * MIB, where: ["fuzz"] })) continue;
}

async function readGrub(input: Uint8Array): Promise<void> {
  const fs = memoryFs({ boot: { grub: { "grub.cfg": input } } });
  const volume = { fs, vdev: "xvda", diskIndex: 0 };
  await evaluateGrub2({ config: { volume, path: "/boot/grub/grub.cfg" }, volumes: [volume] });
}

export const TARGETS: readonly Target[] = [
  ...bytesTargets(DISK_SEEDS, readDisk),
  ...bytesTargets(KERNEL_SEEDS, (input) => readKernel(input, "/vmlinuz", { where: ["fuzz"] })),
  ...bytesTargets(INITRAMFS_SEEDS, (input) =>
    readInitramfs(input, "/initrd", { where: ["fuzz"], limitBytes: 64 * MIB }),
  ),
  ...bytesTargets(IMAGE_SEEDS, (input, name) => readDiskImage(input, name as ImageFormat)),
  ...bytesTargets(COMPRESSED_SEEDS, unpackAll),
  {
    name: "lvm-text",
    seed: TEXT_SEEDS.lvm,
    read: async (input) => void parseVolumeGroup(input, ["fuzz"]),
  },
  { name: "grub", seed: TEXT_SEEDS.grub, read: readGrub },
  {
    name: "config",
    seed: TEXT_SEEDS.config,
    read: async (input) => void parseDomainConfig(decodeText(input), { path: "fuzz.cfg" }),
  },
  {
    name: "pacman",
    seed: TEXT_SEEDS.pacman,
    read: async (input) => void parsePacmanLog({ text: decodeText(input), where: ["fuzz"] }),
  },
];
