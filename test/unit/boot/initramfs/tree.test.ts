import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../support/cpu-time.ts";
import { InitramfsTree, cleanPath } from "../../../../src/boot/initramfs/tree.ts";
import { DIRECTORY, PROGRAM, SYMLINK } from "../../../support/newc.ts";

function tree(
  entries: readonly {
    name: string;
    content?: string;
    mode?: number;
    inode?: string;
    links?: number;
  }[],
  keep: (path: string) => number = () => 0,
): InitramfsTree {
  const made = new InitramfsTree(keep, ["test"]);
  for (const { name, content = "", mode = PROGRAM, inode = "", links = 1 } of entries) {
    const wanted = made.entry({ name, mode, links, inode, sizeBytes: content.length });
    // In pieces, as chunks cut it.
    if (wanted) for (const char of content) made.content(Buffer.from(char));
  }
  return made;
}

describe("InitramfsTree", () => {
  test("follows links by name, through directories and out of them", () => {
    const files = tree([
      { name: "./usr/lib/systemd/systemd" },
      { name: "init", mode: SYMLINK, content: "/lib/systemd/systemd" },
      { name: "lib", mode: SYMLINK, content: "usr/lib" },
      { name: "deep/er/abs", mode: SYMLINK, content: "/init" },
      { name: "sbin/up", mode: SYMLINK, content: "../../../init" },
      { name: "loop", mode: SYMLINK, content: "loop" },
      { name: "grow", mode: SYMLINK, content: "grow/a/a/a/a" },
      { name: "dangling", mode: SYMLINK, content: "nowhere" },
      { name: "usr", mode: DIRECTORY },
    ]);
    expect(files.resolve("init")).toEqual({ path: "usr/lib/systemd/systemd", mode: PROGRAM });
    expect(files.resolve("/lib/../sbin/up")?.path).toBe("usr/lib/systemd/systemd");
    expect(files.resolve("deep/er/abs")?.path).toBe("usr/lib/systemd/systemd");
    expect(files.has("usr")).toBe(true);
    for (const path of ["loop", "grow", "dangling", "nothing", "init/x"]) {
      expect(files.resolve(path), path).toBeUndefined();
    }
  });

  test("what comes later replaces what was there", () => {
    const files = tree([
      { name: "init", mode: SYMLINK, content: "a" },
      { name: "a" },
      { name: "/init", mode: 0o100644 },
    ]);
    expect(files.resolve("init")).toEqual({ path: "init", mode: 0o100644 });
  });

  test("keeps what is wanted up to its limit, hard links included", () => {
    const files = tree(
      [
        { name: "conf/a", content: "first" },
        { name: "conf/a", content: "second" },
        { name: "conf/big", content: "x".repeat(20) },
        { name: "conf/link", inode: "1", links: 2 },
        { name: "other", inode: "1", links: 2, content: "shared" },
        { name: "conf/single", inode: "2", links: 2 },
        { name: "bin/x", content: "no" },
      ],
      (path) => (path.startsWith("conf/") ? 10 : 0),
    );
    expect(files.text("conf/a")).toBe("second");
    expect(files.text("conf/link")).toBe("shared");
    expect([...files.keptPaths()]).toEqual(["conf/a", "conf/link"]);
  });

  test("a tree of nothing but wanted links costs linear time", () => {
    const entries = Array.from({ length: 60_000 }, (_, i) => ({
      name: `conf/${i}`,
      inode: "1",
      links: 2,
      content: i < 30_000 ? "" : "x",
    }));
    const took = cpuTime();
    tree(entries, () => 10);
    expect(took()).toBeLessThan(2000);
  });
});

test.each([
  ["a/b", "a/b"],
  [".", ""],
  ["./a", "a"],
  ["/a", "a"],
  ["a//b/", "a/b"],
  ["../../etc/passwd", "etc/passwd"],
  ["a/./b/../c", "a/c"],
  ["...", "..."],
  ["a..b/.c", "a..b/.c"],
  ["", ""],
])("%j is %j", (name, path) => {
  expect(cleanPath(name)).toBe(path);
});
