/** Volumes made wrong on purpose: each must end in a failure that says where and why, at once. */
import { describe, expect, test } from "vitest";
import { FailureError } from "../../../../../src/base/failure.ts";
import { fatProber } from "../../../../../src/disk/fs/fat/prober.ts";
import { openVfat } from "../../../../../src/disk/fs/fat/vfat.ts";
import type { FileSystem } from "../../../../../src/disk/fs/filesystem.ts";
import { walk } from "../../../../../src/disk/fs/walk.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { blankImage, CLUSTERS, END, makeImage, SECTOR } from "./image.ts";
import type { Bits, Image } from "./image.ts";

async function useEverything(fs: FileSystem): Promise<number> {
  let seen = 0;
  for await (const { inode } of walk(fs)) {
    seen += 1;
    if (inode.kind === "directory") await fs.lookup(inode, "no such name");
    if (inode.kind !== "file") continue;
    await fs.read(inode, 0, 100_000);
    await fs.read(inode, Math.max(0, inode.size - 5000), 5000);
  }
  if (fs.state.clean) await Array.fromAsync(fs.usedExtents());
  return seen;
}

async function failureOf(bits: Bits, spoil: (image: Image) => void): Promise<string> {
  const image = makeImage(bits);
  spoil(image);
  const took = cpuTime();
  try {
    await useEverything(await openVfat(image.source()));
    return "no failure";
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    expect(took()).toBeLessThan(1000);
    return `${error.failure.kind}: ${error.message}`;
  }
}

const file = (image: Image) => image.root + 32;
const directory = (image: Image) => image.root + 64 + 96;

const CASES: readonly (readonly [string, Bits, (image: Image) => void, RegExp])[] = [
  [
    "sectors of 0 bytes",
    16,
    (i) => i.u16(0x0b, 0),
    /^corrupt: image > vfat > boot sector: found sectors of 0/,
  ],
  ["sectors of 8 KiB", 16, (i) => i.u16(0x0b, 8192), /sectors of 8192 bytes/],
  ["sectors of 768 bytes", 16, (i) => i.u16(0x0b, 768), /sectors of 768 bytes/],
  ["no sectors in a cluster", 16, (i) => i.u8(0x0d, 0), /0 sectors in a cluster/],
  ["three sectors in a cluster", 16, (i) => i.u8(0x0d, 3), /3 sectors in a cluster/],
  ["nothing reserved", 16, (i) => i.u16(0x0e, 0), /no reserved sectors/],
  ["no table", 16, (i) => i.u8(0x10, 0), /no file allocation table/],
  ["255 tables", 16, (i) => i.u8(0x10, 255), /room for clusters/],
  ["medium 0", 16, (i) => i.u8(0x15, 0), /medium 0x0/],
  ["a root of 17 entries", 16, (i) => i.u16(0x11, 17), /17 entries in the root directory/],
  ["a root that takes all", 12, (i) => i.u16(0x11, 0xffe0), /room for clusters/],
  ["tables of no length", 32, (i) => i.u32(0x24, 0), /table of 0 sectors/],
  ["tables of 2^32 - 1 sectors", 32, (i) => i.u32(0x24, -1), /room for clusters/],
  ["no sectors at all", 16, (i) => i.u16(0x13, 0), /0 bytes in all/],
  [
    "2^32 - 1 sectors",
    16,
    (i) => {
      i.u16(0x13, 0);
      i.u32(0x20, -1);
    },
    /no failure/,
  ],
  ["a table for fewer clusters than there are", 16, (i) => i.u16(0x16, 1), /no failure/],
  ["root in cluster 0", 32, (i) => i.u32(0x2c, 0), /root directory in cluster 0/],
  [
    "root beyond the end",
    32,
    (i) => i.u32(0x2c, CLUSTERS[32] + 2),
    /in cluster 102, expected 2 to 101/,
  ],
  [
    "root is a loop",
    32,
    (i) => i.link(2, 2),
    /^corrupt: image > vfat > root directory: found a chain that comes back to cluster 2/,
  ],
  ["root goes on in a free cluster", 32, (i) => i.link(2, 90), /cluster 90 marked free/],
  ["FAT32: 28 bits of an entry count", 32, (i) => i.link(3, 0xf000_0005), /no failure/],
  ["FAT32: the upper half of a number", 32, (i) => i.u16(file(i) + 20, 1), /cluster 65539/],
  ["FAT16: what is no upper half", 16, (i) => i.u16(file(i) + 20, 1), /no failure/],
  [
    "a chain to cluster 1",
    16,
    (i) => i.link(3, 1),
    /^corrupt: image > vfat > entry \d+: found a reference to cluster 1, /,
  ],
  ["a chain beyond the end", 12, (i) => i.link(3, 102), /reference to cluster 102/],
  ["a chain to a reserved value", 12, (i) => i.link(3, 0xff0), /reference to cluster 4080/],
  [
    "a chain that ends too early",
    16,
    (i) => i.link(3, END),
    /a chain that ends at byte 512, expected 700 bytes/,
  ],
  [
    "a chain that ends in a bad cluster",
    16,
    (i) => i.link(3, 0xfff7),
    /a chain that ends at byte 512/,
  ],
  ["a chain that was freed", 16, (i) => i.link(3, 0), /cluster 3 marked free/],
  [
    "a file that is a loop",
    16,
    (i) => {
      i.link(3, 3);
      i.u32(file(i) + 28, 2_000_000);
    },
    /no failure/,
  ],
  ["a file without clusters", 16, (i) => i.u16(file(i) + 26, 0), /a chain that ends at byte 0/],
  ["a file in cluster 1", 16, (i) => i.u16(file(i) + 26, 1), /reference to cluster 1/],
  [
    "a file larger than the volume",
    16,
    (i) => i.u32(file(i) + 28, -1),
    /found 4294967295 bytes, expected at most 2560000/,
  ],
  [
    "a directory without clusters",
    16,
    (i) => i.u16(directory(i) + 26, 0),
    /a directory in cluster 0/,
  ],
  [
    "a directory that is the root",
    32,
    (i) => i.u16(directory(i) + 26, 2),
    /a directory in cluster 2, expected clusters of its own/,
  ],
  [
    "a directory that is a loop",
    16,
    (i) => {
      i.link(7, 8);
      i.link(8, 7);
    },
    /comes back to cluster 7/,
  ],
  [
    "a directory in itself",
    16,
    (i) => i.entry(i.cluster(7) + 64, { name: "INNER      ", attr: 0x10, start: 7 }),
    /for the second time/,
  ],
  ["a slash in a name", 16, (i) => i.entry(i.root, { name: "A/B        " }), /the name "A\/B"/],
  [
    "a slash in a long name",
    16,
    (i) => i.longEntry(i.cluster(7) + 64, "a/b", { name: "AB         " }),
    /the name "a\/b"/,
  ],
  [
    "an empty long name",
    16,
    (i) => i.longEntry(i.cluster(7) + 64, "", { name: "AB         " }),
    /the name ""/,
  ],
];

describe("hostile volumes", () => {
  test.each([12, 16, 32] as const)("FAT%i itself is right", async (bits) => {
    expect(await failureOf(bits, () => {})).toBe("no failure");
  });

  test.each(CASES)("%s", async (_, bits, spoil, expected) => {
    expect(await failureOf(bits, spoil)).toMatch(expected);
  });

  test("a directory of more than 65536 entries", async () => {
    const image = blankImage(16);
    for (let cluster = 3; cluster < 4200; cluster++) image.link(cluster, cluster + 1);
    image.link(4200, END);
    image.entry(image.root, { name: "LARGE      ", attr: 0x10, start: 3 });
    await expect(openVfat(image.source()).then(useEverything)).rejects.toThrow(
      /its length is over the limit of 4096 clusters/,
    );
  });

  test("two files and two directories that share clusters", async () => {
    const image = makeImage(16);
    image.entry(image.root + 256, { name: "CROSS      ", start: 3, size: 700 });
    image.entry(image.root + 288, { name: "CROSSDIR   ", attr: 0x10, start: 7 });
    const fs = await openVfat(image.source());
    const found = (await fs.lookup(await fs.root(), "cross"))!;
    const other = (await fs.lookup(await fs.root(), "file.txt"))!;
    const read = async (entry: typeof found) => fs.read(await fs.inode(entry), 0, 700);
    expect(await read(found)).toEqual(await read(other));
    expect(await useEverything(fs)).toBe(7);
    const [first, ...others] = await Array.fromAsync(fs.usedExtents());
    expect(first?.offset).toBe(0);
    let end = first!.length;
    for (const { offset, length } of others) {
      expect(offset).toBeGreaterThan(end);
      end = offset + length;
    }
  });

  test("directories of the same clusters: the work is in proportion to the volume", async () => {
    const image = blankImage(16);
    // A chain of free entries, and another of directories that all lead to it.
    for (let cluster = 2; cluster < 600; cluster++) image.link(cluster, cluster + 1);
    image.link(600, END);
    image.bytes.fill(0xe5, image.cluster(2), image.cluster(601));
    for (let cluster = 2001; cluster < 2200; cluster++) image.link(cluster, cluster + 1);
    image.link(2200, END);
    image.entry(image.root, { name: "TOP        ", attr: 0x10, start: 2001 });
    const count = 16 * 199;
    for (let i = 0; i < count; i++)
      image.entry(image.cluster(2001) + 32 * i, { name: `${i}`.padEnd(11), attr: 0x10, start: 2 });
    const fs = await openVfat(image.source());
    const failures: string[] = [];
    const found = await Array.fromAsync(
      walk(fs, { onFailure: (_, failure) => failures.push(failure.kind) }),
    );
    expect(new Set(failures)).toEqual(new Set(["limit"]));
    expect(found.length).toBeLessThan(15);
    expect(failures.length).toBeGreaterThan(count - 15);
  });

  test("a number that is no entry's", async () => {
    const image = makeImage(16);
    const fs = await openVfat(image.source());
    const inData = image.cluster(CLUSTERS[16] + 1) / 32;
    for (const number of [0, 2, 16, -5, 0.5, NaN, 2 ** 50, inData + 16])
      await expect(fs.inode({ name: "x", number })).rejects.toThrow(/a reference to it/);
    await expect(fs.inode({ name: "x", number: inData })).rejects.toThrow(/an entry with/);
    await expect(fs.inode({ name: "x", number: image.root / 32 })).rejects.toThrow(/one in use/);
  });

  test("reads of the wrong kind", async () => {
    const fs = await openVfat(makeImage(16).source());
    const root = await fs.root();
    const inode = await fs.inode((await fs.lookup(root, "file.txt"))!);
    await expect(fs.read(root, 0, 10)).rejects.toThrow(/found directory, expected file/);
    await expect(fs.readLink(inode)).rejects.toThrow(/expected symlink/);
    await expect(fs.lookup(inode, "x")).rejects.toThrow(/found file, expected directory/);
    expect(await fs.read(inode, 800, 10)).toEqual(new Uint8Array(0));
  });
});

describe("what is not FAT", () => {
  test.each([
    ["no jump", (i: Image) => i.u8(0, 0)],
    ["sectors of 100 bytes", (i: Image) => i.u16(0x0b, 100)],
    ["no sectors in a cluster", (i: Image) => i.u8(0x0d, 0)],
    ["nothing reserved", (i: Image) => i.u16(0x0e, 0)],
    ["no table", (i: Image) => i.u8(0x10, 0)],
    ["no such medium", (i: Image) => i.u8(0x15, 0x12)],
  ])("%s", async (_, spoil) => {
    const image = makeImage(16);
    spoil(image);
    expect(await fatProber.probe(image.source(), {})).toBe(undefined);
  });
});

describe("mutations", () => {
  test.each([12, 16, 32] as const)("FAT%i", async (bits) => {
    const image = makeImage(bits);
    // Boot sector, table, root, directory: what is in use of them, and not the contents of files.
    const pieces = [
      [0, 96],
      [2 * SECTOR, 40],
      [image.root, 192],
      [image.cluster(7), 96],
    ] as const;
    const input = Buffer.concat(pieces.map(([at, size]) => image.bytes.subarray(at, at + size)));
    const run = await survivesMutation(
      [input],
      async (damaged) => {
        const bytes = Uint8Array.from(image.bytes);
        let from = 0;
        for (const [at, size] of pieces) {
          bytes.set(damaged.subarray(from, from + size), at);
          from += size;
        }
        await useEverything(await openVfat(memorySource(bytes, ["image"])));
      },
      {
        // FAT16 is large by its nature.
        count: bits === 16 ? 200 : 2000,
        seed: bits,
      },
    );
    expect(run.failures).toBeGreaterThan(30);
    expect(run.values).toBeGreaterThan(30);
  });
});

test("work grows with the size of a chain, not faster", async () => {
  const times: number[] = [];
  for (const count of [1000, 4000]) {
    const image = blankImage(16);
    for (let i = 0; i < count; i++) image.link(2 + i, i + 1 < count ? 3 + i : END);
    image.entry(image.root, { name: "BIG        ", start: 2, size: count * SECTOR });
    const fs = await openVfat(image.source());
    const inode = await fs.inode((await fs.lookup(await fs.root(), "big"))!);
    const took = cpuTime();
    for (let round = 0; round < 5; round++)
      for (let at = 0; at < inode.size; at += SECTOR) await fs.read(inode, at, SECTOR);
    times.push(took());
  }
  // Four times the file: without marks on the way the work would be sixteen times as much.
  expect(times[1]! / times[0]!).toBeLessThan(11);
});
