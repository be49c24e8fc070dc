/**
 * Superblocks of md. mdadm makes arrays only with the kernel's help, so they are made here by the format's description;
 * that they are right is said by `mdadm --examine`, from Debian's package, unpacked and not installed.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { debianPackage } from "../../../lab/debian.ts";
import { assembleVolumes } from "../../../src/disk/assemble.ts";
import { readMdSuperblock } from "../../../src/disk/md/superblock.ts";
import { memorySource } from "../../../src/disk/source.ts";
import { readVolumes } from "../../../src/disk/tree.ts";
import { mdMember } from "../../support/md.ts";
import type { MdMember } from "../../support/md.ts";
import { need, scratch, sh } from "../../support/need.ts";

const MIB = 1 << 20;

function examine(path: string): Record<string, string> {
  const mdadm = join(debianPackage("bookworm", "mdadm"), "sbin/mdadm");
  const text = sh(`${mdadm} --examine ${path}`).toString();
  const lines = text.split("\n").map((line) => line.split(" : "));
  return Object.fromEntries(lines.map(([key, value]) => [key!.trim(), value?.trim() ?? ""]));
}

test.each(["0.90", "1.0", "1.1", "1.2"] as const)(
  "mdadm reads version %s alike",
  async (version) => {
    const member: MdMember = {
      version,
      size: 4 * MIB,
      content: new Uint8Array(2 * MIB),
      number: 1,
      events: 17,
      roles: [0, 1],
      array: 0x5c,
      dataOffset: MIB,
    };
    const bytes = mdMember(member);
    const path = join(scratch(), "member.img");
    writeFileSync(path, bytes);
    const said = examine(path);
    const sb = await readMdSuperblock(memorySource(bytes));
    expect(said["Checksum"]).toContain("correct");
    expect(said["Version"]).toContain(version === "0.90" ? "0.90" : "1.");
    expect(said["Raid Level"]).toBe(`raid${sb!.level}`);
    expect(Number(said["Raid Devices"])).toBe(sb!.raidDisks);
    expect(said["Events"]).toBe(String(sb!.events));
    const id = said["UUID"] ?? said["Array UUID"];
    expect(id?.split(" ")[0]?.replaceAll(":", "")).toBe(sb!.arrayId.replaceAll("-", ""));
    expect(Number.parseInt(said["Array Size"]!, 10) * 1024).toBe(sb!.componentBytes);
    if (version === "0.90") return;
    expect(said["Name"]).toBe(sb!.name);
    expect(said["Device UUID"]?.replaceAll(":", "")).toBe(sb!.deviceId.replaceAll("-", ""));
    expect(Number.parseInt(said["Data Offset"] ?? "0", 10) * 512).toBe(sb!.dataOffsetBytes);
    expect(said["Device Role"]).toBe(`Active device ${sb!.roles[sb!.number]}`);
  },
);

test("a filesystem on a mirror whose first member is out of date", async () => {
  need("mkfs.ext4");
  const dir = scratch();
  sh(`mkfs.ext4 -qF -L old old.img 8M && mkfs.ext4 -qF -L new new.img 8M`, { cwd: dir });
  const member = (number: number, events: number): Uint8Array =>
    mdMember({
      version: "1.2",
      size: 12 * MIB,
      content: sh(`cat ${events === 9 ? "old" : "new"}.img`, { cwd: dir }),
      number,
      events,
      name: "web:root",
      roles: events === 9 ? [0, 1] : [0xfffe, 1],
      dataOffset: MIB,
    });
  const trees = [member(0, 9), member(1, 14)].map((bytes, index) =>
    readVolumes(memorySource(bytes, [`xvd${"ab"[index]}`])),
  );
  const { volumes, findings } = await assembleVolumes(await Promise.all(trees));
  expect(volumes).toMatchObject([
    {
      name: "md/root",
      content: { kind: "filesystem", fs: { label: "new", where: ["md/root", "ext4"] } },
    },
  ]);
  expect(findings.map((one) => one.code)).toEqual(["md-member-stale", "md-degraded"]);
});
