import { describe, expect, test } from "vitest";
import { FailureError, ioFailure } from "../../../src/base/failure.ts";
import type { Entry, FileSystem, Inode } from "../../../src/disk/fs/filesystem.ts";
import { device, directory, file, memoryFs, symlink, unreadable } from "../../support/memory-fs.ts";

async function names(fs: FileSystem, dir: Inode): Promise<string[]> {
  return (await Array.fromAsync(fs.list(dir))).map((entry) => entry.name);
}

async function at(fs: FileSystem, path: string): Promise<Inode> {
  let inode = await fs.root();
  for (const name of path.split("/")) {
    const entry: Entry | undefined = await fs.lookup(inode, name);
    if (!entry) throw new Error(`no ${name} in ${path}`);
    inode = await fs.inode(entry);
  }
  return inode;
}

const twin = file("same");

const fs = memoryFs(
  {
    "boot/grub/grub.cfg": "set default=0\n",
    boot: { vmlinuz: Uint8Array.of(1, 2, 3, 4, 5) },
    "boot/grub": { grubenv: "# GRUB\n" },
    link: symlink("boot/vmlinuz"),
    dev: { xvda: device("block-device", 202, 0) },
    tmp: directory({}, { mode: 0o1777 }),
    one: twin,
    two: twin,
    "caf\udce9": "latin-1 name",
    bad: unreadable(ioFailure(["disk"], "read", "EIO"), 100),
  },
  { uuid: "1234", kind: "xfs" },
);

describe("memoryFs", () => {
  test("keys that are paths merge into directories, in order", async () => {
    expect(await names(fs, await fs.root())).toEqual([
      "boot",
      "link",
      "dev",
      "tmp",
      "one",
      "two",
      "caf\udce9",
      "bad",
    ]);
    expect(await names(fs, await at(fs, "boot"))).toEqual(["grub", "vmlinuz"]);
    expect(await names(fs, await at(fs, "boot/grub"))).toEqual(["grub.cfg", "grubenv"]);
  });

  test("reads are shortened to the file, and are copies", async () => {
    const inode = await at(fs, "boot/vmlinuz");
    expect(inode).toMatchObject({ kind: "file", size: 5, mode: 0o644, links: 1 });
    expect([...(await fs.read(inode, 3, 100))]).toEqual([4, 5]);
    expect((await fs.read(inode, 9, 1)).length).toBe(0);
    (await fs.read(inode, 0, 5)).fill(0);
    expect([...(await fs.read(inode, 0, 2))]).toEqual([1, 2]);
  });

  test("symlinks, devices, directories and hard links are what they are", async () => {
    expect(await fs.readLink(await at(fs, "link"))).toBe("boot/vmlinuz");
    expect(await at(fs, "dev/xvda")).toMatchObject({ device: { major: 202, minor: 0 } });
    expect(await at(fs, "tmp")).toMatchObject({ mode: 0o1777, kind: "directory", links: 2 });
    expect(await at(fs, "boot")).toMatchObject({ links: 3 });
    expect(await at(fs, "one")).toEqual(await at(fs, "two"));
    expect(await at(fs, "one")).toMatchObject({ links: 2 });
  });

  test("what is not there is undefined, what cannot be read fails", async () => {
    expect(await fs.lookup(await fs.root(), "nothing")).toBeUndefined();
    expect(await fs.lookup(await fs.root(), "constructor")).toBeUndefined();
    const bad = await at(fs, "bad");
    expect(bad.size).toBe(100);
    await expect(fs.read(bad, 0, 1)).rejects.toThrow("EIO");
    await expect(fs.read(await fs.root(), 0, 1)).rejects.toThrow(FailureError);
  });

  test("the rest of the interface", async () => {
    expect(fs).toMatchObject({ kind: "xfs", uuid: "1234", label: "", notes: [] });
    const extents = await Array.fromAsync(fs.usedExtents());
    expect(extents).toEqual([{ offset: 0, length: fs.sizeBytes }]);
  });
});
