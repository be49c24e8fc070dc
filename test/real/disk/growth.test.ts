/**
 * How the work of each reader grows with what it reads: four times the files, entries or pieces may cost four times as
 * much, and no reader may have an algorithm that grows faster. The exponent between the two larger of three sizes is
 * measured: of reads and bytes read, which is the same in every run, and of processor time, the least of several runs, with
 * a bound that a busy machine keeps and a quadratic algorithm (exponent 2) does not.
 */
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { assembleVolumes } from "../../../src/disk/assemble.ts";
import { openBtrfs } from "../../../src/disk/fs/btrfs/btrfs.ts";
import { openExt4 } from "../../../src/disk/fs/ext4/ext4.ts";
import { openVfat } from "../../../src/disk/fs/fat/vfat.ts";
import type { FileSystem, Inode } from "../../../src/disk/fs/filesystem.ts";
import { openIso9660 } from "../../../src/disk/fs/iso9660/iso9660.ts";
import { findPath } from "../../../src/disk/fs/resolve.ts";
import { walk } from "../../../src/disk/fs/walk.ts";
import { openXfs } from "../../../src/disk/fs/xfs/xfs.ts";
import { openImage } from "../../../src/disk/image/formats.ts";
import type { ImageFormat } from "../../../src/disk/image/formats.ts";
import { cachedSource } from "../../../src/disk/cache.ts";
import { parseVolumeGroup } from "../../../src/disk/lvm/metadata.ts";
import { memorySource } from "../../../src/disk/source.ts";
import type { ByteSource } from "../../../src/disk/source.ts";
import { readVolumes } from "../../../src/disk/tree.ts";
import { isoPrograms } from "../../support/fs/iso-programs.ts";
import { imageSource, mountedAs } from "../../support/fs/mounted.ts";
import { groupText, linear, lvmId, physicalVolume } from "../../support/lvm.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";
import { gptDisk, mbrSector } from "../../support/tables.ts";

const MAX_WORK = 1.15;
/** The caches of a processor that others use as well, and the collector of garbage, cost more with more data. */
const MAX_TIME = 1.6;
const FACTOR = 4;
const RUNS = 4;
/** What every image costs, whatever is in it; a few reads more or less are no growth. */
const FIXED_READS = 20;
const FIXED_BYTES = 1024 * 1024;
const FIXED_MS = 5;

type Work = { readonly reads: number; readonly bytes: number; readonly ms: number };

/** What it costs; the time is the least of several runs. */
async function measure(source: ByteSource, use: (source: ByteSource) => Promise<void>) {
  let least: Work | undefined;
  for (let run = 0; run < RUNS; run++) {
    let [reads, bytes] = [0, 0];
    const counting: ByteSource = {
      size: source.size,
      where: source.where,
      read(offset, length, signal) {
        reads += 1;
        bytes += length;
        return source.read(offset, length, signal);
      },
    };
    const start = process.cpuUsage();
    await use(counting);
    const { user, system } = process.cpuUsage(start);
    const ms = (user + system) / 1000;
    if (!least || ms < least.ms) least = { reads, bytes, ms };
  }
  return least!;
}

/** What it grows with, for a factor of four. */
function exponent(small: number, large: number, fixed: number): number {
  return Math.log((large + fixed) / (small + fixed)) / Math.log(FACTOR);
}

type Growth = {
  /** The smallest size. */
  readonly from: number;
  readonly make: (size: number) => Promise<ByteSource> | ByteSource;
  readonly use: (source: ByteSource) => Promise<void>;
};

async function expectLinear(name: string, { from, make, use }: Growth): Promise<void> {
  const works: Work[] = [];
  for (const size of [from, from * FACTOR, from * FACTOR * FACTOR]) {
    works.push(await measure(await make(size), use));
  }
  const [, middle, last] = works;
  const grows = {
    reads: exponent(middle!.reads, last!.reads, FIXED_READS),
    bytes: exponent(middle!.bytes, last!.bytes, FIXED_BYTES),
    ms: exponent(middle!.ms, last!.ms, FIXED_MS),
  };
  const text = works.map(
    ({ reads, bytes, ms }) => `${reads} reads, ${bytes >>> 10} KiB, ${ms.toFixed(0)} ms`,
  );
  const exponents = Object.values(grows).map((one) => one.toFixed(2));
  console.log(`${name}: ${text.join("; ")}: exponents ${exponents.join(", ")}`);
  expect(grows.reads, `${name}: reads`).toBeLessThan(MAX_WORK);
  expect(grows.bytes, `${name}: bytes`).toBeLessThan(MAX_WORK);
  expect(grows.ms, `${name}: processor time`).toBeLessThan(MAX_TIME);
}

/** The whole tree with all its links, some names looked up, the file in pieces from end to end, and what is in use. */
async function useAll(fs: FileSystem, allocates: boolean): Promise<void> {
  let pieces: Inode | undefined;
  let lookups = 20;
  for await (const { path, inode } of walk(fs)) {
    if (path === "/pieces") pieces = inode;
    else if (inode.kind === "symlink") await fs.readLink(inode);
    // A few only: one look at a directory may cost as much as listing it.
    else if (inode.kind === "file" && lookups-- > 0) await findPath(fs, path);
  }
  if (!pieces) throw new Error("no file of many pieces");
  const step = 64 * 1024;
  for (let at = 0; at < pieces.size; at += step) await fs.read(pieces, at, step);
  if (!allocates) return;
  for await (const _ of fs.usedExtents()) continue;
}

/** A crowd in one directory, some in many directories, and a file in many pieces. */
function fill(root: string, size: number, { holes = true, links = true } = {}): void {
  mkdirSync(`${root}/crowd`);
  for (let i = 0; i < size; i++) writeFileSync(`${root}/crowd/a name of some length ${i}`, "");
  for (let i = 0; i < size / 20; i++) {
    mkdirSync(`${root}/d${i}`);
    writeFileSync(`${root}/d${i}/file`, `${i}\n`);
    if (links) symlinkSync("s".repeat(100), `${root}/d${i}/link`);
  }
  const [one, other] = ["pieces", "between"].map((name) => openSync(`${root}/${name}`, "w"));
  const block = Buffer.alloc(4096, "domus ");
  for (let i = 0; i < size; i++) {
    // In holes, or with something else between that is on the disk at once.
    writeSync(one!, block, 0, block.length, holes ? i * 8192 : null);
    if (!holes) writeSync(other!, block);
  }
  closeSync(one!);
  closeSync(other!);
}

type Disk = {
  readonly name: string;
  readonly mkfs: string;
  readonly type: string;
  readonly open: (source: ByteSource) => Promise<FileSystem>;
};

const DISKS: readonly Disk[] = [
  { name: "ext4", mkfs: "mkfs.ext4 -q -F -i 8192", type: "ext4", open: openExt4 },
  {
    name: "ext2: maps of blocks, directories without an index",
    mkfs: "mkfs.ext4 -q -F -i 8192 -t ext2 -b 1024 -O ^dir_index",
    type: "ext4",
    open: openExt4,
  },
  { name: "XFS", mkfs: "mkfs.xfs -q -f", type: "xfs", open: openXfs },
  { name: "btrfs", mkfs: "mkfs.btrfs -q -f", type: "btrfs", open: openBtrfs },
];

describe("filesystems", () => {
  test.each(DISKS)("$name", async ({ name, mkfs, type, open }) => {
    need("mkfs.ext4", "mkfs.xfs", "mkfs.btrfs");
    needRoot("it mounts images");
    const dir = scratch();
    using opened = new DisposableStack();
    await expectLinear(name, {
      from: 400,
      async make(size) {
        const image = `${dir}/${size}`;
        sh(`truncate -s 768M '${image}'; ${mkfs} '${image}'`);
        await mountedAs({ image, type }, (root) => fill(root, size));
        return opened.use(imageSource(image));
      },
      use: async (source) => useAll(await open(source), true),
    });
  });

  test("FAT", async () => {
    need("mkfs.vfat", "mcopy");
    const dir = scratch();
    using opened = new DisposableStack();
    await expectLinear("FAT", {
      // mcopy itself takes time by the square of the names in a directory.
      from: 75,
      make(size) {
        const image = `${dir}/${size}.img`;
        mkdirSync(`${dir}/${size}`);
        // Chains of clusters are gone along one by one, also where the clusters lie together.
        fill(`${dir}/${size}`, size, { holes: false, links: false });
        sh(`truncate -s 96M '${image}'; mkfs.vfat -F 32 -s 1 '${image}'
          mcopy -s -i '${image}' '${dir}/${size}'/* ::/`);
        return opened.use(imageSource(image));
      },
      use: async (source) => useAll(await openVfat(source), true),
    });
  });

  test.each(["-R", "-J -joliet-long"])("ISO 9660, %s", async (options) => {
    const { genisoimage } = isoPrograms();
    const dir = scratch();
    using opened = new DisposableStack();
    await expectLinear(`ISO 9660 ${options}`, {
      from: 400,
      make(size) {
        mkdirSync(`${dir}/${size}`);
        fill(`${dir}/${size}`, size, { holes: false, links: false });
        sh(`${genisoimage} -quiet ${options} -o '${dir}/${size}.iso' '${dir}/${size}' 2>&1`);
        return opened.use(imageSource(`${dir}/${size}.iso`));
      },
      use: async (source) => useAll(await openIso9660(source), false),
    });
  });
});

describe("what lies below filesystems", () => {
  const groupOf = (volumes: number) =>
    groupText({
      pvs: [{ name: "pv0", id: lvmId("A"), start: 16384, count: 2 * volumes }],
      lvs: Array.from({ length: volumes }, (_, i) => ({
        name: `volume-${i}`,
        id: `AAAAAA-AAAA-AAAA-AAAA-AAAA-AAAA-${String(i).padStart(6, "0")}`,
        segments: [linear(0, 1, "pv0", i), linear(1, 1, "pv0", volumes + i)],
      })),
    });

  test("LVM2: logical volumes of two segments, looked into", async () => {
    await expectLinear("LVM2", {
      from: 60,
      make(volumes) {
        const areas = [{ offset: 4096, size: 4 * 1024 * 1024, text: groupOf(volumes) }];
        const dataOffset = 16384 * 512;
        const size = dataOffset + 2 * volumes * 4096;
        return memorySource(physicalVolume({ size, uuid: lvmId("A"), areas, dataOffset }));
      },
      async use(source) {
        const { volumes } = await assembleVolumes([await readVolumes(source)]);
        if (volumes.length < 60) throw new Error(`only ${volumes.length} volumes`);
      },
    });
  });

  test("LVM2: the text of its metadata", async () => {
    await expectLinear("LVM2 text", {
      from: 500,
      make: (volumes) => memorySource(Buffer.from(groupOf(volumes))),
      async use(source) {
        const { logicalVolumes } = parseVolumeGroup(await source.read(0, source.size), ["text"]);
        if (logicalVolumes.size < 500) throw new Error(`only ${logicalVolumes.size} volumes`);
      },
    });
  });

  test("MBR: a chain of extended partitions", async () => {
    await expectLinear("MBR", {
      from: 15,
      make(logical) {
        const sectors = 64 * (logical + 1);
        const disk = new Uint8Array(sectors * 512);
        const first = 64;
        const type = { slot: 1, type: 5, start: first, sectors: sectors - first };
        disk.set(mbrSector([type]));
        for (let i = 0; i < logical; i++) {
          const here = { slot: 1, type: 0x83, start: 1, sectors: 32 };
          const next = { slot: 2, type: 5, start: (i + 1) * 64, sectors: 64 };
          disk.set(mbrSector(i + 1 < logical ? [here, next] : [here], 0), (first + i * 64) * 512);
        }
        return memorySource(disk);
      },
      async use(source) {
        const { children } = await readVolumes(source);
        if (children.length < 15) throw new Error(`only ${children.length} partitions`);
      },
    });
  });

  test("GPT: an array of entries", async () => {
    await expectLinear("GPT", {
      from: 1024,
      make(entryCount) {
        const parts = Array.from({ length: 64 }, (_, i) => ({
          first: 20_000 + i * 8,
          last: 20_007 + i * 8,
          // Linux looks at no more than 255.
          index: i * 3,
        }));
        return memorySource(gptDisk({ diskSectors: 60_000, parts, entryCount }));
      },
      async use(source) {
        const { children } = await readVolumes(source);
        if (children.length !== 64) throw new Error(`${children.length} partitions`);
      },
    });
  });

  const reading = (format: ImageFormat, stride: number) => async (source: ByteSource) => {
    const image = await openImage(format, cachedSource(source), { where: ["xvda"] });
    for (let at = 0; at < image.source.size; at += stride) await image.source.read(at, 4096);
  };

  test("qcow2: a disk in many clusters", async () => {
    need("qemu-img");
    const dir = scratch();
    using opened = new DisposableStack();
    await expectLinear("qcow2", {
      from: 1000,
      make(clusters) {
        const raw = `${dir}/${clusters}`;
        const fd = openSync(raw, "w");
        const block = Buffer.alloc(4096, "domus ");
        for (let i = 0; i < clusters; i++) writeSync(fd, block, 0, block.length, i * 8192);
        closeSync(fd);
        sh(`qemu-img convert -O qcow2 -o cluster_size=4096 '${raw}' '${raw}.qcow2'`);
        return opened.use(imageSource(`${raw}.qcow2`));
      },
      use: reading("qcow2", 4096),
    });
  });

  test("VHD: a table of many blocks", async () => {
    need("qemu-img");
    const dir = scratch();
    using opened = new DisposableStack();
    await expectLinear("VHD", {
      from: 2000,
      make(blocks) {
        const path = `${dir}/${blocks}`;
        sh(`qemu-img create -q -f vpc -o force_size=on '${path}' ${blocks * 2}M`);
        return opened.use(imageSource(path));
      },
      use: reading("vhd", 2 * 1024 * 1024),
    });
  });
});
