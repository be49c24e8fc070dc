import { expect, test } from "vitest";
import { treeLines } from "../../../../src/cli/render/tree.ts";
import { walk } from "../../../../src/disk/fs/walk.ts";
import { device, fifo, memoryFs, symlink } from "../../../support/memory-fs.ts";

test("draws what is below a directory, as it comes in", async () => {
  const fs = memoryFs({
    "boot/grub/grub.cfg": "x".repeat(1500),
    "boot/vmlinuz": symlink("evil\u001b[2J"),
    "dev/xvda1": device("block-device", 202, 1),
    "dev/fifo": fifo(),
    "new\nline": "",
    "z/end": "",
  });
  const lines = treeLines();
  const drawn: string[] = [];
  for await (const found of walk(fs, { sorted: true })) {
    const { inode } = found;
    const link = inode.kind === "symlink" ? await fs.readLink(inode) : undefined;
    drawn.push(lines.line(found, link));
  }
  drawn.push(lines.failed("/gone", { depth: 1, last: true }, "It has\u0007 bells."));
  expect(drawn).toEqual([
    "            |-- boot/",
    "            |   |-- grub/",
    "   1.5 KiB  |   |   `-- grub.cfg",
    "            |   `-- vmlinuz -> evil\\x1b[2J",
    "            |-- dev/",
    "            |   |-- fifo|",
    "            |   `-- xvda1 (block-device 202:1)",
    "   0 bytes  |-- new\\x0aline",
    "            `-- z/",
    "   0 bytes      `-- end",
    "            `-- gone (not read: It has\\x07 bells.)",
  ]);
});
