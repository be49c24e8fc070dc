/** What a FAT volume made by hand says, names above all. */
import { describe, expect, test } from "vitest";
import { ioFailure } from "../../../../../src/base/failure.ts";
import { cachedSource } from "../../../../../src/disk/cache.ts";
import { shortName } from "../../../../../src/disk/fs/fat/name.ts";
import { parseFatTime } from "../../../../../src/disk/fs/fat/time.ts";
import { openVfat } from "../../../../../src/disk/fs/fat/vfat.ts";
import type { FileSystem } from "../../../../../src/disk/fs/filesystem.ts";
import { readFile } from "../../../../../src/disk/fs/resolve.ts";
import type { ByteSource } from "../../../../../src/disk/source.ts";
import { blankImage, checksum, CLUSTERS, END, makeImage, SECTOR } from "./image.ts";
import type { Image } from "./image.ts";

async function names(fs: FileSystem): Promise<string[]> {
  return (await Array.fromAsync(fs.list(await fs.root()))).map(({ name }) => name);
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString();

describe("a volume", () => {
  test.each([12, 16, 32] as const)("FAT%i", async (bits) => {
    const fs = await openVfat(makeImage(bits).source());
    expect(fs).toMatchObject({
      kind: "vfat",
      label: "MY LABEL",
      uuid: "1234-ABCD",
      blockSizeBytes: SECTOR,
      state: { clean: true },
      notes: [],
    });
    expect(await names(fs)).toEqual(["FILE.TXT", "A longer name.txt", "DIR"]);
    const contents = text(await readFile(fs, "/file.txt", 1000));
    expect(contents).toHaveLength(700);
    expect(contents.slice(505, 520)).toBe(
      Array.from({ length: 15 }, (_, i) => String.fromCharCode(0x61 + ((505 + i) % 26))).join(""),
    );
    expect(text(await readFile(fs, "/ALONGE~1.TXT", 1000))).toBe("long name!");
    expect(text(await readFile(fs, "/a LONGER name.txt...", 1000))).toBe("long name!");
    expect(text(await readFile(fs, "/dir/INNER", 1000))).toBe("inner");
    const inner = await fs.inode((await fs.lookup(await fs.root(), "file.txt"))!);
    expect(inner).toMatchObject({
      kind: "file",
      mode: 0o755,
      mtime: Date.UTC(2025, 0, 1, 13, 25, 24) / 1000,
    });
  });

  test.each([12, 16, 32] as const)("FAT%i: what it uses", async (bits) => {
    const image = makeImage(bits);
    const bad = CLUSTERS[bits] - 1;
    image.link(bad, 0x0fff_fff7);
    image.link(bad + 2, END);
    const fs = await openVfat(image.source());
    const start = bits === 32 ? 2 : 3;
    const runs = [
      [image.cluster(start), 1],
      [image.cluster(5), 4],
      [image.cluster(bad + 2), 1],
    ].map(([offset, count]) => ({ offset, length: count! * SECTOR }));
    const head = { offset: 0, length: image.cluster(2) };
    const expected =
      bits === 32
        ? [{ offset: 0, length: image.cluster(4) }, ...runs.slice(1)]
        : [head, runs[0], ...runs.slice(1)];
    // FAT12 and FAT16: cluster 2 is free. FAT32: the root is in it, so all is one piece.
    image.link(2, bits === 32 ? END : 0);
    expect(await Array.fromAsync(fs.usedExtents())).toEqual(expected);
  });
});

describe("names", () => {
  const listed = async (build: (image: Image, at: number) => void) => {
    const image = blankImage(16);
    build(image, image.root);
    return names(await openVfat(image.source()));
  };

  test.each([
    ["README  TXT", 0x00, "README.TXT"],
    ["README  TXT", 0x08, "readme.TXT"],
    ["README  TXT", 0x10, "README.txt"],
    ["README  TXT", 0x18, "readme.txt"],
    ["A B C      ", 0x00, "A B C"],
    ["        TXT", 0x00, ".TXT"],
    ["\x05\x80\x9a     \xe1\xffX", 0x00, "σÇÜ.ß\u00a0X"],
    ["\x05\x80\x9a\xe2\xe8   \xe1 X", 0x18, "σçüΓφ.ß x"],
  ])("8.3: %j with case bits %i", async (raw, lcase, expected) => {
    const bytes = Uint8Array.from(raw, (char) => char.charCodeAt(0));
    expect(shortName(bytes, lcase)).toBe(expected);
  });

  test("long ones of every length", async () => {
    for (const length of [1, 12, 13, 14, 25, 26, 27, 254, 255]) {
      const name = "漢é🐧x"
        .repeat(100)
        .slice(0, length)
        .replace(/\p{Surrogate}$/u, "y");
      expect(await listed((i, at) => i.longEntry(at, name, { name: "SHORT      " }))).toEqual([
        name,
      ]);
    }
  });

  test("a lone surrogate is left out", async () => {
    const name = "a\ud800b\udc00c";
    expect(await listed((i, at) => i.longEntry(at, name, { name: "SHORT      " }))).toEqual([
      "abc",
    ]);
  });

  const orphans: [string, (image: Image, at: number) => void, string[]][] = [
    [
      "a checksum of another name",
      (i, at) => {
        i.longEntry(at, "long name here", { name: "SHORT      " });
        i.entry(at + 64, { name: "OTHER      " });
      },
      ["OTHER"],
    ],
    [
      "a slot out of order",
      (i, at) => {
        i.longEntry(at, "a long name of three slots", { name: "SHORT      " });
        i.u8(at + 32, 3);
      },
      ["SHORT"],
    ],
    [
      "a slot of another name in between",
      (i, at) => {
        i.longEntry(at, "a long name of three slots", { name: "SHORT      " });
        i.u8(at + 32 + 13, checksum("OTHER      "));
      },
      ["SHORT"],
    ],
    [
      "the end of the name is missing",
      (i, at) => {
        i.longEntry(at, "a long name of three slots", { name: "SHORT      " });
        i.u8(at, 0xe5);
      },
      ["SHORT"],
    ],
    [
      "the beginning of the name is missing",
      (i, at) => {
        i.longEntry(at, "a long name of three slots", { name: "SHORT      " });
        i.entry(at + 64, { name: "SHORT      " });
        i.u8(at + 96, 0xe5);
      },
      ["SHORT"],
    ],
    [
      "slots without a file",
      (i, at) => {
        i.longEntry(at, "long name here", { name: "SHORT      " });
        i.u8(at + 64, 0xe5);
        i.entry(at + 96, { name: "OTHER      " });
      },
      ["OTHER"],
    ],
    [
      "slots before a label",
      (i, at) => i.longEntry(at, "long name here", { name: "SHORT      ", attr: 0x08 }),
      [],
    ],
    [
      "two beginnings",
      (i, at) => {
        i.longEntry(at, "first long name", { name: "SHORT      " });
        i.longEntry(at + 32, "second long nam", { name: "SHORT      " });
      },
      ["second long nam"],
    ],
    [
      "more slots than 20",
      (i, at) => {
        i.longEntry(at, "x".repeat(260), { name: "SHORT      " });
      },
      ["SHORT"],
    ],
    [
      "an entry behind the end mark",
      (i, at) => i.entry(at + 320, { name: "LATE       " }),
      ["LATE"],
    ],
    ["a name of blanks", (i, at) => i.entry(at, { name: "           " }), []],
    ["deleted", (i, at) => i.entry(at, { name: "\xe5ONE       " }), []],
    ["a file with the long name ..", (i, at) => i.longEntry(at, "..", { name: "DOTS       " }), []],
  ];
  test.each(orphans)("%s", async (_, build, expected) => {
    expect(await listed(build)).toEqual(expected);
  });
});

test("times: nothing that is stored is an error", () => {
  expect(parseFatTime(0x21, 0)).toBe(Date.UTC(1980, 0, 1) / 1000);
  expect(parseFatTime(0, 0)).toBe(Date.UTC(1980, 0, 1) / 1000);
  expect(parseFatTime(0xff9f, 0xbf7d)).toBe(Date.UTC(2107, 11, 31, 23, 59, 58) / 1000);
  for (let i = 0; i < 0x10000; i += 37) expect(parseFatTime(i, 0xffff - i)).toBeGreaterThan(0);
});

describe("state", () => {
  const said = async (bits: 12 | 16 | 32, spoil: (image: Image) => void) => {
    const image = makeImage(bits);
    spoil(image);
    const fs = await openVfat(image.source());
    const extents = Array.fromAsync(fs.usedExtents());
    if (fs.state.clean) await extents;
    else await expect(extents).rejects.toThrow(fs.state.text);
    return fs.state.text;
  };

  test.each([
    ["as Linux marks it", 16, (i: Image) => i.u8(0x25, 1), "not cleanly unmounted"],
    ["as Linux marks FAT32", 32, (i: Image) => i.u8(0x41, 1), "not cleanly unmounted"],
    ["as Windows marks it", 16, (i: Image) => i.link(1, 0x7fff), "not cleanly unmounted"],
    ["as Windows marks FAT32", 32, (i: Image) => i.link(1, 0x07ff_ffff), "not cleanly unmounted"],
    ["FAT12 has no such mark", 12, (i: Image) => i.link(1, 0x07ff), "clean"],
    ["errors", 16, (i: Image) => i.link(1, 0xbfff), "disk errors recorded"],
    ["errors, FAT32", 32, (i: Image) => i.link(1, 0x0bff_ffff), "disk errors recorded"],
    ["both", 16, (i: Image) => i.u8(0x25, 3), "not cleanly unmounted; disk errors recorded"],
  ] as const)("%s", async (_, bits, spoil, expected) => {
    expect(await said(bits, spoil)).toBe(expected);
  });
});

describe("a disk that fails", () => {
  /** Reads that touch these bytes fail. */
  function failing(image: Image, from: number, to: number): ByteSource {
    const source = image.source();
    const read: ByteSource["read"] = async (offset, length, signal) => {
      if (offset < to && offset + length > from) throw ioFailure(["image"], "read", "EIO");
      return source.read(offset, length, signal);
    };
    // With the usual blocks of 32 KiB the boot sector could not be read either.
    return cachedSource({ ...source, read }, { blockSize: SECTOR });
  }

  test("in the first table: the second one is read, and a note says so", async () => {
    const image = makeImage(16);
    const source = failing(image, 2 * SECTOR, 42 * SECTOR);
    const fs = await openVfat(source);
    expect(text(await readFile(fs, "/DIR/INNER", 100))).toBe("inner");
    expect(fs.notes).toMatchObject([{ code: "fat-copy-used", severity: "warning" }]);
  });

  test("in both tables: a failure that says where", async () => {
    const source = failing(makeImage(16), 2 * SECTOR, 82 * SECTOR);
    await expect(openVfat(source)).rejects.toThrow(
      /vfat > file allocation table: read failed: EIO/,
    );
  });

  test("a device that is too small is noted", async () => {
    const image = makeImage(12);
    const whole = image.source();
    const source = { ...whole, size: whole.size - 10_000 };
    const fs = await openVfat(source);
    expect(fs.notes).toMatchObject([{ code: "filesystem-cut-off" }]);
    image.link(CLUSTERS[12], END);
    const extents = await Array.fromAsync(fs.usedExtents());
    expect(extents.every(({ offset, length }) => offset + length <= source.size)).toBe(true);
  });
});

test("reading in small pieces and from behind gives the same", async () => {
  const image = blankImage(16);
  const count = 4000;
  // A chain that jumps: cluster 2, 4, 6, ... and back on the odd ones.
  const chain = Array.from({ length: count }, (_, i) =>
    i < 2000 ? 2 + 2 * i : 3 + 2 * (3999 - i),
  );
  for (const [i, cluster] of chain.entries()) {
    image.link(cluster, chain[i + 1] ?? END);
    image.u32(image.cluster(cluster), i);
  }
  image.entry(image.root, { name: "BIG        ", start: 2, size: count * SECTOR });
  const fs = await openVfat(image.source());
  const file = await fs.inode((await fs.lookup(await fs.root(), "big"))!);
  for (const i of [3999, 0, 3000, 1024, 1023, 2047, 2048, 17]) {
    const bytes = await fs.read(file, i * SECTOR, 4);
    expect(new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)).toBe(i);
  }
  const whole = await fs.read(file, 0, 1e9);
  const view = new DataView(whole.buffer, whole.byteOffset, whole.byteLength);
  expect(whole.length).toBe(count * SECTOR);
  for (let i = 0; i < count; i++) expect(view.getUint32(i * SECTOR, true)).toBe(i);
});
