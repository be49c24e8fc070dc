import { describe, expect, test } from "vitest";
import { missing } from "../../../../src/base/failure.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import type { BlockDevice } from "../../../../src/disk/source.ts";
import { splitSpec } from "../../../../src/guest/disks/choose-file-system.ts";
import { assemblyNames, partitionDevice } from "../../../../src/guest/disks/device-names.ts";
import { openDisks } from "../../../../src/guest/disks/open-disks.ts";
import type { Host } from "../../../../src/host/host.ts";
import { goodDiskSpec } from "../../../support/facts.ts";
import { groupText, linear, lvmId, physicalVolume } from "../../../support/lvm.ts";
import { mdMember } from "../../../support/md.ts";
import { gptDisk, mbrSector } from "../../../support/tables.ts";
import { makeImage as ext4Image } from "../../disk/fs/ext4/image.ts";

const nothing = () => Promise.reject(missing(["host"], "such thing"));

/** A host whose only files are these disks. */
function hostWith(disks: Readonly<Record<string, Uint8Array>>): Host {
  return {
    name: "test",
    live: false,
    run: nothing,
    async openBlock(path) {
      const bytes = disks[path];
      if (!bytes) throw missing([path], "such file or directory");
      const device: BlockDevice = {
        ...memorySource(bytes, [path]),
        blockSize: 512,
        async *extents() {
          yield { offset: 0, length: bytes.length };
        },
        async [Symbol.asyncDispose]() {},
      };
      return device;
    },
    readFile: nothing,
    list: nothing,
    kind: nothing,
    realPath: nothing,
  };
}

async function opened(...disks: readonly Uint8Array[]) {
  const paths = disks.map((_, index) => `/dev/${index}`);
  const host = hostWith(Object.fromEntries(disks.map((bytes, index) => [paths[index]!, bytes])));
  const specs = paths.map((target, index) => ({
    ...goodDiskSpec(),
    target,
    vdev: `xvd${"abc"[index]}`,
  }));
  await using open = await openDisks(host, specs);
  return open.disks;
}

const IDS = [lvmId("A"), lvmId("B")];
/** A volume group over two physical volumes of 16 extents; the second has all of `root`. */
const TEXT = groupText({
  pvs: IDS.map((id, index) => ({ name: `pv${index}`, id, start: 128, count: 16 })),
  lvs: [
    { name: "root", id: lvmId("R"), segments: [linear(0, 4, "pv1", 0)] },
    { name: "both", id: lvmId("S"), segments: [linear(0, 1, "pv1", 5), linear(1, 1, "pv0", 5)] },
  ],
});
const pv = (index: number) =>
  physicalVolume({
    size: 131072,
    uuid: IDS[index]!,
    areas: [{ offset: 4096, size: 16384, text: TEXT }],
  });

describe("what the guest would see", () => {
  test("a GPT for sectors of 4096 bytes in a file, which has 512", async () => {
    const disk = gptDisk({ diskSectors: 64, sectorSize: 4096, parts: [{ first: 20, last: 30 }] });
    const host = hostWith({ "/dev/0": disk });
    const spec = { ...goodDiskSpec(), target: "/dev/0" };
    const codes = async (asGuest: boolean) => {
      await using open = await openDisks(host, [spec], { asGuest });
      return open.disks[0]!.facts.findings.map((one) => one.code);
    };
    expect(await codes(true)).toContain("gpt-ignored-by-linux");
    expect(await codes(false)).not.toContain("gpt-ignored-by-linux");
  });

  test("a filesystem that is larger than its disk", async () => {
    const { bytes } = ext4Image();
    const [disk] = await opened(bytes.subarray(0, bytes.length - 4096));
    expect(disk!.facts.findings.map((one) => one.code)).toEqual(["filesystem-past-end"]);
    const [whole] = await opened(bytes);
    expect(whole!.facts.findings).toEqual([]);
  });

  test("a device that dom0 may not write to", async () => {
    const host = hostWith({ "/dev/0": new Uint8Array(4096) });
    const readOnly: Host = {
      ...host,
      openBlock: async (path) => ({ ...(await host.openBlock(path)), readOnly: true }),
    };
    await using open = await openDisks(readOnly, [{ ...goodDiskSpec(), target: "/dev/0" }]);
    expect(open.disks[0]!.facts.deviceReadOnly).toBe(true);
  });

  test("the modules that a logical volume needs", async () => {
    const [first] = await opened(pv(0), pv(1));
    expect(first!.facts.volumes.at(-1)!.modules).toEqual(["dm_mod"]);
  });
});

describe("disks with LVM", () => {
  test("a volume is listed with the first disk that it lies on; the disks are read through", async () => {
    const disks = await opened(pv(0), pv(1));
    expect(disks.map((disk) => disk.facts.volumes.map((one) => one.device))).toEqual([
      ["xvda", "/dev/mapper/vg0-both"],
      ["xvdb", "/dev/mapper/vg0-root"],
    ]);
    expect(disks.map((disk) => disk.complete)).toEqual([true, true]);
    expect(disks[0]!.facts.volumes[0]).toMatchObject({ assembled: true });
    expect(disks[1]!.facts.volumes[1]).toMatchObject({
      where: ["vg0/root"],
      format: "empty",
      aliases: expect.arrayContaining(["/dev/vg0/root"]),
    });
  });

  test("what a missing disk held is not read", async () => {
    const [disk] = await opened(pv(0));
    expect(disk!.complete).toBe(false);
    expect(disk!.facts.findings.map((one) => one.code)).toEqual(["lvm-pv-missing"]);
    expect(disk!.facts.volumes.map((one) => [one.device, one.format])).toEqual([
      ["xvda", "LVM2 physical volume"],
      ["/dev/mapper/vg0-root", "unknown"],
      ["/dev/mapper/vg0-both", "unknown"],
    ]);
  });

  test("a member that nothing could be made of is opaque, and the finding is with its disk", async () => {
    const damaged = pv(1);
    damaged[4096 + 600]! ^= 1;
    const [first, second] = await opened(new Uint8Array(65536), damaged);
    expect([first!.complete, second!.complete]).toEqual([true, false]);
    expect(first!.facts.findings).toEqual([]);
    expect(second!.facts.findings.map((one) => one.code)).toEqual(["lvm-metadata-damaged"]);
    expect(second!.facts.volumes[0]).not.toHaveProperty("assembled");
  });
});

test("partitions of an array have names of their own", async () => {
  const content = new Uint8Array(262144);
  content.set(mbrSector([{ slot: 1, type: 0x83, start: 8, sectors: 100 }]));
  const [disk] = await opened(mdMember({ version: "1.2", size: 1 << 20, content, raidDisks: 1 }));
  expect(disk!.facts.volumes.map((one) => [one.device, one.where, one.aliases?.[0]])).toEqual([
    ["xvda", ["xvda"], undefined],
    ["md0", ["md0"], "/dev/md/0"],
    ["md0p1", ["md0", "partition 1"], "/dev/md/0p1"],
  ]);
});

describe("names", () => {
  const none = { members: [], under: [] };
  test("of logical volumes", () => {
    const group = { name: "my-vg", id: lvmId("G") };
    const volume = { name: "ro-ot", id: lvmId("R") };
    expect(assemblyNames({ system: "lvm2", group, volume, ...none })).toEqual({
      device: "/dev/mapper/my--vg-ro--ot",
      aliases: [
        "/dev/my-vg/ro-ot",
        "/dev/disk/by-id/dm-name-my--vg-ro--ot",
        `/dev/disk/by-id/dm-uuid-LVM-${"G".repeat(32)}${"R".repeat(32)}`,
      ],
      grubName: "lvm/my--vg-ro--ot",
      grubIds: [`lvmid/${lvmId("G")}/${lvmId("R")}`],
    });
  });

  const MDUUID = "mduuid/00112233445566778899aabbccddeeff";
  test.each([
    ["debian:0", "0", { device: "md0", grubName: "md/0" }, ["0", "debian:0"]],
    ["debian:root", "root", { device: "md/root", grubName: "md/root" }, ["root", "debian:root"]],
    ["", "3", { device: "md3", grubName: MDUUID }, ["3"]],
    ["", "", { device: "md", grubName: MDUUID }, []],
  ])("of an array called %j, %j", (name, localName, expected, links) => {
    const array = { name, id: "00112233-4455-6677-8899-aabbccddeeff" };
    const names = assemblyNames({ system: "md", array, localName, ...none });
    expect(names).toMatchObject(expected);
    expect(names.aliases.filter((alias) => alias.startsWith("/dev/md/"))).toEqual(
      links.map((link) => `/dev/md/${link}`),
    );
    expect(names.aliases).toContain("/dev/disk/by-id/md-uuid-00112233:44556677:8899aabb:ccddeeff");
  });

  test("of partitions", () => {
    expect(partitionDevice("xvda", 1)).toBe("xvda1");
    expect(partitionDevice("md0", 1)).toBe("md0p1");
    expect(partitionDevice("md0", undefined)).toBe("md0");
  });

  test.each([
    ["xvda1:/etc", "xvda1", "/etc"],
    ["xvda1:", "xvda1", "/"],
    ["vg0/root:/etc", "vg0/root", "/etc"],
    ["/dev/mapper/vg0-root:/etc", "/dev/mapper/vg0-root", "/etc"],
    ["/dev/disk/by-id/x:/etc", "/dev/disk/by-id/x", "/etc"],
    ["/etc/a:b", undefined, "/etc/a:b"],
    ["/srv/a:/b", undefined, "/srv/a:/b"],
    ["a/b/c:/d", undefined, "/a/b/c:/d"],
    ["etc/fstab", undefined, "/etc/fstab"],
  ])("%s is a volume and a path", (spec, volume, path) => {
    expect(splitSpec(spec)).toEqual({ ...(volume !== undefined && { volume }), path });
  });
});
