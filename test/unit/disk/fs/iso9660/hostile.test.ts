/** Volumes made wrong on purpose (the set of XSA-497 among them): a failure that says where and why, at once. */
import { describe, expect, test } from "vitest";
import { attempt, FailureError } from "../../../../../src/base/failure.ts";
import { openIso9660 } from "../../../../../src/disk/fs/iso9660/iso9660.ts";
import type { FileSystem } from "../../../../../src/disk/fs/filesystem.ts";
import { walk } from "../../../../../src/disk/fs/walk.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import { cpuTime } from "../../../../support/cpu-time.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import {
  addJoliet,
  all,
  ce,
  cl,
  CONTINUED,
  DIRECTORY,
  FILE,
  JOLIET_ROOT,
  makeRecord,
  nm,
  PARENT,
  plainImage,
  pn,
  PRIMARY,
  px,
  rockImage,
  ROOT,
  SECTOR,
  SELF,
  sl,
  SP,
  ER,
  susp,
  utf16be,
} from "./image.ts";
import type { Image, RecordFields } from "./image.ts";

async function useEverything(fs: FileSystem): Promise<void> {
  for await (const { inode } of walk(fs)) {
    if (inode.kind === "directory") await fs.lookup(inode, "no such name");
    if (inode.kind === "symlink") await fs.readLink(inode);
    if (inode.kind !== "file") continue;
    await fs.read(inode, 0, 100_000);
    await fs.read(inode, Math.max(0, inode.size - 5000), 5000);
  }
}

async function failureOf(image: Image): Promise<string> {
  const took = cpuTime();
  const result = await attempt(async () => useEverything(await openIso9660(image.source())));
  expect(took()).toBeLessThan(1000);
  return result.ok
    ? "no failure"
    : `${result.failure.kind}: ${new FailureError(result.failure).message}`;
}

/** What the record of `file` is made of; the rest of the volume is right. */
const spoiled = (systemUse: Uint8Array, fields: Partial<RecordFields> = {}) =>
  rockImage({ name: "X", extent: FILE, size: 5, systemUse, ...fields });

/** Each costs the file itself: it cannot be looked at, but its directory can be listed. */
const EXTENSIONS: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["an entry of length 0", susp("NM", [0, 0x61], 0), /entry "NM" of 0 bytes, expected 4 to /],
  ["an entry of length 3", susp("NM", [0, 0x61], 3), /entry "NM" of 3 bytes/],
  [
    "an entry of length 255",
    susp("NM", [0, 0x61], 255),
    /entry "NM" of 255 bytes, expected 4 to 6/,
  ],
  ["an NM without flags", susp("NM", []), /> NM: found RR entry with flags at byte 0 of 4/],
  ["an SL without flags", susp("SL", []), /> SL: found RR entry with flags at byte 0 of 4/],
  ["a short PX", susp("PX", new Uint8Array(31)), /> PX: found RR_PX at byte 0 of 35/],
  ["a short PN", all(px(0o20600), susp("PN", [1])), /> PN: /],
  ["a short TF", susp("TF", [0x03, 1, 2, 3]), /> TF: found times in 8 bytes, expected 19/],
  ["a long TF that is short", susp("TF", [0x82, ...new Uint8Array(16)]), /expected 22 or more/],
  ["a short ZF", susp("ZF", [1]), /> ZF: /],
  ["a short CE", susp("CE", [1]), /> CE: found SUSP CE at byte 0 of 5/],
  ["a CE outside of its block", ce(CONTINUED, 2040, 9), /> CE: found 9 bytes from byte 2040 on/],
  ["a CE at 2^32 - 1", ce(CONTINUED, 0xffff_ffff, 0xffff_ffff), /> CE: found 4294967295 bytes/],
  ["a CE outside of the volume", ce(0xffff_ffff, 0, 10), /a reference to 10 bytes at byte 8796093/],
  [
    "a component that is too long",
    all(px(0o120777), susp("SL", [0, 0, 200, 0x61])),
    /> SL: found a component of 200 bytes at byte 5/,
  ],
  ["a mode of no kind", px(0o644), /found mode 0644 of a file/],
  ["a directory by its mode only", px(0o40755), /found mode 040755 of a file/],
  ["a symlink without a target", px(0o120777), /found a symlink without a target/],
  ["a symlink of empty parts", all(px(0o120777), sl([[0, ""]])), /a symlink without a target/],
];

describe("hostile extensions", () => {
  test("the image itself is right", async () => {
    expect(await failureOf(rockImage())).toBe("no failure");
    expect(await failureOf(plainImage())).toBe("no failure");
  });

  test.each(EXTENSIONS)("%s", async (_, entries, expected) => {
    const image = spoiled(all(nm("x"), entries));
    expect(await failureOf(image)).toMatch(expected);
    const fs = await openIso9660(image.source());
    const listed = await Array.fromAsync(fs.list(await fs.root()));
    expect(listed.map(({ name }) => name).slice(0, 3)).toEqual(["file", "link", "dir"]);
    expect(listed).toHaveLength(4);
  });

  /** A name put together from continuations; `next` is the CE of the last of them. */
  const continued = (pieces: number, next: (i: number) => Uint8Array, piece: Uint8Array) => {
    const image = spoiled(all(nm("x"), ce(CONTINUED, 0, 28 + piece.length)));
    for (let i = 0; i < pieces; i++)
      image.bytes.set(all(piece, next(i)), CONTINUED * SECTOR + 64 * i);
    return image;
  };

  test("a CE that leads to itself", async () => {
    const image = continued(1, () => ce(CONTINUED, 0, 28), new Uint8Array(0));
    expect(await failureOf(image)).toMatch(
      /^limit: .*continuations \(CE\) is over the limit of 32/,
    );
  });

  test("CEs that lead to one another", async () => {
    const image = continued(2, (i) => ce(CONTINUED, 64 * (1 - i), 28), new Uint8Array(0));
    expect(await failureOf(image)).toMatch(/^limit: .*continuations/);
  });

  test("a name of more than 255 bytes", async () => {
    const image = continued(20, (i) => ce(CONTINUED, 64 * (i + 1), 62), nm("y".repeat(29), 1));
    expect(await failureOf(image)).toMatch(/> NM: found a name of 262 bytes, expected at most 255/);
  });

  test("a target of more than 4095 bytes", async () => {
    const image = spoiled(all(nm("x"), px(0o120777), ce(CONTINUED, 0, SECTOR)));
    for (let i = 0; i < 24; i++) {
      const parts = Array.from({ length: 8 }, () => sl([[0, "z".repeat(240)]], 1));
      const bytes = all(...parts).subarray(0, SECTOR - 28 - ((SECTOR - 28) % 247));
      image.bytes.set(all(bytes, ce(CONTINUED + i + 1, 0, SECTOR)), (CONTINUED + i) * SECTOR);
    }
    expect(await failureOf(image)).toMatch(
      /> SL: found a target of \d+ bytes, expected at most 4095/,
    );
  });

  test.each(["a/b", "a\0b"])("the name %j", async (name) => {
    expect(await failureOf(spoiled(nm(name)))).toMatch(/found the name "a/);
    const fs = await openIso9660(spoiled(nm(name)).source());
    expect(await fs.lookup(await fs.root(), "file")).toBeDefined();
  });
});

/** Records do not reach from one sector into the next. */
function inSectors(records: readonly Uint8Array[]): Uint8Array[] {
  const sectors: Uint8Array[] = [];
  let at = SECTOR;
  for (const record of records) {
    if (at + record.length > SECTOR) {
      sectors.push(new Uint8Array(SECTOR));
      at = 0;
    }
    sectors.at(-1)!.set(record, at);
    at += record.length;
  }
  return sectors;
}

const RECORDS: readonly (readonly [string, () => Image, RegExp])[] = [
  [
    "a record of 1 byte",
    () => withRecord((i, at) => i.u8(at, 1)),
    /record \d+: found a record of 1 bytes/,
  ],
  ["a record of 33 bytes", () => withRecord((i, at) => i.u8(at, 33)), /found a record of 33 bytes/],
  ["a record without a name", () => withRecord((i, at) => i.u8(at + 32, 0)), /with a name of 0/],
  [
    "a name longer than the record",
    () => withRecord((i, at) => i.u8(at + 32, 200)),
    /with a name of 200/,
  ],
  [
    "a record beyond the sector",
    () =>
      plainImage(...Array.from({ length: 45 }, (_, i) => ({ name: `FILE_${i}.;1`, extent: FILE }))),
    /found iso_directory_record at byte 0 of 20/,
  ],
  [
    "a file outside",
    () => plainImage({ name: "X", extent: 63, size: 4096 }),
    /contents from byte 129024 to 133120/,
  ],
  [
    "a file of 4 GiB",
    () => plainImage({ name: "X", extent: FILE, size: 0xffff_ffff }),
    /to 4295028735, expected inside the 131072 bytes/,
  ],
  [
    "a file at block 2^32 - 1",
    () => plainImage({ name: "X", extent: 0xffff_ffff, size: 1 }),
    /from byte 8796093020160/,
  ],
  [
    "a directory outside",
    () => plainImage({ name: "X", extent: 64, flags: 2 }),
    /a reference to byte 131072/,
  ],
  [
    "a directory that is a file",
    () => plainImage({ name: "X", extent: FILE, flags: 2 }),
    /record 61440: found a record of 104 bytes/,
  ],
  [
    "a directory without .",
    () => {
      const i = plainImage({ name: "X", extent: 40, flags: 2 });
      i.directory(40, [{ name: "Y", extent: FILE, flags: 2 }]);
      return i;
    },
    /a record that leads to a directory/,
  ],
  [
    "a directory in itself",
    () => {
      const i = plainImage({ name: "X", extent: 40, flags: 2 });
      i.directory(40, [SELF(40), PARENT(ROOT), { name: "Y", extent: 40, flags: 2 }]);
      return i;
    },
    /for the second time/,
  ],
  [
    "a directory that leads to the root",
    () => plainImage({ name: "X", extent: ROOT, flags: 2 }),
    /for the second time/,
  ],
  [
    "a moved directory that leads to its parent",
    () => spoiled(all(nm("x"), cl(ROOT))),
    /for the second time/,
  ],
  [
    "a moved directory outside",
    () => spoiled(all(nm("x"), cl(0xffff_ffff))),
    /a reference to byte 8796093020160/,
  ],
  [
    "a directory of 4 GiB",
    () => withRoot((i, at) => i.both32(at + 10, 0xffff_ffff)),
    /limit: .*size of a directory is over the limit of 256 MiB/,
  ],
  [
    "a directory larger than the volume",
    () =>
      withRoot((i, at) => {
        i.bytes.fill(0, FILE * SECTOR);
        i.both32(at + 10, 1 << 20);
      }),
    /a reference to 2048 bytes at byte 131072/,
  ],
  [
    "a part of a file that is no whole block",
    () =>
      plainImage(
        { name: "X", extent: FILE, size: 5, flags: 0x80 },
        { name: "X", extent: FILE, size: 5 },
      ),
    /a part of 5 bytes before another/,
  ],
  [
    "more than 100 parts",
    () => manyParts(),
    /limit: .*number of its extents is over the limit of 100/,
  ],
  [
    "a last part that is missing",
    () => {
      const i = plainImage();
      i.directory(ROOT, [
        SELF(ROOT),
        PARENT(ROOT),
        { name: "X", extent: FILE, size: SECTOR, flags: 0x80 },
      ]);
      return i;
    },
    /no failure/,
  ],
];

function withRecord(spoil: (image: Image, at: number) => void): Image {
  const image = plainImage();
  const [, , at] = image.directory(ROOT, [
    SELF(ROOT),
    PARENT(ROOT),
    { name: "FILE", extent: FILE },
  ]);
  spoil(image, at!);
  return image;
}

function withRoot(spoil: (image: Image, at: number) => void): Image {
  const image = plainImage();
  spoil(image, ROOT * SECTOR);
  return image;
}

function manyParts(): Image {
  const image = withRoot((i, at) => i.both32(at + 10, 3 * SECTOR));
  const part = { name: "X", extent: FILE, size: 0, flags: 0x80 };
  image.directory(
    ROOT + 1,
    Array.from({ length: 60 }, () => part),
  );
  image.directory(ROOT + 2, [...Array.from({ length: 50 }, () => part), { ...part, flags: 0 }]);
  return image;
}

const DESCRIPTORS: readonly (readonly [string, (image: Image) => void, RegExp])[] = [
  [
    "no primary descriptor",
    (i) => i.u8(PRIMARY * SECTOR, 3),
    /^corrupt: image > iso9660: found no primary/,
  ],
  ["blocks of 0 bytes", (i) => i.u8(PRIMARY * SECTOR + 129, 0), /blocks of 0 bytes, expected 512/],
  ["blocks of 4096 bytes", (i) => i.u8(PRIMARY * SECTOR + 129, 16), /blocks of 4096 bytes/],
  ["a root of length 0", (i) => i.u8(PRIMARY * SECTOR + 156, 0), /a record of 0 bytes/],
  [
    "a root outside",
    (i) => i.both32(PRIMARY * SECTOR + 158, 1 << 30),
    /root directory: found a reference to byte/,
  ],
  ["a root that is a file", (i) => i.u8(ROOT * SECTOR + 25, 0), /found a file named \./],
  [
    "a Joliet root outside",
    (i) => {
      addJoliet(i);
      i.both32((PRIMARY + 1) * SECTOR + 158, 64);
    },
    /a reference to byte 131072/,
  ],
];

describe("hostile volumes", () => {
  test.each(RECORDS)("%s", async (_, make, expected) => {
    expect(await failureOf(make())).toMatch(expected);
  });

  test.each(DESCRIPTORS)("%s", async (_, spoil, expected) => {
    const image = plainImage();
    spoil(image);
    expect(await failureOf(image)).toMatch(expected);
  });

  test("a number that is no record's", async () => {
    const fs = await openIso9660(rockImage().source());
    for (const number of [-1, NaN, 64 * SECTOR, 2 ** 53])
      await expect(fs.inode({ name: "x", number })).rejects.toThrow(/a reference to byte/);
    await expect(fs.inode({ name: "x", number: 0 })).rejects.toThrow(/a record of 0 bytes/);
  });

  test("shorter than a descriptor", async () => {
    const source = memorySource(plainImage().bytes.slice(0, 33_000), ["image"]);
    await expect(openIso9660(source)).rejects.toThrow(/no primary volume descriptor/);
  });

  test("directories that overlap: the work is in proportion to the volume", async () => {
    // Each begins a sector later and has all that follows.
    const count = 1000;
    const records = Array.from({ length: count }, (_, i) => ({
      ...{ name: `D${i}`, extent: 200 + i, size: count * SECTOR, flags: 2 },
    }));
    const bytes = new Uint8Array((300 + 2 * count) * SECTOR);
    bytes.set(plainImage().bytes);
    const root = Buffer.concat(inSectors([SELF(64), PARENT(64), ...records].map(makeRecord)));
    bytes.set(root, 64 * SECTOR);
    const view = new DataView(bytes.buffer);
    view.setUint32(PRIMARY * SECTOR + 158, 64, true);
    view.setUint32(64 * SECTOR + 10, root.length, true);
    for (let i = 0; i < count; i++)
      bytes.set(makeRecord({ ...SELF(200 + i), size: count * SECTOR }), (200 + i) * SECTOR);
    let reads = 0;
    const source = memorySource(bytes, ["image"]);
    const fs = await openIso9660({
      ...source,
      read: (...args) => {
        reads += 1;
        return source.read(...args);
      },
    });
    const failures: string[] = [];
    const seen = await Array.fromAsync(
      walk(fs, { onFailure: (_, failure) => failures.push(failure.kind) }),
    );
    expect(seen).toHaveLength(count);
    expect(failures.length).toBeGreaterThan(count - 5);
    expect(new Set(failures)).toEqual(new Set(["limit"]));
    expect(reads).toBeLessThan(10 * count);
  });

  test("continuations do not multiply: 2000 records with 32 each", async () => {
    const image = plainImage();
    for (let i = 0; i < 32; i++)
      image.bytes.set(ce(CONTINUED, 64 * ((i + 1) % 32), 28), CONTINUED * SECTOR + 64 * i);
    const records = Array.from({ length: 20 }, (_, i) => ({
      ...{ name: `F${i}`, extent: FILE, systemUse: ce(CONTINUED, 0, 28) },
    }));
    image.directory(ROOT, [
      { ...SELF(ROOT, all(SP, ER)), size: 100 * SECTOR },
      PARENT(ROOT),
      ...records,
    ]);
    const took = cpuTime();
    const fs = await openIso9660(image.source());
    const root = await fs.root();
    await attempt(() => Array.fromAsync(fs.list(root)));
    expect(took()).toBeLessThan(1500);
  });
});

describe("mutations", () => {
  const joliet = () => {
    const image = plainImage();
    addJoliet(image);
    image.directory(JOLIET_ROOT, [
      SELF(JOLIET_ROOT),
      PARENT(JOLIET_ROOT),
      { name: utf16be("Jöliet 🐧.txt;1"), extent: FILE, size: 5 },
    ]);
    return image;
  };
  const rock = () => {
    const image = rockImage(
      { name: "DEV", extent: 0, systemUse: all(nm("dev"), px(0o60600), pn(5, 1)) },
      { name: "CONT", extent: FILE, size: 5, systemUse: all(nm("co"), ce(CONTINUED, 0, 8)) },
      { name: "MOVED", extent: FILE, systemUse: all(nm("moved"), cl(DIRECTORY + 20)) },
    );
    image.bytes.set(nm("nt"), CONTINUED * SECTOR);
    image.directory(DIRECTORY + 20, [SELF(DIRECTORY + 20), PARENT(ROOT)]);
    return image;
  };

  test.each([
    [
      "Rock Ridge",
      rock,
      [
        [PRIMARY, 200],
        [ROOT, 900],
        [DIRECTORY, 300],
        [CONTINUED, 64],
      ],
    ],
    [
      "Joliet",
      joliet,
      [
        [PRIMARY, 200],
        [PRIMARY + 1, 200],
        [ROOT, 200],
        [JOLIET_ROOT, 200],
      ],
    ],
    [
      "plain",
      plainImage,
      [
        [PRIMARY, 200],
        [PRIMARY + 1, 8],
        [ROOT, 200],
      ],
    ],
  ] as const)("%s", async (_, make, pieces) => {
    const { bytes: sound } = make();
    const input = Buffer.concat(
      pieces.map(([sector, size]) => sound.subarray(sector * SECTOR, sector * SECTOR + size)),
    );
    const run = await survivesMutation(
      [input],
      async (damaged) => {
        const bytes = Uint8Array.from(sound);
        let from = 0;
        for (const [sector, size] of pieces) {
          bytes.set(damaged.subarray(from, from + size), sector * SECTOR);
          from += size;
        }
        await useEverything(await openIso9660(memorySource(bytes, ["image"])));
      },
      { count: 1500, seed: 5 },
    );
    expect(run.failures).toBeGreaterThan(100);
    expect(run.values).toBeGreaterThan(100);
  });
});
