/** A slice of `npm run fuzz`, the same every time: every reader, damaged where its structs are. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { expect, test } from "vitest";
import { need } from "../support/need.ts";

test("3,000 damaged inputs end in a value or a failure, in time and memory", () => {
  need(
    "mkfs.ext4",
    "mkfs.xfs",
    "mkfs.btrfs",
    "mkfs.vfat",
    "mcopy",
    "sfdisk",
    "qemu-img",
    "xz",
    "lzop",
    "lz4",
    "zstd",
  );
  const script = join(import.meta.dirname, "../../tools/fuzz.ts");
  const args = [script, "--rounds", "3000", "--seed", "1", "--minutes", "10"];
  const ran = spawnSync(process.execPath, args, { encoding: "utf8" });
  expect(ran.stdout + ran.stderr).toMatch(/^3000 damaged inputs, 0 bugs, /m);
  expect(ran.status).toBe(0);
});
