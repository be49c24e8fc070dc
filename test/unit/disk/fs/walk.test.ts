import { describe, expect, test } from "vitest";
import { corrupt } from "../../../../src/base/failure.ts";
import type { Entry, FileSystem } from "../../../../src/disk/fs/filesystem.ts";
import { walk } from "../../../../src/disk/fs/walk.ts";
import type { WalkOptions } from "../../../../src/disk/fs/walk.ts";
import { memoryFs, symlink } from "../../../support/memory-fs.ts";

const fs = memoryFs({
  "b/z": "two",
  "b/y": "one",
  a: symlink("b"),
  "c/d/e": "deep",
  f: "file",
});

async function paths(from: FileSystem, options?: WalkOptions): Promise<string[]> {
  const found: string[] = [];
  for await (const { path } of walk(from, options)) found.push(path);
  return found;
}

/** `fs`, whose directories have other entries. */
function withEntries(entries: (path: number) => Entry[]): FileSystem {
  return {
    ...fs,
    async *list(directory) {
      yield* entries(directory.number);
    },
  };
}

describe("walk", () => {
  test("gives directories before what is in them, in on-disk order", async () => {
    expect(await paths(fs)).toEqual(["/b", "/b/z", "/b/y", "/a", "/c", "/c/d", "/c/d/e", "/f"]);
  });

  test("sorts when asked to, begins anywhere, stays out", async () => {
    expect((await paths(fs, { sorted: true })).slice(0, 4)).toEqual(["/a", "/b", "/b/y", "/b/z"]);
    expect(await paths(fs, { from: "/c" })).toEqual(["/c/d", "/c/d/e"]);
    const outside = await paths(fs, { enter: ({ path }) => path !== "/c" });
    expect(outside).toEqual(["/b", "/b/z", "/b/y", "/a", "/c", "/f"]);
  });

  test("gives the inodes", async () => {
    for await (const { path, inode } of walk(fs))
      if (path === "/a") expect(inode.kind).toBe("symlink");
  });

  test("a directory inside itself is corrupt", async () => {
    const root = await fs.root();
    const looped = withEntries(() => [{ name: "again", number: root.number }]);
    await expect(paths(looped)).rejects.toThrow("for the second time");
  });

  test("depth and number are bounded", async () => {
    await expect(paths(fs, { maxDepth: 2 })).rejects.toThrow("depth");
    await expect(paths(fs, { maxEntries: 7 })).rejects.toThrow("number of files");
    expect(await paths(fs, { maxEntries: 8, maxDepth: 3 })).toHaveLength(8);
  });

  test("goes on after a failure when told what to do with it, but not above the budget", async () => {
    const broken: FileSystem = {
      ...fs,
      async inode(entry) {
        if (entry.name === "y") throw corrupt(["inode"], "bad", "good");
        return fs.inode(entry);
      },
      async *list(directory) {
        if ((await fs.lookup(directory, "d")) !== undefined) throw corrupt(["dir"], "bad", "good");
        yield* fs.list(directory);
      },
    };
    const failed: string[] = [];
    const onFailure = (path: string) => failed.push(path);
    expect(await paths(broken, { onFailure })).toEqual(["/b", "/b/z", "/a", "/c", "/f"]);
    expect(failed).toEqual(["/b/y", "/c"]);
    await expect(paths(fs, { onFailure, maxEntries: 6 })).rejects.toThrow("number of files");
  });

  test.each(["", ".", "..", "a/b", "../etc", "a\0"])("a file named %j is corrupt", async (name) => {
    const entry = await fs.lookup(await fs.root(), "f");
    const odd = withEntries(() => [{ ...entry!, name }]);
    await expect(paths(odd)).rejects.toThrow("a file named");
  });

  test("stops when told to", async () => {
    const stop = new AbortController();
    const run = async () => {
      for await (const _ of walk(fs, { signal: stop.signal })) stop.abort(new Error("enough"));
    };
    await expect(run()).rejects.toThrow("enough");
  });
});
