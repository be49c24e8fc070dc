import { expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { isPastEnd } from "../../../../src/disk/fs/cut-off.ts";
import { openBtrfs } from "../../../../src/disk/fs/btrfs/btrfs.ts";
import { openExt4 } from "../../../../src/disk/fs/ext4/ext4.ts";
import type { FileSystem } from "../../../../src/disk/fs/filesystem.ts";
import { openXfs } from "../../../../src/disk/fs/xfs/xfs.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../src/disk/source.ts";
import { makeImage as btrfs } from "./btrfs/image.ts";
import { makeImage as ext4 } from "./ext4/image.ts";
import { makeImage as xfs } from "./xfs/image.ts";

test.each<[string, () => { bytes: Uint8Array }, (source: ByteSource) => Promise<FileSystem>]>([
  ["ext4", ext4, openExt4],
  ["XFS", xfs, openXfs],
  ["btrfs", btrfs, openBtrfs],
])("%s: a device that is too small is known as such", async (_, make, open) => {
  const { bytes } = make();
  const opened = (end: number) => attempt(() => open(memorySource(bytes.subarray(0, end))));
  expect((await opened(bytes.length)).ok).toBe(true);
  const cut = await opened(bytes.length - 1024);
  expect(!cut.ok && isPastEnd(cut.failure)).toBe(true);
});
