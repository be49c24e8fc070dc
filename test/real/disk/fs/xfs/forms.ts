/** Files and directories in the forms that only XFS has: each size at which one form becomes another, and beyond. */
import { closeSync, mkdirSync, openSync, symlinkSync, writeFileSync, writeSync } from "node:fs";
import { sh } from "../../../../support/need.ts";

/** Makes them in `root`, an XFS mounted by the caller. */
export function makeXfsForms(root: string, { reflink }: { reflink: boolean }): void {
  const dir = `${root}/forms`;
  mkdirSync(dir);
  // Short form, block, leaf, node: what size they change at depends on the sizes of inodes and blocks.
  for (const count of [0, 1, 2, 5, 8, 16, 40, 60, 90, 200, 500, 1000, 2500, 5000]) {
    mkdirSync(`${dir}/entries-${count}`);
    for (let i = 0; i < count; i++)
      writeFileSync(`${dir}/entries-${count}/name-${i}-${"x".repeat(i % 23)}`, "");
  }
  // Holes among the entries of a directory, and whole blocks of them.
  sh(
    `cd '${dir}/entries-5000'; rm name-1*; rm name-2[0-9]*-*; cd '../entries-500'; rm name-*[13579]-*`,
  );
  for (let length = 100; length <= 1023; length += 71)
    symlinkSync("y".repeat(length), `${dir}/link-${length}`);
  symlinkSync("z".repeat(1023), `${dir}/link-max`);
  makeFragments(`${dir}/thousand-extents`, 1000);
  makeFragments(`${dir}/twenty-extents`, 20);
  // Extended attributes move the border between the forks.
  writeFileSync(`${dir}/attributes`, "with attributes");
  sh(`cd '${dir}'
    for i in 1 2 3 4; do setfattr -n user.name$i -v value-$i attributes 2>/dev/null || true; done
    mkdir attributed; for i in 1 2 3; do touch attributed/$i; done
    xfs_io -c 'chattr +s' attributes 2>/dev/null || true`);
  if (!reflink) return;
  sh(`cd '${dir}'
    cp --reflink=always thousand-extents shared
    cp --reflink=always ../contents/solid solid-shared
    printf changed | dd of=solid-shared bs=1 seek=5000000 conv=notrunc status=none
    printf changed | dd of=shared bs=1 seek=70000 conv=notrunc status=none`);
}

/** A file of every other 64 KiB, so that no extent joins another: larger than any block. */
function makeFragments(path: string, count: number): void {
  const fd = openSync(path, "w");
  for (let i = 0; i < count; i++) writeSync(fd, Buffer.alloc(100, `${i};`), 0, null, i * 131_072);
  closeSync(fd);
}
