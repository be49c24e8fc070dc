import { describe, expect, test } from "vitest";
import { devicePath, findRoot, parseDevice, parseRoot } from "../../../src/boot/root-device.ts";
import type { RootCandidate } from "../../../src/boot/root-device.ts";
import { randomSource } from "../../support/mutate.ts";

describe("parseRoot", () => {
  const CASES = {
    "root=UUID=0a1b-2C": ["uuid", "0a1b-2C"],
    "root=/dev/xvda root=LABEL=root quiet": ["label", "root"],
    '"root=LABEL=my disk"': ["label", "my disk"],
    'root=UUID="0a1b"': ["uuid", "0a1b"],
    "root=PARTUUID=ABCD-01": ["partuuid", "ABCD-01"],
    "root=PARTLABEL=Linux": ["partlabel", "Linux"],
    "root=block:LABEL=x": ["label", "x"],
    "root=block:/dev/xvda2": ["path", "/dev/xvda2"],
    "root=/dev/disk/by-uuid/0a1b": ["uuid", "0a1b"],
    "root=/dev/disk/by-label/my\\x20disk\\xc3\\xa9": ["label", "my diské"],
    "root=/dev/disk/by-partuuid/0a1b": ["partuuid", "0a1b"],
    "root=/dev/disk/by-partlabel/a": ["partlabel", "a"],
    "root=/dev/disk/by-id/wwn-0x5": ["path", "/dev/disk/by-id/wwn-0x5"],
    "root=/dev/xvda1": ["path", "/dev/xvda1"],
    "root=//dev///xvda1": ["other", "//dev///xvda1"],
    "root=/dev//xvda1": ["path", "/dev/xvda1"],
    "root=/dev/mapper/my--vg-root--1": ["path", "/dev/mapper/my--vg-root--1"],
    "root=/dev/my-vg/root-1": ["path", "/dev/mapper/my--vg-root--1"],
    "root=/dev/md/0": ["path", "/dev/md0"],
    "root=/dev/md0p1": ["path", "/dev/md0p1"],
    "root=/dev/md/name": ["path", "/dev/md/name"],
    "root=0xca01": ["path", "/dev/xvda1"],
    "root=ca11": ["path", "/dev/xvdb1"],
    "root=202:1": ["path", "/dev/xvda1"],
    "root=202:4097": ["path", "/dev/xvdq1"],
    "root=202:6656": ["path", "/dev/xvdaa"],
    "root=8:17": ["path", "/dev/sdb1"],
    "root=3:65": ["path", "/dev/hdb1"],
    "root=0x1601": ["path", "/dev/hdc1"],
    "root=9:127": ["path", "/dev/md127"],
    "root=254:0": ["other", "254:0"],
    "root=/dev/nfs nfsroot=1.2.3.4:/x": ["nfs", "/dev/nfs"],
    "root=nfs:1.2.3.4:/x": ["nfs", "nfs:1.2.3.4:/x"],
    "root=dhcp": ["nfs", "dhcp"],
    "root=live:CDLABEL=x": ["other", "live:CDLABEL=x"],
    "root=ZFS=rpool/ROOT": ["other", "ZFS=rpool/ROOT"],
    "root=overlay": ["other", "overlay"],
    "root=gpt-auto": ["other", "gpt-auto"],
    "root=xvda1": ["other", "xvda1"],
  } as const;
  test.each(Object.entries(CASES))("%s", (args, [kind, value]) => {
    expect(parseRoot(args)).toMatchObject({ kind, value });
  });

  test("no root=, an empty one", () => {
    expect(parseRoot("quiet ro")).toBeUndefined();
    expect(parseRoot("root= ro")).toBeUndefined();
  });

  test("PARTNROFF and the text as written", () => {
    expect(parseRoot("root=PARTUUID=a1-01/PARTNROFF=1")).toEqual({
      kind: "partuuid",
      value: "a1-01",
      text: "PARTUUID=a1-01/PARTNROFF=1",
      partnroff: 1,
    });
  });

  test("any text is taken, and devicePath settles after one step", () => {
    const random = randomSource(3);
    const parts = [
      "/dev/",
      "UUID=",
      "mapper/",
      "-",
      "md",
      "0x",
      "12",
      ":",
      "\\x",
      "e9",
      '"',
      "a",
      "/",
    ];
    for (let run = 0; run < 3000; run++) {
      const text = Array.from({ length: random(6) }, () => parts[random(parts.length)]).join("");
      const spec = parseDevice(text);
      expect(spec.text).toBe(text);
      if (spec.kind === "path") expect(devicePath(spec.value)).toBe(spec.value);
    }
  });
});

const none = { uuid: "", label: "", partuuid: "", partlabel: "" };
const volumes: RootCandidate[] = [
  {
    ...none,
    where: ["xvda", "partition 1"],
    device: "xvda1",
    format: "vfat",
    uuid: "ABCD-EF01",
    partuuid: "d1-01",
  },
  {
    ...none,
    where: ["xvda", "partition 2"],
    device: "xvda2",
    aliases: ["sda2"],
    format: "ext4",
    uuid: "11-22",
    label: "root",
    partuuid: "d1-02",
    partlabel: "Root",
  },
  { ...none, where: ["xvdb"], device: "xvdb", format: "LVM2 member", uuid: "PV-1", label: "root" },
  {
    ...none,
    where: ["vg-0/root"],
    device: "/dev/mapper/vg--0-root",
    format: "btrfs",
    uuid: "33-44",
  },
  { ...none, where: ["xvdc"], device: "xvdc", format: "btrfs", uuid: "33-44" },
  { ...none, where: ["xvdd"], device: "xvdd", format: "ext4", uuid: "55-66", label: "data" },
  { ...none, where: ["xvde"], device: "xvde", format: "ext4", uuid: "55-66" },
];

function find(root: string, complete = true) {
  return findRoot(parseDevice(root), volumes, complete);
}

describe("findRoot", () => {
  test.each([
    ["UUID=abcd-ef01", "xvda"],
    ["UUID=11-22", "xvda"],
    ["LABEL=root", "xvda"],
    ["PARTUUID=D1-02", "xvda"],
    ["PARTUUID=d1-01/PARTNROFF=1", "xvda"],
    ["PARTLABEL=Root", "xvda"],
    ["/dev/sda2", "xvda"],
    ["/dev/xvda2", "xvda"],
    ["0xca02", "xvda"],
    ["/dev/vg-0/root", "vg-0/root"],
    ["/dev/mapper/vg--0-root", "vg-0/root"],
  ])("%s is found", (root, where) => {
    const found = find(root);
    expect(found.where?.[0]).toBe(where);
    expect(found.rivals).toBeUndefined();
  });

  test.each([
    "UUID=11-23",
    "UUID=",
    "LABEL=ROOT",
    "LABEL=",
    "/dev/sda1",
    "UUID=PV-1",
    "/dev/vg/root",
    "PARTUUID=",
  ])("%s is not there, and that is certain", (root) =>
    expect(find(root)).toEqual({ spec: parseDevice(root), complete: true }),
  );

  test.each([
    "/dev/dm-0",
    "/dev/disk/by-id/x",
    "/dev/mapper/cryptroot",
    "/dev/mapper/luks-1-2",
    "ZFS=x",
    "/dev/root",
  ])("%s is not there, and that proves nothing", (root) => expect(find(root).complete).toBe(false));

  test("what was not read could be it", () => {
    expect(find("UUID=99", false).complete).toBe(false);
  });

  test("two filesystems with one UUID are named; two devices of one btrfs are not two", () => {
    expect(find("UUID=55-66")).toMatchObject({ where: ["xvdd"], rivals: [["xvde"]] });
    expect(find("UUID=33-44").rivals).toBeUndefined();
  });

  test("the partition that shows a hybrid image is no second one", () => {
    const disc = { ...none, device: "xvdd", format: "iso9660", label: "LIVE" };
    const both = [
      { ...disc, where: ["xvdd"] },
      { ...disc, where: ["xvdd", "partition 1"] },
    ];
    const spec = parseDevice("LABEL=LIVE");
    expect(findRoot(spec, both, true)).toEqual({
      spec,
      where: ["xvdd"],
      format: "iso9660",
      complete: true,
    });
    const other = [...both, { ...disc, where: ["xvde"] }];
    expect(findRoot(spec, other, true).rivals).toEqual([["xvde"]]);
  });
});
