/** Formats made by their own programs; their ids are compared with what blkid prints. */
import { readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { Content } from "../../../src/disk/content.ts";
import { detectContent } from "../../../src/disk/detect.ts";
import { memorySource } from "../../../src/disk/source.ts";
import { isoPrograms } from "../../support/fs/iso-programs.ts";
import { need, scratch, sh } from "../../support/need.ts";

const MIB = 1 << 20;

function blank(sizeBytes: number): string {
  const path = join(scratch(), "volume.img");
  writeFileSync(path, "");
  truncateSync(path, sizeBytes);
  return path;
}

async function contentOf(path: string): Promise<Content> {
  const { content, tried } = await detectContent(memorySource(readFileSync(path), ["xvda"]));
  expect(tried).toEqual([]);
  return content;
}

function blkid(path: string, tag: string): string {
  return sh(`blkid -p -o value -s ${tag} ${path} || true`).toString().trim();
}

describe("formats that are known by name", () => {
  test("squashfs", async () => {
    need("mksquashfs");
    const path = blank(0);
    sh(`mksquashfs ${import.meta.dirname} ${path} -noappend -quiet -no-progress`);
    expect(await contentOf(path)).toMatchObject({ kind: "named", format: "squashfs", uuid: "" });
  });
});

describe("swap", () => {
  test.each([4096, 8192, 65536])("pages of %i bytes", async (pageSize) => {
    need("mkswap", "blkid");
    const path = blank(16 * MIB);
    sh(`mkswap -q -p ${pageSize} -L "Über swap" ${path} 2>/dev/null`);
    expect(await contentOf(path)).toEqual({
      kind: "swap",
      uuid: blkid(path, "UUID"),
      label: "Über swap",
      sizeBytes: 16 * MIB,
    });
  });

  test("version 0 is named", async () => {
    const path = blank(MIB);
    const area = new Uint8Array(MIB);
    area.set(Buffer.from("SWAP-SPACE"), 4086);
    writeFileSync(path, area);
    expect(await contentOf(path)).toMatchObject({ kind: "swap", sizeBytes: MIB });
  });
});

describe("members", () => {
  test.each([0, 1, 2, 3])("an LVM2 physical volume with its label in sector %i", async (sector) => {
    need("pvcreate", "blkid");
    const path = blank(64 * MIB);
    const loop = sh(`losetup --find --show ${path}`).toString().trim();
    try {
      const config = `devices { filter=["a|${loop}|","r|.*|"] use_devicesfile=0 } global { use_lvmlockd=0 }`;
      sh(`pvcreate -qq -y --labelsector ${sector} --config '${config}' ${loop}`);
    } finally {
      sh(`losetup -d ${loop}`);
    }
    const uuid = blkid(path, "UUID");
    expect(uuid).toMatch(/^.{6}-.{4}-/);
    expect(await contentOf(path)).toEqual({
      kind: "member",
      member: { system: "lvm2", group: "", id: uuid },
    });
  });
});

describe("FAT is read, not only named", () => {
  test.each([
    [4, "mkfs.vfat -F 12 -n ROOT"],
    [32, "mkfs.vfat -F 16 -n ROOT"],
    [64, "mkfs.vfat -F 32 -n ROOT"],
    [64, "mkfs.vfat -F 32 -S 4096 -n ROOT"],
  ])("%i MiB by %s", async (size, command) => {
    need("mkfs.vfat", "blkid");
    const path = blank(size * MIB);
    sh(`${command} ${path}`);
    const content = await contentOf(path);
    const expected = { kind: "vfat", label: "ROOT", uuid: blkid(path, "UUID") };
    expect(content).toMatchObject({ fs: expected });
  });

  test("with a partition table of one partition that begins at sector 0", async () => {
    need("mkfs.vfat", "blkid");
    const path = blank(64 * MIB);
    sh(`mkfs.vfat -F 32 --mbr=yes ${path}`);
    expect(blkid(path, "TYPE")).toBe("vfat");
    expect(await contentOf(path)).toMatchObject({ fs: { kind: "vfat" } });
  });
});

test("ISO 9660 is read, not only named", async () => {
  need("blkid");
  const path = blank(0);
  const { genisoimage } = isoPrograms();
  sh(`${genisoimage} -quiet -R -V ROOT -o ${path} ${import.meta.dirname} 2>&1`);
  const content = await contentOf(path);
  const expected = { kind: "iso9660", label: "ROOT", uuid: blkid(path, "UUID") };
  expect(content).toMatchObject({ fs: expected });
});

test("XFS is read, not only named", async () => {
  need("mkfs.xfs", "blkid");
  const path = blank(320 * MIB);
  sh(`mkfs.xfs -q -L root ${path}`);
  const content = await contentOf(path);
  expect(content).toMatchObject({ fs: { kind: "xfs", label: "root", uuid: blkid(path, "UUID") } });
});

test("btrfs is read, not only named", async () => {
  need("mkfs.btrfs", "blkid");
  const path = blank(128 * MIB);
  sh(`mkfs.btrfs -q -L root ${path}`);
  const content = await contentOf(path);
  const expected = { kind: "btrfs", label: "root", uuid: blkid(path, "UUID") };
  expect(content).toMatchObject({ fs: expected });
});

test("ext4 is read, not only named", async () => {
  need("mkfs.ext4", "blkid");
  const path = blank(16 * MIB);
  sh(`mkfs.ext4 -qF -L root ${path}`);
  const content = await contentOf(path);
  expect(content).toMatchObject({ fs: { kind: "ext4", label: "root", uuid: blkid(path, "UUID") } });
});
