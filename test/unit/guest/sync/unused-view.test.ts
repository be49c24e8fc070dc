/** What of a disk is called unused, and everything that is not. */
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { extentsOf } from "../../../../src/guest/sync/unused-extents.ts";
import { openUnusedView } from "../../../../src/guest/sync/unused-view.ts";
import type { UnusedView } from "../../../../src/guest/sync/unused-view.ts";
import type { SyncSource, TaggedExtent } from "../../../../src/sync/device.ts";
import { receive } from "../../../../src/sync/receiver.ts";
import { send } from "../../../../src/sync/sender.ts";
import { randomSource, survivesMutation } from "../../../support/mutate.ts";
import { mbrSector } from "../../../support/tables.ts";
import { memoryDevice } from "../../sync/memory-device.ts";
import { memoryConnection } from "../../sync/memory-pipe.ts";
import {
  btrfs,
  ext4,
  fat,
  gptWith,
  mbrDisk,
  QUIET,
  SECTOR,
  sourceOf,
  startOf,
  swap,
  xfs,
} from "./unused-disks.ts";
import type { Part } from "./unused-disks.ts";

type View = Extract<UnusedView, { kind: "view" }>;

async function viewOf(bytes: Uint8Array, options = QUIET): Promise<View> {
  const view = await openUnusedView(sourceOf(bytes), options);
  if (view.kind === "refused") throw new Error(`${view.reason} ${view.notes.join("; ")}`);
  return view;
}

/** Why nothing is called unused. */
async function refusal(bytes: Uint8Array, options = QUIET): Promise<string> {
  const view = await openUnusedView(sourceOf(bytes), options);
  expect(view.kind).toBe("refused");
  return view.kind === "refused" ? [view.reason, ...view.notes].join("\n") : "";
}

/** The start of a physical volume's label, in its second sector. */
function lvmLabel(): Uint8Array {
  const label = new Uint8Array(64);
  label.set(Buffer.from("LABELONE"));
  new DataView(label.buffer).setUint32(8, 1, true);
  label.set(Buffer.from("LVM2 001"), 24);
  return label;
}

const ALL = { ext4, xfs, btrfs, fat, swap };

describe("on a whole disk", () => {
  test.each(Object.entries(ALL))("%s", async (name, make) => {
    const bytes = make();
    const view = await viewOf(bytes);
    expect(view.usedBytes + view.unused.bytes).toBe(bytes.length);
    expect(view.unused.bytes).toBeGreaterThan(bytes.length / 10);
    expect(view.notes).toHaveLength(1);
    expect(view.notes[0]).toMatch(/^whole disk \(\w+, [\d.]+ .iB\): .* not in use are not copied$/);
    expect(view.notes[0]).toContain(name === "fat" ? "vfat" : name);
    // The boot area at the start is never in it.
    expect(view.unused.starts[0]).toBeGreaterThanOrEqual(1024);
    await expect(view.source.confirm!()).resolves.toBeUndefined();
  });

  test("ext4: the blocks that its bitmap has as free", async () => {
    expect([...extentsOf((await viewOf(ext4())).unused)]).toEqual([
      { offset: 17 * 1024, length: 175 * 1024 },
    ]);
  });

  test("swap: all but what can be the first page", async () => {
    const view = await viewOf(swap());
    expect([...extentsOf(view.unused)]).toEqual([{ offset: 65_536, length: 448 * 1024 }]);
  });

  test("what lies behind the filesystem is kept", async () => {
    for (const make of Object.values(ALL)) {
      const bytes = make();
      const longer = new Uint8Array(bytes.length + 100_000).fill(0xee);
      longer.set(bytes);
      const view = await viewOf(longer);
      expect(view.unused.ends.at(-1)).toBeLessThanOrEqual(bytes.length);
      expect(view.unused.bytes).toBe((await viewOf(bytes)).unused.bytes);
    }
  });
});

describe("in partitions", () => {
  const parts: readonly Part[] = [
    { bytes: ext4(), room: 20_000 },
    { bytes: swap(), type: 0x82 },
    { bytes: fat(), type: 0xef },
    { bytes: btrfs(), room: 4096 },
  ];

  test.each([
    ["MBR", mbrDisk(parts)],
    ["GPT", gptWith(parts)],
  ])("%s: gaps and tails stay, each partition gives what it gives alone", async (_, disk) => {
    const view = await viewOf(disk);
    const expected = [];
    for (const [i, { bytes }] of parts.entries()) {
      for (const { offset, length } of extentsOf((await viewOf(bytes)).unused))
        expected.push({ offset: startOf(parts, i) + offset, length });
    }
    expect([...extentsOf(view.unused)]).toEqual(expected);
    expect(view.volumes.map(({ name }) => name)).toEqual(
      [1, 2, 3, 4].map((number) => `partition ${number}`),
    );
    const copy = await view.source.read(0, disk.length);
    const masked = Uint8Array.from(disk);
    for (const { offset, length } of expected) masked.fill(0, offset, offset + length);
    expect(Buffer.compare(copy, masked)).toBe(0);
  });

  test("one that is not clean is copied whole, the others are not", async () => {
    const dirty = fat();
    dirty[0x25] = 1;
    const view = await viewOf(
      mbrDisk([{ bytes: ext4() }, { bytes: dirty, type: 0x0e }, { bytes: swap(), type: 0x82 }]),
    );
    expect(view.volumes.map(({ unusedBytes }) => unusedBytes > 0)).toEqual([true, false, true]);
    expect(view.notes[1]).toMatch(
      /^partition 2 \(vfat, 2.5 MiB\): all of it is copied: not cleanly/,
    );
  });

  test.each([
    ["LVM", 0x8e],
    ["RAID", 0xfd],
    ["NTFS", 0x07],
    ["FreeBSD", 0xa5],
    ["data", 0xda],
    ["an unknown type", 0x3c],
  ])("of a type that says %s: copied whole, whatever it looks like", async (_, type) => {
    const disk = mbrDisk([{ bytes: ext4() }, { bytes: ext4(), type }]);
    const view = await viewOf(disk);
    expect(view.volumes[0]!.unusedBytes).toBeGreaterThan(0);
    expect(view.volumes[1]).toMatchObject({ unusedBytes: 0, reason: /type is/ });
  });
});

describe("a whole disk is copied when its table cannot be relied on", () => {
  const at = (slot: number, start: number, sectors: number, type = 0x83) => ({
    slot,
    start,
    sectors,
    type,
  });
  const table = (...entries: ReturnType<typeof at>[]) => {
    const disk = mbrDisk([{ bytes: ext4() }, { bytes: ext4() }]);
    disk.set(mbrSector(entries));
    return disk;
  };

  test("partitions that overlap, or reach past the end", async () => {
    expect(await refusal(table(at(1, 64, 384), at(2, 400, 496)))).toMatch(/share a part/);
    expect(await refusal(table(at(1, 64, 384), at(2, 512, 4000)))).toMatch(/end/i);
  });

  test("a primary partition in an extended one", async () => {
    const disk = table(at(1, 64, 384), at(2, 40, 900, 0x05));
    disk.set(mbrSector([at(1, 472, 384)]), 40 * SECTOR);
    expect(await refusal(disk)).toMatch(/lies where another says that its own are/);
  });

  test("copies of a GPT that differ; hashes of other partitions", async () => {
    const parts = [{ bytes: ext4() }, { bytes: ext4() }];
    const disk = gptWith(parts);
    disk[disk.length - 512 + 16]! ^= 1;
    expect(await refusal(disk)).toMatch(/backup|copy/i);
    // Linux root verity (x86-64), as it lies on disk.
    const guid = Buffer.from("ed57732cd2ebd946aec123d437ec2bf5", "hex");
    expect(await refusal(gptWith([parts[0]!, { bytes: ext4(), guid }]))).toMatch(/dm-verity/);
  });

  test("an extended boot record among the free blocks of a logical partition", async () => {
    const logical = { bytes: ext4() };
    const inner = 64 + 1 + 200; // sector of the second record, free for the filesystem in the first partition
    const disk = mbrDisk([logical, logical]);
    const moved = new Uint8Array(disk.length + 200 * SECTOR).fill(0xaa);
    moved.set(disk);
    moved.set(mbrSector([at(1, 64, disk.length / SECTOR, 0x05)]));
    moved.set(logical.bytes, 65 * SECTOR);
    moved.set(mbrSector([at(1, 1, 384), at(2, inner - 64, 600, 0x05)]), 64 * SECTOR);
    moved.set(mbrSector([at(1, 449 - inner + 15, 384)]), inner * SECTOR);
    moved.set(logical.bytes, 464 * SECTOR);
    expect(await refusal(moved)).toMatch(/would not look the same/);
  });
});

describe("a filesystem is copied whole when", () => {
  const spoiled = (bytes: Uint8Array, at: number, ...values: number[]) => {
    bytes.set(values, at);
    return bytes;
  };
  const larger = (bytes: Uint8Array, size = 200_000) => {
    const out = new Uint8Array(Math.max(bytes.length, size));
    out.set(bytes);
    return out;
  };

  test.each<[string, Uint8Array, RegExp]>([
    ["ext4 was not unmounted", spoiled(ext4(), 1024 + 0x3a, 0), /not cleanly unmounted/],
    ["ext4 has errors", spoiled(ext4(), 1024 + 0x3a, 3), /errors recorded/],
    ["ext4 had errors", spoiled(ext4(), 1024 + 0x194, 1), /recorded 1 errors/],
    ["ext4: an unknown compat feature", spoiled(ext4(), 1024 + 0x5d, 1), /compat feature 0x100/],
    ["ext4: an unknown ro_compat one", spoiled(ext4(), 1024 + 0x64, 0x80), /ro_compat feature/],
    ["ext4: a bitmap that forgot a block", spoiled(ext4(), 3 * 1024 + 1, 0x7f), /free clusters/],
    ["FAT was not unmounted", spoiled(fat(), 0x25, 1), /not cleanly unmounted/],
    ["FAT had errors", spoiled(fat(), 0x25, 2), /disk errors/],
    ["FAT is cut off", fat().slice(0, -4096), /larger than|but the device/],
    ["btrfs: a wrong count", spoiled(btrfs(), 65_536 + 121, 0), /checksum/],
    ["it looks like LVM", spoiled(ext4(), 512, ...lvmLabel()), /it looks like LVM2/],
    ["it looks like swap", spoiled(ext4(), 4086, ...Buffer.from("SWAPSPACE2")), /like swap/],
    ["it is XFS, too", spoiled(ext4(), 0, ...Buffer.from("XFSB")), /it looks like XFS/],
    [
      "it looks like btrfs",
      spoiled(larger(ext4()), 65_600, ...Buffer.from("_BHRfS_M")),
      /it looks like btrfs/,
    ],
    ["swap is larger than its place", swap().slice(0, -4096), /larger than its place/],
    ["swap was hibernated to", swap(512 * 1024, "S1SUSPEND\0"), /hibernation/],
    ["nothing is known", new Uint8Array(100_000).fill(1), /nothing that domus knows/],
    ["nothing is there", new Uint8Array(100_000), /nothing that domus knows/],
  ])("%s", async (_, bytes, reason) => {
    expect(await refusal(bytes)).toMatch(reason);
  });

  test("the other copy of the FAT says that a cluster is used", async () => {
    const bytes = fat();
    const [first, second] = [2 * SECTOR, 42 * SECTOR];
    for (const table of [first, second]) {
      const changed = Uint8Array.from(bytes);
      changed.set([0xff, 0xff], table + 2 * 2000); // of cluster 2000, in the middle of the free ones
      const { unused } = await viewOf(changed);
      const at = 84 * SECTOR + (2000 - 2) * SECTOR;
      const covered = [...extentsOf(unused)].some(
        ({ offset, length }) => at + SECTOR > offset && at < offset + length,
      );
      expect(covered).toBe(false);
      expect(unused.count).toBe((await viewOf(bytes)).unused.count + 1);
    }
  });
});

describe("who has it, or may come back", () => {
  const user = (kind: string, writes: boolean) => ({
    ...QUIET,
    findUsers: async () => [{ kind, writes, what: "of a test" }],
  });

  test("refused with a writer, or mounted in whatever way", async () => {
    const expected = "The source is in use: of a test.";
    expect(await refusal(ext4(), user("guest", true))).toBe(expected);
    expect(await refusal(ext4(), user("mount", false))).toBe(expected);
    expect((await viewOf(ext4(), user("guest", false))).unused.bytes).toBeGreaterThan(0);
  });

  test("a system that may go on: only ext4 says in time that it is mounted", async () => {
    const options = { ...QUIET, mayResume: true };
    expect((await viewOf(ext4(), options)).unused.bytes).toBeGreaterThan(0);
    for (const make of [xfs, btrfs, fat, swap])
      expect(await refusal(make(), options)).toMatch(/a system that goes on where it was/);
  });

  test("a hibernated system on one partition may go on with all of them", async () => {
    const image = { bytes: swap(65_536 * 2, "S1SUSPEND\0"), type: 0x82 };
    const view = await viewOf(
      mbrDisk([{ bytes: ext4() }, { bytes: btrfs() }, { bytes: swap(), type: 0x82 }, image]),
    );
    expect(view.volumes.map(({ unusedBytes }) => unusedBytes > 0)).toEqual([
      true,
      false,
      false,
      false,
    ]);
  });
});

describe("the view", () => {
  /** Every second block free, at odd places. */
  const fragmented = () => {
    const bytes = fat();
    const view = new DataView(bytes.buffer);
    for (let cluster = 9; cluster < 5000; cluster++) {
      if ((cluster >> 4) & 1)
        for (const table of [2, 42]) view.setUint16(table * SECTOR + 2 * cluster, 0xffff, true);
      bytes.fill(cluster & 0xff || 1, (82 + cluster) * SECTOR, (83 + cluster) * SECTOR);
    }
    return bytes;
  };

  test("reads zeroes there and nowhere else, at any place and length", async () => {
    const bytes = fragmented();
    const view = await viewOf(bytes);
    expect(view.unused.count).toBeGreaterThan(100);
    const masked = Uint8Array.from(bytes);
    for (const { offset, length } of extentsOf(view.unused))
      masked.fill(0, offset, offset + length);
    const random = randomSource(9);
    for (let i = 0; i < 500; i++) {
      const offset = random(bytes.length);
      const length = random(Math.min(60_000, bytes.length - offset + 1));
      const into = random(2) === 0 ? new Uint8Array(length).fill(7) : undefined;
      const got = await view.source.read(offset, length, undefined, into);
      expect(Buffer.compare(got, masked.subarray(offset, offset + length))).toBe(0);
      const known = view.source.readsAsZero!(offset, length);
      if (known) expect(got.every((byte) => byte === 0)).toBe(true);
    }
    for (const { offset, length } of extentsOf(view.unused)) {
      expect(view.source.readsAsZero!(offset, length)).toBe(true);
      expect(view.source.readsAsZero!(offset - 1, length)).toBe(false);
      expect(view.source.readsAsZero!(offset, length + 1)).toBe(false);
    }
    await expect(attempt(() => view.source.read(bytes.length, 1))).resolves.toMatchObject({
      ok: false,
    });
  });

  test("knows the source's own zeroes, and tells its tagger the others", async () => {
    const bytes = ext4();
    const asked: TaggedExtent[] = [];
    const source: SyncSource = {
      ...sourceOf(bytes),
      readsAsZero: (offset, length) => offset >= 1000 && offset + length <= 17 * 1024,
      openTagger: () => ({
        async tags(segments) {
          asked.push(...segments);
          return new Uint8Array(16 * segments.length);
        },
        async close() {},
      }),
    };
    const view = await openUnusedView(source, QUIET);
    if (view.kind === "refused") throw new Error(view.reason);
    expect(view.source.readsAsZero!(1000, 50_000)).toBe(true);
    expect(view.source.readsAsZero!(999, 50_000)).toBe(false);
    await view.source.openTagger!(new Uint8Array(16)).tags([
      { offset: 0, length: 20_000 },
      { offset: 0, length: 1000 },
    ]);
    expect(asked).toEqual([
      {
        offset: 0,
        length: 20_000,
        zeroes: [{ offset: 17 * 1024, length: 20_000 - 17 * 1024 }],
      },
      { offset: 0, length: 1000, zeroes: [] },
    ]);
  });

  test("is copied by the engine, and what is not clear at the end is not finished", async () => {
    const bytes = fragmented();
    const run = async (spoil: () => void) => {
      const view = await viewOf(bytes);
      const target = memoryDevice(new Uint8Array(bytes.length).fill(0x77));
      const connection = memoryConnection();
      const marks: string[] = [];
      const sending = { channel: connection.source, identity: new Uint8Array(32), program: "test" };
      const source: SyncSource = {
        ...view.source,
        async confirm() {
          spoil();
          await view.source.confirm!();
        },
      };
      const [sent, received] = await Promise.all([
        attempt(() => send({ source, ...sending })),
        attempt(() =>
          receive({
            target,
            channel: connection.destination,
            program: "test",
            record: {
              begin: async () => void marks.push("unfinished"),
              finish: async () => void marks.push("finished"),
            },
          }),
        ),
      ]);
      return { view, target, sent, received, marks };
    };
    const good = await run(() => {});
    expect(good.marks).toEqual(["unfinished", "finished"]);
    const wanted = await good.view.source.read(0, bytes.length);
    expect(Buffer.compare(good.target.bytes, wanted)).toBe(0);
    const bad = await run(() => bytes.set([0xff, 0xff], 2 * SECTOR + 2 * 1000));
    expect(bad.marks).toEqual(["unfinished"]);
    expect([bad.sent.ok, bad.received.ok]).toEqual([false, false]);
    expect(bad.sent).toMatchObject({ failure: { kind: "corrupt", found: /another map/ } });
  });

  test("notices at the end: mounted since, in use by somebody, cut off", async () => {
    const bytes = ext4();
    let users: { kind: string; what: string; writes: boolean }[] = [];
    const view = await viewOf(bytes, { ...QUIET, findUsers: async () => users });
    bytes[1024 + 0x3a] = 0;
    await expect(view.source.confirm!()).rejects.toThrow(/whole disk: found not cleanly unmounted/);
    bytes[1024 + 0x3a] = 1;
    await view.source.confirm!();
    users = [{ kind: "mount", what: "mounted at /mnt", writes: true }];
    await expect(view.source.confirm!()).rejects.toThrow(/found mounted at \/mnt/);
  });
});

test("mutations of a disk with everything on it: a view or a reason, never a failure", async () => {
  const disk = mbrDisk([
    { bytes: ext4() },
    { bytes: swap(131_072), type: 0x82 },
    { bytes: xfs() },
    { bytes: fat().slice(0), type: 0x0e },
  ]);
  const places: number[] = [];
  for (let at = 0; at < disk.length; at++)
    if (disk[at] !== 0 && disk[at] !== 0xaa && disk[at] !== 0x5a && disk[at] !== 0x61)
      places.push(at);
  const input = Uint8Array.from(places, (at) => disk[at]!);
  const kinds = new Set<string>();
  const run = await survivesMutation(
    [input],
    async (damaged) => {
      for (const [i, at] of places.entries()) disk[at] = damaged[i] ?? 0;
      const view = await openUnusedView(sourceOf(disk), QUIET);
      kinds.add(view.kind);
    },
    { count: 60, seed: 4 },
  );
  expect(run.failures).toBe(0);
  expect(kinds.has("view")).toBe(true);
});
