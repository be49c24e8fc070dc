/** A slice of `npm run fuzz`, the same every time: every reader, damaged where its structs are, dirty logs among them. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { need, needRoot } from "../support/need.ts";

const ROUNDS = 8000;

/** What has checksums that are set right again, or a log to be replayed: most of it must be got into in spite of damage. */
const DEEP = [
  "ext4-checksums",
  "xfs",
  "btrfs",
  "gpt",
  "lvm",
  "md-1.2",
  "vhd",
  "ext4-dirty",
  "ext4-fast-commit",
  "xfs-dirty",
  "btrfs-dirty",
  "dm-thin",
];

test(`${ROUNDS} damaged inputs end in a value or a failure, in time and memory`, () => {
  need(
    "mkfs.ext4",
    "mkfs.xfs",
    "xfs_io",
    "mkfs.btrfs",
    "btrfs",
    "mkfs.vfat",
    "mcopy",
    "sfdisk",
    "qemu-img",
    "xz",
    "lzop",
    "lz4",
    "zstd",
  );
  needRoot("it mounts images to leave something in their logs");
  const script = join(import.meta.dirname, "../../tools/fuzz.ts");
  const args = [script, "--rounds", String(ROUNDS), "--seed", "1", "--minutes", "10"];
  const ran = spawnSync(process.execPath, args, { encoding: "utf8" });
  const output = ran.stdout + ran.stderr;
  console.log(output);
  expect(output).toContain(`\n${ROUNDS} damaged inputs, 0 bugs: `);
  expect(ran.status).toBe(0);
  for (const name of DEEP) {
    const line = new RegExp(
      `^${name} +(\\d+) rounds +(\\d+) refused whole +(\\d+) checksums`,
      "m",
    ).exec(output);
    expect(line, name).not.toBeNull();
    const [rounds, refused, checksums] = line!.slice(1).map(Number);
    expect(checksums, name).toBeGreaterThan(0);
    expect(refused, name).toBeLessThan(0.6 * rounds!);
  }
});
