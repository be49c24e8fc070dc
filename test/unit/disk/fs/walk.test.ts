import { describe, expect, test } from "vitest";
import { corrupt } from "../../../../src/base/failure.ts";
import type { Entry, FileSystem } from "../../../../src/disk/fs/filesystem.ts";
import { MAX_SORTED, walk } from "../../../../src/disk/fs/walk.ts";
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

  test("says how deep, and what is the last of its directory", async () => {
    const found: string[] = [];
    for await (const { path, depth, last } of walk(fs, { sorted: true }))
      found.push(`${depth}${last ? "." : ""} ${path}`);
    expect(found).toEqual([
      "1 /a",
      "1 /b",
      "2 /b/y",
      "2. /b/z",
      "1 /c",
      "2. /c/d",
      "3. /c/d/e",
      "1. /f",
    ]);
  });

  test("what could be listed before a failure is given", async () => {
    const broken: FileSystem = {
      ...fs,
      async *list(directory) {
        yield* fs.list(directory);
        if (directory.number === (await fs.root()).number) throw corrupt(["dir"], "bad", "good");
      },
    };
    for (const sorted of [true, false]) {
      const failed: string[] = [];
      const onFailure = (path: string) => failed.push(path);
      expect(await paths(broken, { onFailure, sorted })).toHaveLength(8);
      expect(failed).toEqual(["/"]);
    }
  });

  test("a huge directory is given while it is listed, in any order", async () => {
    const { number } = (await fs.lookup(await fs.root(), "f"))!;
    let listed = 0;
    let closed = false;
    const huge: FileSystem = {
      ...fs,
      async *list() {
        try {
          for (let i = 3_000_000; i > 0; i--) {
            listed += 1;
            yield { name: `f${i}`, number };
          }
        } finally {
          closed = true;
        }
      },
    };
    for await (const { path } of walk(huge)) {
      expect(path).toBe("/f3000000");
      break;
    }
    expect({ listed, closed }).toEqual({ listed: 2, closed: true });
    listed = 0;
    for await (const { path } of walk(huge, { sorted: true })) {
      expect(path).toBe("/f3000000");
      break;
    }
    expect(listed).toBeLessThan(MAX_SORTED + 3);
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
