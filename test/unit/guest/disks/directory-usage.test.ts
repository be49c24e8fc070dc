import { describe, expect, test } from "vitest";
import { corrupt } from "../../../../src/base/failure.ts";
import type { FileSystem } from "../../../../src/disk/fs/filesystem.ts";
import { resolvePath } from "../../../../src/disk/fs/resolve.ts";
import { measureDirectory } from "../../../../src/guest/disks/directory-usage.ts";
import { topList } from "../../../../src/guest/disks/top-list.ts";
import { file, memoryFs, symlink } from "../../../support/memory-fs.ts";

const linked = file("x".repeat(5000));
const files = memoryFs({
  "a/big": "y".repeat(9000),
  "a/deep/small": "z",
  "a/one": linked,
  "b/two": linked,
  "b/alone": "",
  link: symlink("a/big"),
});

/** Its files take whole blocks, directories one; `a/big` has a hole. */
const exactFs: FileSystem = {
  ...files,
  root: async () => ({ ...(await files.root()), allocatedBytes: 4096 }),
  async inode(entry) {
    const inode = await files.inode(entry);
    const allocatedBytes = inode.size === 9000 ? 4096 : Math.ceil(inode.size / 4096) * 4096;
    return { ...inode, allocatedBytes };
  },
};

async function measured(fs: FileSystem, path = "/", options = { depth: 1, top: 10 }) {
  return measureDirectory(fs, await resolvePath(fs, path), options);
}

describe("measureDirectory", () => {
  test("counts blocks, and a file with two names once", async () => {
    const usage = await measured(exactFs);
    // Directories /, a, a/deep, b; files of 1, 1, 2, 0 blocks; the link.
    expect(usage).toMatchObject({
      allocatedBytes: 4096 * (4 + 1 + 1 + 2 + 1),
      sizeBytes: 9000 + 1 + 5000 + 5,
      files: 5,
      directoryCount: 3,
      linkCount: 1,
      exact: true,
      failureCount: 0,
    });
    expect(usage.directories).toEqual([
      { path: "/a", allocatedBytes: 4096 * 6, sizeBytes: 14_001, files: 3 },
      { path: "/b", allocatedBytes: 4096, sizeBytes: 0, files: 1 },
    ]);
    expect(usage.largest.map((one) => one.path).slice(0, 2)).toEqual(["/a/one", "/a/big"]);
  });

  test("begins anywhere; a name from outside counts where it is the first", async () => {
    expect(await measured(exactFs, "/b")).toMatchObject({ sizeBytes: 5000, files: 2 });
    const deep = await measured(exactFs, "/a", { depth: 1, top: 1 });
    expect(deep.directories.map((one) => one.path)).toEqual(["/a/deep"]);
    expect(deep.largest).toHaveLength(1);
  });

  test("where blocks are not known, sizes count, and it says so", async () => {
    const usage = await measured(files);
    expect(usage.exact).toBe(false);
    expect(usage.largest[0]).toEqual({ path: "/a/big", allocatedBytes: 12_288, sizeBytes: 9000 });
  });

  test("what cannot be read is named and not counted", async () => {
    const broken: FileSystem = {
      ...files,
      async inode(entry) {
        if (entry.name === "big") throw corrupt(["inode"], "bad", "good");
        return files.inode(entry);
      },
    };
    const usage = await measured(broken);
    expect(usage).toMatchObject({ failureCount: 1, files: 4 });
    expect(usage.failures.map((one) => one.path)).toEqual(["/a/big"]);
  });
});

test("topList keeps the first ones", () => {
  const list = topList<number>(3, (a, b) => b - a);
  for (const item of [5, 1, 9, 5, 7, 0]) list.offer(item);
  expect(list.items()).toEqual([9, 7, 5]);
});
