/** The names that we say GRUB has for logical volumes and arrays, tried on GRUB itself (grub-fstest). */
import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { assembleVolumes } from "../../../src/disk/assemble.ts";
import { memorySource } from "../../../src/disk/source.ts";
import { readVolumes } from "../../../src/disk/tree.ts";
import { assembledBootVolumes } from "../../../src/guest/disks/boot-volumes.ts";
import { lvRows, openLvm, writeVolume } from "../../support/lvm-tools.ts";
import { mdMember } from "../../support/md.ts";
import type { MdMember } from "../../support/md.ts";
import { need, scratch, sh } from "../../support/need.ts";

const MIB = 1 << 20;
const TEXT = "read by two\n";

/** An ext4 image with one file. */
function ext4(dir: string, sizeMib: number): Uint8Array {
  need("mkfs.ext4", "grub-fstest");
  mkdirSync(join(dir, "tree"), { recursive: true });
  writeFileSync(join(dir, "tree/file"), TEXT);
  sh(`mkfs.ext4 -qF -d tree fs.img ${sizeMib}M`, { cwd: dir });
  return readFileSync(join(dir, "fs.img"));
}

/** GRUB's names of the only volume that the images make. */
async function namesIn(paths: readonly string[]): Promise<string[]> {
  const trees = paths.map((path) => readVolumes(memorySource(readFileSync(path))));
  const { volumes } = await assembleVolumes(await Promise.all(trees));
  const found = volumes.flatMap((one) => assembledBootVolumes(one, { vdev: "xvda", index: 0 }));
  return found.flatMap(({ grubName, grubIds }) => [grubName!, ...grubIds!]);
}

function grubReads(paths: readonly string[], name: string): string {
  const images = `-c ${paths.length} ${paths.join(" ")}`;
  return sh(`grub-fstest -r '${name}' ${images} cat /file`).toString();
}

test("a logical volume in two pieces, of a group with dashes in its name", async () => {
  const dir = scratch();
  const files = [{ path: join(dir, "pv.img") }];
  writeFileSync(files[0]!.path, "");
  truncateSync(files[0]!.path, 32 * MIB);
  const lvm = openLvm(files);
  lvm.run(`vgcreate -y -s 1m vg-0-a ${lvm.devices[0]}`);
  lvm.create("-l 4 -n ro-ot vg-0-a");
  lvm.create("-l 1 -n x vg-0-a");
  lvm.run("lvextend --driverloaded n -l +6 vg-0-a/ro-ot");
  const rows = lvRows(lvm).filter((row) => row.name === "ro-ot");
  expect(rows.length).toBe(2);
  lvm.close();
  writeVolume({ lvm, files, extentBytes: MIB, startBytes: MIB }, rows, ext4(dir, 10));
  const names = await namesIn([files[0]!.path]);
  expect(names[0]).toBe("lvm/vg--0--a-ro--ot");
  expect(names.length).toBe(2);
  for (const name of names) expect(grubReads([files[0]!.path], name), name).toBe(TEXT);
});

test.each([
  ["1.2", "debian:0", "md/0"],
  ["1.0", "debian:root", "md/root"],
  ["0.90", "0", undefined],
] as const)("a mirror of version %s", async (version, name, grubName) => {
  const dir = scratch();
  const content = ext4(dir, 8);
  const paths = [0, 1].map((number) => {
    const path = join(dir, `member${number}.img`);
    const member: MdMember = { version, size: 10 * MIB, content, name, number, dataOffset: MIB };
    writeFileSync(path, mdMember(member));
    return path;
  });
  const names = await namesIn(paths);
  if (grubName !== undefined) expect(names[0]).toBe(grubName);
  for (const one of names) expect(grubReads(paths, one), one).toBe(TEXT);
});
