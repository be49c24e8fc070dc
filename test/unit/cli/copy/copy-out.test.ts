import {
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { open } from "node:fs/promises";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import { copyOut, destinationOf, nothingCopied } from "../../../../src/cli/copy/copy-out.ts";
import type { FileSystem } from "../../../../src/disk/fs/filesystem.ts";
import { resolvePath } from "../../../../src/disk/fs/resolve.ts";
import {
  device,
  directory,
  fifo,
  file,
  memoryFs,
  symlink,
  unreadable,
} from "../../../support/memory-fs.ts";

let to: string;
let outside: string;

beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), "domus-copy-"));
  to = join(outside, "copy");
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(outside, { recursive: true, force: true });
});

async function copy(fs: FileSystem, { path = "/", force = false } = {}) {
  const copied = nothingCopied();
  const signal = new AbortController().signal;
  await copyOut({ fs, force, signal, copied }, await resolvePath(fs, path), to);
  return copied;
}

describe("a tree", () => {
  test("arrives with modes, times, links and hard links; devices are passed over", async () => {
    const twice = file("same", { mode: 0o640, mtime: 1_500_000_000 });
    const copied = await copy(
      memoryFs({
        "a/one": twice,
        "b/two": twice,
        link: symlink("/etc/passwd"),
        secret: directory(
          { key: file("k", { mode: 0o600 }) },
          { mode: 0o700, mtime: 1_400_000_000 },
        ),
        suid: file("s", { mode: 0o6777 }),
        null: device("char-device", 1, 3),
        pipe: fifo(),
      }),
    );
    expect(copied).toMatchObject({
      ...{ files: 3, links: 1, hardLinks: 1, bytes: 6, failures: [], incomplete: [] },
      passedOver: ["/null (char-device)", "/pipe (fifo)"],
    });
    expect(statSync(join(to, "a/one")).ino).toBe(statSync(join(to, "b/two")).ino);
    expect(statSync(join(to, "a/one")).mtimeMs).toBe(1_500_000_000_000);
    expect(statSync(join(to, "a/one")).mode & 0o7777).toBe(0o640);
    expect(statSync(join(to, "secret")).mode & 0o7777).toBe(0o700);
    expect(statSync(join(to, "secret")).mtimeMs).toBe(1_400_000_000_000);
    expect(statSync(join(to, "suid")).mode & 0o7022).toBe(0);
    expect(readlinkSync(join(to, "link"))).toBe("/etc/passwd");
  });

  test("goes on after what the disk does not give, and names it", async () => {
    const bad = unreadable(ioFailure(["disk"], "read", "EIO"), 100);
    const copied = await copy(memoryFs({ a: "first", bad, z: "last" }));
    expect(copied).toMatchObject({ files: 2, incomplete: [join(to, "bad")] });
    expect(copied.failures.map((one) => one.path)).toEqual(["/bad"]);
    expect(readFileSync(join(to, "z"), "utf8")).toBe("last");
  });

  test("zeroes become holes", async () => {
    await copy(memoryFs({ sparse: new Uint8Array(9_000_000) }), { path: "/sparse" });
    expect(statSync(to)).toMatchObject({ size: 9_000_000, blocks: 0 });
  });
});

describe("nothing outside of the destination is touched", () => {
  const victim = () => join(outside, "victim");
  beforeEach(() => {
    writeFileSync(victim(), "mine");
    utimesSync(victim(), 1, 1);
  });
  afterEach(() => {
    expect(readFileSync(victim(), "utf8")).toBe("mine");
    expect(statSync(victim()).mtimeMs).toBe(1000);
  });

  test("a link and a file of the same name", async () => {
    const fs = memoryFs({ a: symlink("../victim"), b: "evil" });
    const twin: FileSystem = {
      ...fs,
      async *list(dir, signal) {
        for await (const entry of fs.list(dir, signal)) yield { ...entry, name: "same" };
      },
    };
    await expect(copy(twin)).rejects.toThrow("it exists");
    expect(readlinkSync(join(to, "same"))).toBe("../victim");
    expect(await copy(twin, { force: true })).toMatchObject({ files: 1 });
    expect(readFileSync(join(to, "same"), "utf8")).toBe("evil");
  });

  test("a link and a directory of the same name", async () => {
    const fs = memoryFs({ a: symlink(".."), "b/victim": "evil" });
    const twin: FileSystem = {
      ...fs,
      async *list(dir, signal) {
        for await (const entry of fs.list(dir, signal))
          yield { ...entry, name: entry.name === "victim" ? entry.name : "same" };
      },
    };
    await expect(copy(twin, { force: true })).rejects.toThrow("make the directory");
  });

  test.each([false, true])("links that an earlier copy left, force %j", async (force) => {
    mkdirSync(to);
    symlinkSync(victim(), join(to, "file"));
    const copied = copy(memoryFs({ file: "evil" }), { force });
    if (!force) return expect(copied).rejects.toThrow("--force");
    expect(await copied).toMatchObject({ files: 1 });
    expect(lstatSync(join(to, "file")).isFile()).toBe(true);
  });

  test("a directory where an earlier copy left a link", async () => {
    mkdirSync(to);
    symlinkSync(outside, join(to, "dir"));
    await expect(copy(memoryFs({ "dir/victim": "evil" }), { force: true })).rejects.toThrow(
      "EEXIST",
    );
  });

  test("another name of an old file", async () => {
    mkdirSync(to);
    linkSync(victim(), join(to, "file"));
    utimesSync(victim(), 1, 1);
    await copy(memoryFs({ file: "new" }), { force: true });
    expect(readFileSync(join(to, "file"), "utf8")).toBe("new");
  });

  test.each(["..", "../victim", "/etc/x", "a\0b", ""])("a file named %j", async (name) => {
    const fs = memoryFs({ file: "evil", good: "good" });
    const hostile: FileSystem = {
      ...fs,
      async *list(dir, signal) {
        for await (const entry of fs.list(dir, signal))
          yield entry.name === "file" ? { ...entry, name } : entry;
      },
    };
    const copied = await copy(hostile);
    expect(copied).toMatchObject({ files: 1 });
    expect(copied.failures).toHaveLength(1);
    expect(readdirSync(outside).sort()).toEqual(["copy", "victim"]);
  });
});

test("a directory that is there takes the copy in", async () => {
  expect(await destinationOf(outside, "/etc/fstab")).toBe(join(outside, "fstab"));
  expect(await destinationOf(to, "/etc/fstab")).toBe(to);
  expect(await destinationOf(outside, "/")).toBe(outside);
  expect(existsSync(to)).toBe(false);
});

describe("a disk that gets full here", () => {
  type Write = (bytes: Uint8Array, from: number, length: number, at: number) => Promise<unknown>;

  /** Files of this process take so many bytes more: the last write that has room takes a part of what it is given. */
  async function leaveRoomFor(roomBytes: number) {
    await using any = await open(outside);
    const handles = Object.getPrototypeOf(any) as { write: Write };
    const write: Write = Reflect.get(handles, "write");
    let left = roomBytes;
    vi.spyOn(handles, "write").mockImplementation(function (this: unknown, ...all) {
      const [bytes, from, length, at] = all;
      const taken = Math.min(left, length);
      if (taken === 0) return Promise.reject(Object.assign(new Error(), { code: "ENOSPC" }));
      left -= taken;
      return write.call(this, bytes, from, taken, at);
    });
  }

  test("ends the copy, also when a part of the last piece still fits", async () => {
    await leaveRoomFor(5);
    const copying = copy(memoryFs({ file: "0123456789" }), { path: "/file" });
    await expect(copying).rejects.toMatchObject({ failure: { kind: "io", errno: "ENOSPC" } });
  });
});
