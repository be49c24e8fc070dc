import { describe, expect, test } from "vitest";
import { assembleVolumes } from "../../../../src/disk/assemble.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { readVolumes } from "../../../../src/disk/tree.ts";
import { groupText, linear, lvmId, physicalVolume } from "../../../support/lvm.ts";
import { mdMember } from "../../../support/md.ts";
import type { MdMember } from "../../../support/md.ts";
import { mbrSector } from "../../../support/tables.ts";

const content = (value: number) => new Uint8Array(256 * 1024).fill(value);

const member = (number: number, more: Partial<MdMember> = {}): Uint8Array =>
  mdMember({ version: "1.2", size: 1 << 20, content: content(number + 1), number, ...more });

async function assembled(...disks: readonly Uint8Array[]) {
  const trees = disks.map((bytes, index) =>
    readVolumes(memorySource(bytes, [`xvd${"abcd"[index]}`])),
  );
  const found = await assembleVolumes(await Promise.all(trees));
  const first = found.volumes[0];
  const value =
    first &&
    (await first.source.read(0, 1).then(
      (b) => b[0],
      (e: Error) => e.message,
    ));
  return { ...found, first, value, codes: found.findings.map((one) => one.code) };
}

describe("RAID1", () => {
  test.each(["0.90", "1.0", "1.1", "1.2"] as const)("of version %s", async (version) => {
    const disks = [0, 1].map((number) => member(number, { version, dataOffset: 65536 }));
    const { first, value, codes, opaque } = await assembled(...disks);
    expect(first).toMatchObject({
      name: "md0",
      source: { where: ["md0"], size: 256 * 1024 },
      assembly: { system: "md", localName: "0", members: [{}, {}] },
    });
    expect([value, codes, opaque]).toEqual([1, [], []]);
  });

  test("a member that missed writes is not used, whichever comes first", async () => {
    const old = member(0, { events: 8, name: "host:root" });
    const newer = member(1, { events: 10, name: "host:root", roles: [0xfffe, 1] });
    for (const disks of [
      [old, newer],
      [newer, old],
    ]) {
      const { first, value, codes } = await assembled(...disks);
      expect(value).toBe(2);
      expect(first!.name).toBe("md/root");
      expect(codes).toEqual(["md-member-stale", "md-degraded"]);
    }
  });

  test("a member that missed writes is not used, even if nobody saw it fail", async () => {
    const { value, codes } = await assembled(member(0, { events: 8 }), member(1, { events: 10 }));
    expect([value, codes]).toEqual([2, ["md-member-stale", "md-degraded"]]);
  });

  test("the last event may have reached one member only", async () => {
    const { value, codes } = await assembled(member(0, { events: 9 }), member(1, { events: 10 }));
    expect([value, codes]).toEqual([2, []]);
  });

  test("what failed, is spare or is being filled is not used", async () => {
    const failed = { roles: [0xfffe, 1], events: 10 };
    expect(await assembled(member(0, failed), member(1, failed))).toMatchObject({ value: 2 });
    const spare = { roles: [0xffff, 1] };
    expect(await assembled(member(0, spare), member(1, spare))).toMatchObject({ value: 2 });
    const filling = await assembled(member(0, { features: 2 }), member(1));
    expect(filling).toMatchObject({ value: 2, codes: ["md-member-stale", "md-degraded"] });
  });

  test("one member is enough, and said to be alone", async () => {
    expect(await assembled(member(1))).toMatchObject({ value: 2, codes: ["md-degraded"] });
  });

  test("no member that is up to date", async () => {
    const { value, first } = await assembled(member(0, { features: 2 }));
    expect(first!.content.kind).toBe("unknown");
    expect(value).toContain("no member that is up to date");
  });

  test("a member that is too small for what it says", async () => {
    const { value } = await assembled(member(0, { dataOffset: 65536 }).slice(0, 300_000));
    expect(value).toContain("found data of 262144 bytes");
  });

  test("partitions inside are looked for", async () => {
    const disk = new Uint8Array(256 * 1024);
    disk.set(mbrSector([{ slot: 1, type: 0x83, start: 8, sectors: 100 }]));
    const { first } = await assembled(member(0, { content: disk, raidDisks: 1 }));
    expect(first!.children).toMatchObject([
      { name: "partition 1", source: { where: ["md0", "partition 1"] } },
    ]);
  });
});

test.each([
  [0, "md RAID0"],
  [5, "md RAID5"],
  [10, "md RAID10"],
  [-1, "linear md"],
  [-4, "level -4"],
])("level %i is named and declined", async (level, text) => {
  const { first, findings } = await assembled(member(0, { level }), member(1, { level }));
  expect(first).toMatchObject({ content: { kind: "named", format: "md RAID array" } });
  expect(JSON.stringify(first!.content)).toContain(text);
  expect(findings).toEqual([]);
});

/** A disk with the member in its first partition. */
function partitioned(number: number): Uint8Array {
  const bytes = new Uint8Array(2 << 20);
  bytes.set(mbrSector([{ slot: 1, type: 0xfd, start: 2048, sectors: 2048 }]));
  bytes.set(member(number), 1 << 20);
  return bytes;
}

describe("one on the other", () => {
  const id = lvmId("A");
  const lvm = (lv: Uint8Array, text?: string) => {
    const start = 65536;
    const own = groupText({
      pvs: [{ name: "pv0", id, start: start / 512, count: lv.length / 4096 }],
      lvs: [{ name: "root", segments: [linear(0, lv.length / 4096, "pv0", 0)] }],
    });
    const areas = [{ offset: 4096, size: 32768, text: text ?? own }];
    const bytes = physicalVolume({ size: start + lv.length, uuid: id, areas });
    bytes.set(lv, start);
    return bytes;
  };

  test("LVM on a degraded md array", async () => {
    const lv = new Uint8Array(65536).fill(7);
    const { volumes, codes, opaque } = await assembled(member(1, { content: lvm(lv) }));
    expect(volumes.map((one) => one.name)).toEqual(["md0", "vg0/root"]);
    expect((await volumes[1]!.source.read(0, 1))[0]).toBe(7);
    expect([codes, opaque]).toEqual([["md-degraded"], []]);
  });

  test("a group on an md array and on a disk waits for the array", async () => {
    const other = lvmId("B");
    const text = groupText({
      pvs: [
        { name: "pv0", id, start: 128, count: 16 },
        { name: "pv1", id: other, start: 128, count: 16 },
      ],
      lvs: [{ name: "root", segments: [linear(0, 1, "pv1", 0), linear(1, 1, "pv0", 0)] }],
    });
    const areas = [{ offset: 4096, size: 32768, text }];
    const plain = physicalVolume({ size: 131072, uuid: other, areas });
    plain.fill(5, 65536);
    const inArray = lvm(new Uint8Array(65536).fill(6), text);
    const { volumes, codes } = await assembled(plain, member(1, { content: inArray }));
    const root = volumes.find((one) => one.name === "vg0/root")!;
    expect([...(await root.source.read(4095, 2))]).toEqual([5, 6]);
    expect(codes).toEqual(["md-degraded"]);
  });

  test("md on a logical volume", async () => {
    const inner = mdMember({ version: "1.2", size: 1 << 19, content: content(9), raidDisks: 1 });
    const { volumes } = await assembled(lvm(inner));
    expect(volumes.map((one) => one.name)).toEqual(["vg0/root", "md0"]);
    expect((await volumes[1]!.source.read(0, 1))[0]).toBe(9);
  });

  test("a mirror waits for a member that lies on a logical volume", async () => {
    const { volumes, codes } = await assembled(member(0), lvm(member(1)));
    expect(volumes.map((one) => one.name)).toEqual(["vg0/root", "md0"]);
    expect(volumes[1]!.assembly!.members.length).toBe(2);
    expect(codes).toEqual([]);
  });

  test("members on partitions of several disks", async () => {
    const { value, codes, volumes } = await assembled(partitioned(0), partitioned(1));
    expect([value, codes]).toEqual([1, []]);
    const { assembly } = volumes[0]!;
    expect(assembly!.members.map((one) => one.source.where)).toEqual([
      ["xvda", "partition 1"],
      ["xvdb", "partition 1"],
    ]);
  });
});
