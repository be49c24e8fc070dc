import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../support/cpu-time.ts";
import { assembleVolumes } from "../../../../src/disk/assemble.ts";
import type { Assembled } from "../../../../src/disk/assemble.ts";
import type { Volume } from "../../../../src/disk/content.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { readVolumes } from "../../../../src/disk/tree.ts";
import { groupText, linear, lvmId, physicalVolume } from "../../../support/lvm.ts";
import type { GroupText, LvText } from "../../../support/lvm.ts";
import { survivesMutation } from "../../../support/mutate.ts";

/** Extents are 4 KiB here, so that volumes stay small; extent n of each volume is filled with its own value. */
const EXTENT = 4096;
const START = 65536;
const AREA = { offset: 4096, size: 32768 };
const IDS = [lvmId("A"), lvmId("B"), lvmId("C")];

function pv(index: number, text: string | undefined, more: Partial<{ size: number }> = {}) {
  const bytes = physicalVolume({
    size: START + 16 * EXTENT,
    uuid: IDS[index]!,
    areas: [{ ...AREA, ...(text !== undefined && { text }) }],
    ...more,
  });
  for (let extent = 0; extent < 16; extent++) {
    const at = START + extent * EXTENT;
    bytes.fill(16 * index + extent + 1, at, at + EXTENT);
  }
  return bytes;
}

function group(lvs: readonly LvText[], pvs = 1, more: Partial<GroupText> = {}): string {
  return groupText({
    pvs: IDS.slice(0, pvs).map((id, index) => ({
      name: `pv${index}`,
      id,
      start: START / 512,
      count: 16,
    })),
    lvs,
    ...more,
  });
}

async function assembled(...disks: readonly Uint8Array[]): Promise<Assembled> {
  const trees = disks.map((bytes, index) =>
    readVolumes(memorySource(bytes, [`xvd${"abc"[index]}`])),
  );
  return assembleVolumes(await Promise.all(trees));
}

/** The value that fills each extent, or the failure. */
async function extentsOf(volume: Volume): Promise<number[] | string> {
  try {
    const bytes = await volume.source.read(0, volume.source.size);
    const values: number[] = [];
    for (let at = 0; at < bytes.length; at += EXTENT) {
      const extent = bytes.subarray(at, at + EXTENT);
      expect(new Set(extent).size).toBe(1);
      values.push(extent[0]!);
    }
    return values;
  } catch (error) {
    return (error as Error).message;
  }
}

async function read(lvs: readonly LvText[], pvs = 1) {
  const text = group(lvs, pvs);
  const { volumes } = await assembled(...IDS.slice(0, pvs).map((_, index) => pv(index, text)));
  const all = await Promise.all(volumes.map(async (one) => [one.name, await extentsOf(one)]));
  return Object.fromEntries(all);
}

const lines = (count: number, ...rest: string[]) =>
  [`start_extent = 0`, `extent_count = ${count}`, ...rest].join("\n");

/** One logical volume of one extent. */
const root = (extent: number, name = "root") => [{ name, segments: [linear(0, 1, "pv0", extent)] }];

/** A hidden volume: a part of another. */
function leg(name: string, pvName: string, extent: number, count = 2): LvText {
  return { name, visible: false, segments: [linear(0, count, pvName, extent)] };
}

/** The volume that names a snapshot's parts. */
const tie = (store: string) =>
  lines(2, 'type = "snapshot"', "chunk_size = 8", 'origin = "root"', `${store} = "snap"`);

/** An origin, the store of its snapshot, and what ties them together. */
const withSnapshot = (store: string) => [
  { name: "root", segments: [linear(0, 2, "pv0", 0)] },
  { name: "snap", segments: [linear(0, 1, "pv0", 2)] },
  { name: "snapshot0", segments: [tie(store)] },
];

describe("segments", () => {
  test("linear: extents in any order, from several volumes", async () => {
    const segments = [linear(3, 1, "pv1", 2), linear(0, 3, "pv0", 5)];
    expect(await read([{ name: "root", segments }], 2)).toEqual({ "vg0/root": [6, 7, 8, 19] });
  });

  test("striped: chunks go around the areas", async () => {
    const striped = lines(
      4,
      'type = "striped"',
      "stripe_count = 2",
      "stripe_size = 8",
      'stripes = [ "pv0", 1, "pv1", 0 ]',
    );
    expect(await read([{ name: "s", segments: [striped] }], 2)).toEqual({
      "vg0/s": [2, 17, 3, 18],
    });
  });

  test("zero reads as zeroes, error fails where it is read", async () => {
    const zero = lines(2, 'type = "zero"');
    const error = ["start_extent = 1", "extent_count = 1", 'type = "error"'].join("\n");
    const found = await read([
      { name: "z", segments: [zero] },
      { name: "e", segments: [linear(0, 1, "pv0", 3), error] },
    ]);
    expect(found["vg0/z"]).toEqual([0, 0]);
    expect(found["vg0/e"]).toContain("EIO");
    const { volumes } = await assembled(
      pv(0, group([{ name: "e", segments: [linear(0, 1, "pv0", 3), error] }])),
    );
    expect((await volumes[0]!.source.read(4095, 1))[0]).toBe(4);
  });

  const mirror = lines(2, 'type = "mirror"', 'mirrors = [ "m0", 0, "m1", 0 ]');
  const raid1 = lines(
    2,
    'type = "raid1"',
    "device_count = 2",
    'raids = [ "t0", "i0", "t1", "i1" ]',
  );

  test("a mirror is its first leg", async () => {
    const lvs = [{ name: "m", segments: [mirror] }, leg("m0", "pv0", 4), leg("m1", "pv1", 4)];
    expect(await read(lvs, 2)).toEqual({ "vg0/m": [5, 6] });
  });

  test("a mirror or RAID1 with a volume missing is the other leg", async () => {
    for (const [kind, names] of [
      [mirror, ["m0", "m1"]],
      [raid1, ["i0", "i1"]],
    ] as const) {
      const lvs = [
        { name: "m", segments: [kind] },
        leg(names[0], "pv1", 4),
        leg(names[1], "pv0", 4),
        leg("t0", "pv1", 9, 1),
        leg("t1", "pv0", 9, 1),
      ];
      const { volumes, findings } = await assembled(pv(0, group(lvs, 2)));
      expect(await extentsOf(volumes[0]!)).toEqual([5, 6]);
      expect(findings.map((one) => [one.code, one.severity])).toEqual([["lvm-pv-missing", "note"]]);
    }
  });

  /** A dm-raid superblock for each leg, in extent 9 of its volume. */
  async function raidLeg(
    ...superblocks: (readonly [events: number, failed: number, left: bigint])[]
  ) {
    const text = group(
      [
        { name: "r", segments: [raid1] },
        leg("i0", "pv0", 4),
        leg("t0", "pv0", 9, 1),
        leg("i1", "pv1", 4),
        leg("t1", "pv1", 9, 1),
      ],
      2,
    );
    const disks = superblocks.map(([events, failed, left], index) => {
      const bytes = pv(index, text);
      const view = new DataView(bytes.buffer, START + 9 * EXTENT);
      bytes.set(Buffer.from("DmRd"), START + 9 * EXTENT);
      view.setUint32(8, 2, true);
      view.setUint32(12, index, true);
      view.setBigUint64(16, BigInt(events), true);
      view.setBigUint64(24, BigInt(failed), true);
      view.setBigUint64(32, left, true);
      return bytes;
    });
    const { volumes } = await assembled(...disks);
    return extentsOf(volumes[0]!);
  }
  const ALL = 0xffff_ffff_ffff_ffffn;

  test("RAID1 is read from a leg that has all that was written", async () => {
    expect(
      await read(
        [
          { name: "r", segments: [raid1] },
          leg("i0", "pv0", 4),
          leg("t0", "pv0", 9, 1),
          leg("i1", "pv1", 4),
          leg("t1", "pv1", 9, 1),
        ],
        2,
      ),
    ).toEqual({ "vg0/r": [5, 6] });
    expect(await raidLeg([7, 0, ALL], [7, 0, ALL])).toEqual([5, 6]);
    expect(await raidLeg([6, 0, ALL], [7, 0, ALL])).toEqual([21, 22]);
    expect(await raidLeg([7, 1, ALL], [7, 1, ALL])).toEqual([21, 22]);
    expect(await raidLeg([7, 0, 100n], [7, 0, ALL])).toEqual([21, 22]);
    expect(await raidLeg([7, 3, 100n], [7, 3, 100n])).toEqual([5, 6]);
  });

  test.each(["thin", "thin-pool", "cache+METADATA_FORMAT", "raid5_ls", "vdo", "writecache"])(
    "%s is named and declined",
    async (type) => {
      const text = group([{ name: "x", segments: [lines(2, `type = "${type}"`)] }]);
      const { volumes, findings, opaque } = await assembled(pv(0, text));
      const [volume] = volumes;
      expect(volume).toMatchObject({
        name: "vg0/x",
        source: { size: 2 * EXTENT },
        content: { kind: "named", format: "LVM2 volume" },
        tried: [{ failure: { kind: "unsupported", where: ["vg0/x"] } }],
      });
      expect(await extentsOf(volume!)).toContain("is not supported");
      expect(JSON.stringify(volume!.content)).toContain(type.split("+")[0]!);
      expect([findings, opaque]).toEqual([[], []]);
    },
  );

  test("a snapshot is declined, its origin is read until the merge", async () => {
    const apart = await read(withSnapshot("cow_store"));
    expect(apart["vg0/root"]).toEqual([1, 2]);
    expect(apart["vg0/snap"]).toContain("LVM2 snapshots");
    expect(Object.keys(apart)).toEqual(["vg0/root", "vg0/snap"]);
    const merging = await read(withSnapshot("merging_store"));
    expect(merging["vg0/root"]).toContain("being merged");
  });
});

describe("volume groups", () => {
  test("a volume says where it comes from", async () => {
    const disk = pv(0, group(root(3)));
    const { volumes } = await assembled(disk);
    expect(volumes[0]).toMatchObject({
      name: "vg0/root",
      source: { where: ["vg0/root"], size: EXTENT },
      assembly: {
        system: "lvm2",
        group: { name: "vg0", id: lvmId("G") },
        volume: { name: "root", id: lvmId("L") },
        members: [{ name: "whole disk" }],
      },
    });
  });

  test("the newest metadata counts, on whichever volume it is", async () => {
    const old = group(root(3), 2, { seqno: 4 });
    const newer = group(root(5), 2, { seqno: 5 });
    for (const texts of [
      [old, newer],
      [newer, old],
    ]) {
      const { volumes, findings } = await assembled(pv(0, texts[0]), pv(1, texts[1]));
      expect(await extentsOf(volumes[0]!)).toEqual([6]);
      expect(findings.map((one) => one.code)).toEqual(["lvm-metadata-outdated"]);
      expect(findings[0]!.what).toContain("version 4; domus used version 5");
    }
  });

  test("of two areas on one volume, a damaged one is not used", async () => {
    const text = group(root(3));
    const second = { offset: START - 16384, size: 16384, text };
    const bytes = physicalVolume({
      size: START + 16 * EXTENT,
      uuid: IDS[0]!,
      areas: [{ offset: 4096, size: 16384, text }, second],
    });
    bytes[4096 + 600]! ^= 1;
    const { volumes, findings } = await assembled(bytes);
    expect(volumes.map((one) => one.name)).toEqual(["vg0/root"]);
    expect(findings.map((one) => one.code)).toEqual(["lvm-metadata-damaged"]);
    expect(findings[0]!.what).toContain("used another one");
  });

  test("without any sound metadata the volume stays closed", async () => {
    const bytes = pv(0, group(root(3)));
    bytes[4096 + 600]! ^= 1;
    const { volumes, findings, opaque } = await assembled(bytes);
    expect([volumes.length, opaque.length]).toEqual([0, 1]);
    expect(findings.map((one) => [one.code, one.severity])).toEqual([
      ["lvm-metadata-damaged", "warning"],
    ]);
  });

  test("a volume without metadata of its own is found by its uuid", async () => {
    const text = group([{ name: "root", segments: [linear(0, 2, "pv1", 1)] }], 2);
    const bare = physicalVolume({ size: START + 16 * EXTENT, uuid: IDS[1]! });
    bare.fill(9, START);
    const { volumes, opaque } = await assembled(pv(0, text), bare);
    expect(await extentsOf(volumes[0]!)).toEqual([9, 9]);
    expect(opaque).toEqual([]);
    expect((await assembled(bare)).opaque.length).toBe(1);
  });

  test("a missing volume hurts those that need it only", async () => {
    const lvs = [
      { name: "here", segments: [linear(0, 1, "pv0", 0)] },
      { name: "both", segments: [linear(0, 1, "pv0", 1), linear(1, 1, "pv1", 0)] },
      { name: "there", segments: [linear(0, 1, "pv1", 1)] },
    ];
    const { volumes, findings, opaque } = await assembled(pv(0, group(lvs, 2)));
    expect(await Promise.all(volumes.map(extentsOf))).toEqual([
      [1],
      expect.stringContaining(`no physical volume pv1 (${IDS[1]})`),
      expect.stringContaining("no physical volume pv1"),
    ]);
    expect(volumes.map((one) => one.content.kind)).toEqual(["unknown", "unknown", "unknown"]);
    expect(findings).toMatchObject([{ code: "lvm-pv-missing", severity: "warning" }]);
    expect(findings[0]!.why).toContain("both, there");
    expect(opaque).toEqual([]);
  });

  test("a volume that was away while the group changed is not believed", async () => {
    const text = group(root(3)).replace("flags = []\npe_start", 'flags = ["MISSING"]\npe_start');
    const { volumes, findings } = await assembled(pv(0, text));
    expect(await extentsOf(volumes[0]!)).toContain("no physical volume pv0");
    expect(findings[0]!.next).toContain("--restoremissing vg0");
  });

  test("copies of one volume: the first is used", async () => {
    const text = group(root(3));
    const { volumes, findings } = await assembled(pv(0, text), pv(0, text));
    expect(volumes.length).toBe(1);
    expect(findings.map((one) => one.code)).toEqual(["lvm-pv-duplicate"]);
    expect(findings[0]!.what).toContain("at xvda");
  });

  test("groups with one name are two groups", async () => {
    const other = groupText({
      id: lvmId("H"),
      pvs: [{ name: "pv0", id: IDS[1]!, start: START / 512, count: 16 }],
      lvs: root(2),
    });
    const { volumes } = await assembled(pv(0, group(root(1))), pv(1, other));
    expect(await Promise.all(volumes.map(extentsOf))).toEqual([[2], [19]]);
  });

  test("a volume in no group is empty, not closed", async () => {
    const { volumes, findings, opaque } = await assembled(pv(0, undefined));
    expect([volumes, findings, opaque]).toEqual([[], [], []]);
  });

  test("a disk that was cut off hurts what lay there", async () => {
    const text = group([
      { name: "low", segments: [linear(0, 1, "pv0", 0)] },
      { name: "high", segments: [linear(0, 2, "pv0", 14)] },
    ]);
    const { volumes } = await assembled(pv(0, text).slice(0, START + 15 * EXTENT));
    expect(await Promise.all(volumes.map(extentsOf))).toEqual([
      [1],
      expect.stringContaining("found a part at bytes"),
    ]);
  });
});

describe("hostile metadata", () => {
  test.each([
    ["extents outside of the volume", linear(0, 2, "pv0", 15), "one among its 16"],
    ["extents far outside", linear(0, 1, "pv0", 9007199254740991), "one among its 16"],
    ["an unknown volume", linear(0, 1, "pv7", 0), "no volume pv7"],
    ["itself", linear(0, 1, "x", 0), "the depth of volumes"],
    ["a part of something declined", linear(0, 1, "y", 0), "type thin-pool"],
  ])("%s", async (_, segment, message) => {
    const pool = { name: "y", visible: false, segments: [lines(2, 'type = "thin-pool"')] };
    const found = await read([{ name: "x", segments: [segment] }, pool]);
    expect(found["vg0/x"]).toContain(message);
  });

  test.each([
    ["a gap between segments", [linear(0, 1, "pv0", 0), linear(2, 1, "pv0", 0)]],
    ["segments over each other", [linear(0, 2, "pv0", 0), linear(1, 1, "pv0", 0)]],
    ["a size of 2^53", [linear(0, 9007199254740991, "pv0", 0)]],
    ["no extents", [linear(0, 0, "pv0", 0)]],
    ["no stripes", [lines(1, 'type = "striped"', "stripes = [ ]")]],
    ["half a pair", [lines(1, 'type = "striped"', 'stripes = [ "pv0" ]')]],
    [
      "stripes of size 0",
      [lines(2, 'type = "striped"', "stripe_size = 0", 'stripes = [ "pv0", 0, "pv0", 1 ]')],
    ],
    ["legs that are no names", [lines(1, 'type = "raid1"', "raids = [ 1, 2 ]")]],
    ["no type", [lines(1)]],
  ])("%s closes the group", async (_, segments) => {
    const { volumes, findings, opaque } = await assembled(pv(0, group([{ name: "x", segments }])));
    expect([volumes.length, opaque.length]).toEqual([0, 1]);
    expect(findings.map((one) => one.code)).toEqual(["lvm-metadata-damaged"]);
  });

  test.each(["../../etc", "a b", "\x1b[2J", "-x", "x".repeat(200)])(
    "a name that LVM would not give (%j)",
    async (name) => {
      const text = group(root(0, name));
      const { volumes } = await assembled(pv(0, text));
      expect(volumes).toEqual([]);
    },
  );

  test("a long chain of volumes in volumes does not nest the reads", async () => {
    const chain = Array.from({ length: 100 }, (_, index) => ({
      name: `v${index}`,
      segments: [index === 0 ? linear(0, 1, "pv0", 0) : linear(0, 1, `v${index - 1}`, 0)],
    }));
    const found = await read(chain);
    expect(found["vg0/v7"]).toEqual([1]);
    expect(found["vg0/v8"]).toContain("the depth of volumes");
    expect(found["vg0/v99"]).toContain("the depth of volumes");
  });

  test("a volume that holds the volume that it is on ends", async () => {
    // pe_start 0: the logical volume begins with the label.
    const text = groupText({
      pvs: [{ name: "pv0", id: IDS[0]!, start: 0, count: 32 }],
      lvs: [
        { name: "a", segments: [linear(0, 32, "pv0", 0)] },
        { name: "b", segments: [linear(0, 32, "pv0", 0)] },
      ],
    });
    const { volumes, opaque } = await assembled(pv(0, text));
    expect(volumes.length).toBeLessThanOrEqual(8);
    expect(opaque.length).toBeGreaterThan(0);
  });

  test("more volumes than anybody has", async () => {
    const size = 2 << 20;
    const lvs = Array.from({ length: 3000 }, (_, index) => ({
      name: `v${index}`,
      segments: [linear(0, 1, "pv0", 0)],
    }));
    const bytes = physicalVolume({
      size: size + 8192,
      uuid: IDS[0]!,
      areas: [
        {
          offset: 4096,
          size: size - 4096,
          text: groupText({
            pvs: [{ name: "pv0", id: IDS[0]!, start: size / 512, count: 1 }],
            lvs,
          }),
        },
      ],
    });
    const { volumes, findings } = await assembled(bytes);
    expect(volumes.length).toBe(1024);
    expect(findings.map((one) => one.code)).toEqual(["volumes-limit"]);
  });

  test("many volumes on one that has many parts", async () => {
    const count = 1500;
    const pvs = Array.from({ length: count }, (_, index) => ({
      name: `p${index}`,
      id: IDS[0]!,
      start: 0,
      count: 1,
    }));
    const parts = pvs.map(({ name }, index) => linear(index, 1, name, 0));
    const tops = Array.from({ length: count }, (_, index) => ({
      name: `v${index}`,
      segments: [linear(0, count, "hidden", 0)],
    }));
    const text = groupText({
      pvs,
      lvs: [{ name: "hidden", visible: false, segments: parts }, ...tops],
    });
    const size = 4 << 20;
    const bytes = physicalVolume({
      size: size + 8192,
      uuid: IDS[0]!,
      areas: [{ offset: 4096, size: size - 4096, text }],
    });
    const took = cpuTime();
    const { volumes } = await assembled(bytes);
    expect(volumes[0]!.assembly!.under.length).toBe(1);
    expect(took()).toBeLessThan(4000);
  });

  test("damaged text with a good checksum", async () => {
    const sub = { name: "i0", visible: false, segments: [linear(0, 2, "pv0", 4)] };
    const raid = lines(2, 'type = "raid1"', 'raids = [ "i0", "i0" ]');
    const text = group([
      { name: "root", segments: [linear(0, 2, "pv0", 0), linear(2, 3, "pv0", 7)] },
      { name: "r", segments: [raid] },
      sub,
    ]);
    let whole = 0;
    await survivesMutation(
      [Buffer.from(text)],
      async (bytes) => {
        const { volumes } = await assembled(pv(0, Buffer.from(bytes).toString("latin1")));
        await Promise.all(volumes.map(extentsOf));
        whole += volumes.length;
      },
      { count: 250 },
    );
    expect(whole).toBeGreaterThan(50);
  });
});
