import { describe, expect, test } from "vitest";
import { FailureError } from "../../../../src/base/failure.ts";
import type { Failure } from "../../../../src/base/failure.ts";
import { findPath, readFile, resolvePath } from "../../../../src/disk/fs/resolve.ts";
import type { ResolveOptions } from "../../../../src/disk/fs/resolve.ts";
import { fifo, memoryFs, symlink } from "../../../support/memory-fs.ts";

const chain = Object.fromEntries(
  Array.from({ length: 60 }, (_, i) => [`hop${i}`, symlink(i === 0 ? "/boot" : `hop${i - 1}`)]),
);

const fs = memoryFs(
  {
    "boot/vmlinuz-6.1": "kernel",
    "boot/grub/grub.cfg": "menu",
    "boot/newest": symlink("vmlinuz-6.1"),
    "boot/up": symlink("../../../etc"),
    "boot/gone": symlink("/boot/vmlinuz-7"),
    "boot/self": symlink("self"),
    "boot/a": symlink("b/x"),
    "boot/b": symlink("a/y"),
    "boot/nothing": symlink(""),
    "boot/long": symlink(`/${"x/".repeat(2500)}`),
    "boot/slash": symlink("grub/"),
    "etc/fstab": "fstab",
    "etc/root": symlink("/"),
    vmlinuz: symlink("boot/newest"),
    initctl: fifo(),
    chain,
  },
  { where: ["xvda", "ext4"] },
);

async function pathOf(path: string, options?: ResolveOptions): Promise<string> {
  return (await resolvePath(fs, path, options)).path;
}

async function failureOf(work: Promise<unknown>): Promise<Failure> {
  return work.then(
    () => expect.unreachable(),
    (error: unknown) => {
      if (error instanceof FailureError) return error.failure;
      throw error;
    },
  );
}

describe("resolvePath", () => {
  test.each([
    ["/boot/vmlinuz-6.1", "/boot/vmlinuz-6.1"],
    ["boot//grub/./grub.cfg", "/boot/grub/grub.cfg"],
    ["/", "/"],
    ["/boot/", "/boot"],
    ["/../../boot", "/boot"],
    ["/boot/grub/../vmlinuz-6.1", "/boot/vmlinuz-6.1"],
    ["/vmlinuz", "/boot/vmlinuz-6.1"],
    ["/boot/up/fstab", "/etc/fstab"],
    ["/boot/up/../etc/fstab", "/etc/fstab"],
    ["/etc/root/etc/root/boot/newest", "/boot/vmlinuz-6.1"],
    ["/etc/root", "/"],
    ["/boot/slash/grub.cfg", "/boot/grub/grub.cfg"],
  ])("%s is %s", async (path, real) => {
    expect(await pathOf(path)).toBe(real);
  });

  test("gives inode and entry", async () => {
    const { inode, entry } = await resolvePath(fs, "/vmlinuz");
    expect(inode).toMatchObject({ kind: "file", size: 6 });
    expect(entry).toMatchObject({ name: "vmlinuz-6.1", number: inode.number });
    expect((await resolvePath(fs, "/")).entry.name).toBe("");
  });

  test("begins where it is told to; an absolute path does not care", async () => {
    expect(await pathOf("grub.cfg", { from: "/boot/grub" })).toBe("/boot/grub/grub.cfg");
    expect(await pathOf("../newest", { from: "/boot/grub" })).toBe("/boot/vmlinuz-6.1");
    expect(await pathOf("fstab", { from: "/boot/up" })).toBe("/etc/fstab");
    expect(await pathOf("/etc", { from: "/boot/grub" })).toBe("/etc");
  });

  test("leaves the last symlink alone when asked to, but not those before it", async () => {
    const stop = { followLast: false };
    expect((await resolvePath(fs, "/vmlinuz", stop)).inode.kind).toBe("symlink");
    expect(await pathOf("/etc/root/vmlinuz", stop)).toBe("/vmlinuz");
    expect(await pathOf("/etc/root/", stop)).toBe("/");
    expect(await pathOf("/boot/gone", stop)).toBe("/boot/gone");
  });

  test.each([
    ["/boot/missing/x", "/boot/missing"],
    [
      "/vmlinuz/x",
      "directory /boot/vmlinuz-6.1 (it is a file), where the symlink /boot/newest leads",
    ],
    [
      "/vmlinuz/",
      "directory /boot/vmlinuz-6.1 (it is a file), where the symlink /boot/newest leads",
    ],
    ["/etc/fstab/..", "directory /etc/fstab (it is a file)"],
    ["/boot/gone", "/boot/vmlinuz-7, where the symlink /boot/gone leads"],
    ["/a\0b", "path with a NUL byte"],
  ])("%j: no %s", async (path, what) => {
    expect(await failureOf(resolvePath(fs, path))).toEqual({
      kind: "missing",
      where: ["xvda", "ext4", path],
      what,
    });
  });

  test.each([["/boot/self"], ["/boot/a"], ["/chain/hop40"]])("%s: too many links", async (path) => {
    expect(await failureOf(resolvePath(fs, path))).toMatchObject({
      kind: "limit",
      what: "the number of symlinks",
    });
  });

  test("40 links are fine, as in Linux", async () => {
    expect(await pathOf("/chain/hop39")).toBe("/boot");
  });

  test("a link without a target is corrupt, one that is too long is over the limit", async () => {
    expect(await failureOf(resolvePath(fs, "/boot/nothing"))).toMatchObject({ kind: "corrupt" });
    expect(await failureOf(resolvePath(fs, "/boot/long"))).toMatchObject({ kind: "limit" });
  });

  test("names and paths have Linux's limits", async () => {
    expect(await failureOf(resolvePath(fs, `/${"é".repeat(127)}x`))).toMatchObject({
      kind: "missing",
    });
    expect(await failureOf(resolvePath(fs, `/${"é".repeat(128)}`))).toMatchObject({
      kind: "limit",
    });
    expect(await pathOf(`/${"./".repeat(2047)}`)).toBe("/");
    expect(await failureOf(resolvePath(fs, `/${"./".repeat(2048)}`))).toMatchObject({
      kind: "limit",
    });
  });
});

describe("findPath", () => {
  test("takes missing for an answer, and nothing else", async () => {
    expect(await findPath(fs, "/boot/nope")).toBe(undefined);
    expect((await findPath(fs, "/vmlinuz"))?.path).toBe("/boot/vmlinuz-6.1");
    expect(await failureOf(findPath(fs, "/boot/self"))).toMatchObject({ kind: "limit" });
  });
});

describe("readFile", () => {
  test("reads through symlinks, up to the limit", async () => {
    expect(Buffer.from(await readFile(fs, "/vmlinuz", 6)).toString()).toBe("kernel");
    expect(await failureOf(readFile(fs, "/vmlinuz", 5))).toMatchObject({
      kind: "limit",
      where: ["xvda", "ext4", "/vmlinuz"],
    });
  });

  test.each([
    ["/boot", "file /boot (it is a directory)"],
    ["/initctl", "file /initctl (it is a fifo)"],
  ])("%s is no file", async (path, what) => {
    expect(await failureOf(readFile(fs, path, 100))).toMatchObject({ kind: "missing", what });
  });
});
