/** `domus disk cp` beside the kernel's own mount: what arrives is what is there. */
import { expect, test } from "vitest";
import { cli } from "../../support/cli.ts";
import { mountedAs } from "../../support/fs/mounted.ts";
import { makeTree } from "../../support/fs/tree.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";

/** Kind, size, links, seconds, target and name of what is copied. Specials, and the mode bits that are not taken, are left out. */
const LIST =
  "find . -mindepth 1 ! -path './specials*' ! -path ./lost+found \\( -type d -printf 'd - - %T@ - %P\\0' -o -printf '%y %s %n %T@ %l %P\\0' \\)";

function listOf(root: string): string[] {
  const out = sh(`cd '${root}' && ${LIST}`).toString("latin1");
  return out
    .split("\0")
    .map((line) => line.replace(/^(\S+ \S+ \S+ -?\d+)\.\d+/, "$1"))
    .sort();
}

const sums = (root: string) =>
  sh(
    `cd '${root}' && find . -type f -size -20M -print0 | LC_ALL=C sort -z | xargs -0 sha256sum -z`,
  ).toString("latin1");

test("a whole filesystem", async () => {
  need("mkfs.ext4", "find", "sha256sum");
  needRoot("it mounts images");
  const dir = scratch();
  const image = `${dir}/image`;
  sh(`truncate -s 256M '${image}' && mkfs.ext4 -q -F '${image}'`);
  await mountedAs({ image, type: "ext4" }, (root) =>
    makeTree(root, { files: 600, crowd: 200, sparseSize: 1_000_000_001 }),
  );
  const { code, stderr } = await cli(["disk", "cp", "-r", image, "/", `${dir}/copy`]);
  expect(stderr).toMatch(/^Copied .*, 20 hard links to /);
  expect(stderr).toMatch(/Passed over \/specials\/fifo \(fifo\)/);
  expect(code).toBe(0);
  const kernel = await mountedAs({ image, type: "ext4", options: "ro" }, (root) => ({
    list: listOf(root),
    sums: sums(root),
  }));
  expect(listOf(`${dir}/copy`)).toEqual(kernel.list);
  expect(sums(`${dir}/copy`)).toBe(kernel.sums);
  // The gigabyte of holes did not become a gigabyte.
  expect(Number.parseInt(sh(`du -sm '${dir}/copy'`).toString())).toBeLessThan(120);
});
