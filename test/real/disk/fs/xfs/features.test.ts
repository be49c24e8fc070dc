/** Marks that a filesystem can carry: new identities, requests for repair, features of the future, logs elsewhere or damaged. */
import { closeSync, openSync, readSync, writeFileSync, writeSync } from "node:fs";
import { describe, expect, test } from "vitest";
import type { FileSystem } from "../../../../../src/disk/fs/filesystem.ts";
import { findEnds, headersBefore } from "../../../../../src/disk/fs/xfs/log/head.ts";
import { openLog } from "../../../../../src/disk/fs/xfs/log/ring.ts";
import { xfsProber } from "../../../../../src/disk/fs/xfs/prober.ts";
import { readSuperblock } from "../../../../../src/disk/fs/xfs/superblock.ts";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { imageSource, mountedAs } from "../../../../support/fs/mounted.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { makeXfs } from "./tools.ts";

/** With a directory `dir` of some entries; made without mounting. */
function smallImage(mkfs = ""): string {
  need("mkfs.xfs", "xfs_db");
  const dir = scratch();
  const proto = ["dummy", "0 0", "d--755 0 0", "dir d--755 0 0"];
  for (let i = 0; i < 200; i++) proto.push(`name-${i} p--644 0 0`);
  writeFileSync(`${dir}/proto`, `${proto.join("\n")}\n$\n$\n`);
  sh(`truncate -s 64M '${dir}/image'`);
  makeXfs(`${dir}/image`, { mkfs: `-p '${dir}/proto' ${mkfs}` });
  return `${dir}/image`;
}

/** Changes a field of the superblock and seals it again, whatever the value. */
function write(image: string, field: string, value: string): void {
  sh(`xfs_db -x -c 'sb 0' -c 'write -d ${field} ${value}' '${image}'`);
}

async function opened<T>(image: string, work: (fs: FileSystem) => Promise<T> | T): Promise<T> {
  using source = imageSource(image);
  return await work(await openXfs(source));
}

async function names(fs: FileSystem): Promise<number> {
  const entry = await fs.lookup(await fs.root(), "dir");
  return (await Array.fromAsync(fs.list(await fs.inode(entry!)))).length;
}

describe("marks in the superblock", () => {
  test("a new UUID: metadata keeps the old one", async () => {
    const image = smallImage();
    sh(`xfs_admin -U 12345678-1234-1234-1234-123456789abc '${image}'`);
    await opened(image, async (fs) => {
      expect(fs.uuid).toBe("12345678-1234-1234-1234-123456789abc");
      expect(fs.state.clean).toBe(true);
      expect(await names(fs)).toBe(200);
      expect(await Array.fromAsync(fs.usedExtents())).not.toEqual([]);
    });
  });

  test("in need of repair", async () => {
    const image = smallImage();
    write(image, "features_incompat", "0x1b");
    await opened(image, async (fs) => {
      expect(fs.state).toEqual({ clean: false, text: "marked as in need of repair" });
      expect(fs.notes.map((note) => note.code)).toEqual(["xfs-needs-repair"]);
      expect(await names(fs)).toBe(200);
      await expect(Array.fromAsync(fs.usedExtents())).rejects.toThrow(/needs repair/);
    });
  });

  test.for([
    ["0x4000020b", /xfs > superblock: the feature zoned, incompat feature 0x40000000 is not/],
    ["0x40b", /xfs > superblock: the feature zone_gaps is not supported/],
  ] as const)("unknown to a reader: %s", async ([value, expected]) => {
    const image = smallImage();
    write(image, "features_incompat", value);
    await expect(opened(image, names)).rejects.toThrow(expected);
  });

  test("unknown to a writer", async () => {
    const image = smallImage();
    write(image, "features_ro_compat", "0x8000000d");
    write(image, "features_compat", "0x2");
    await opened(image, async (fs) => {
      expect(fs.state.clean).toBe(true);
      expect(fs.notes.map(({ code, what }) => [code, what])).toEqual([
        ["xfs-unknown-feature", expect.stringContaining("compat feature 0x2,")],
        ["xfs-unknown-feature", expect.stringContaining("ro_compat feature 0x80000000,")],
      ]);
      expect(await names(fs)).toBe(200);
      await expect(Array.fromAsync(fs.usedExtents())).rejects.toThrow(/ro_compat feature/);
    });
  });

  test("a log on another device", async () => {
    const dir = scratch();
    sh(`truncate -s 64M '${dir}/image' '${dir}/log'`);
    makeXfs(`${dir}/image`, { mkfs: `-l logdev='${dir}/log',size=20m` });
    await opened(`${dir}/image`, async (fs) => {
      expect(fs.state).toEqual({ clean: false, text: "log on another device, not looked at" });
      expect(fs.notes.map((note) => note.code)).toEqual(["xfs-log-elsewhere"]);
      expect((await fs.root()).kind).toBe("directory");
      await expect(Array.fromAsync(fs.usedExtents())).rejects.toThrow(/log on another device/);
    });
  });

  test("the prober says XFS", async () => {
    using source = imageSource(smallImage());
    expect(await xfsProber.probe(source, {})).toMatchObject({
      kind: "filesystem",
      fs: { kind: "xfs" },
    });
  });
});

/** An image with a dirty log, and where its records begin, newest first. */
async function dirtyImage() {
  need("mkfs.xfs", "xfs_io");
  needRoot("it mounts images");
  const image = `${scratch()}/image`;
  sh(`truncate -s 200M '${image}'`);
  makeXfs(image, { mkfs: "-l size=8m" });
  await mountedAs({ image, type: "xfs", options: "nouuid" }, (root) => {
    // A record each, and more than can be in flight at once.
    for (let i = 0; i < 12; i++) sh(`cd '${root}'; mkdir d${i}; echo ${i} > d${i}/file; sync -f .`);
    sh(`xfs_io -x -c 'shutdown -f' '${root}'`);
  });
  using source = imageSource(image);
  const superblock = await readSuperblock(source, ["xfs"]);
  const ownerChanged = new Set<number>();
  const log = openLog({ source, where: ["xfs"], superblock, replayed: () => false, ownerChanged });
  const { head } = await findEnds(log);
  const records = await headersBefore(log, head, { count: 40, limit: head });
  const { logStart, agblklog, agBlocks, blockSizeBytes } = superblock;
  const group = Math.floor(logStart / 2 ** agblklog);
  const start = (group * agBlocks + (logStart % 2 ** agblklog)) * blockSizeBytes;
  return { image, head, placeOf: (block: number) => start + block * 512, records };
}

function flip(image: string, at: number): void {
  const fd = openSync(image, "r+");
  const byte = new Uint8Array(1);
  readSync(fd, byte, 0, 1, at);
  byte[0] = byte[0]! ^ 0x10;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

describe("damage in the log", () => {
  test("a record that was cut off is left out, by the kernel too", async () => {
    const { image, placeOf, records } = await dirtyImage();
    flip(image, placeOf(records[2]! + 1) + 200);
    const domus = await opened(image, async (fs) => {
      expect(fs.state.text).toMatch(/^log replayed in memory/);
      return domusView(fs);
    });
    const kernel = await mountedAs({ image, type: "xfs", options: "nouuid" }, kernelView);
    expect(differences(kernel, domus)).toEqual([]);
    expect(kernel.has("/d7/file")).toBe(true);
    expect(kernel.has("/d11/file")).toBe(false);
  });

  test("damage before that is told, and the kernel does not mount", async () => {
    const { image, placeOf, records } = await dirtyImage();
    expect(records.length).toBeGreaterThan(12);
    flip(image, placeOf(records[10]! + 1) + 200);
    await expect(mountedAs({ image, type: "xfs", options: "nouuid" }, () => {})).rejects.toThrow();
    await opened(image, async (fs) => {
      expect(fs.state).toEqual({ clean: false, text: "log not replayed: it is damaged" });
      expect(fs.notes).toMatchObject([
        {
          code: "xfs-log-damaged",
          severity: "error",
          why: expect.stringMatching(/image > xfs > log > log block \d+: found checksum/),
        },
      ]);
      expect((await fs.root()).kind).toBe("directory");
      await expect(Array.fromAsync(fs.usedExtents())).rejects.toThrow(/log that was not replayed/);
    });
  });

  test("a log feature of the future: not replayed when dirty, no matter when clean", async () => {
    const { image } = await dirtyImage();
    write(image, "features_log_incompat", "0x80");
    await opened(image, (fs) => {
      expect(fs.state.text).toBe("log not replayed: domus does not know something in it");
      expect(fs.notes).toMatchObject([{ code: "xfs-log-not-replayed", severity: "warning" }]);
    });
    const clean = smallImage();
    write(clean, "features_log_incompat", "0x80");
    await opened(clean, (fs) => expect(fs.state.clean).toBe(true));
  });

  test("a frozen filesystem, as a snapshot sees it", async () => {
    need("mkfs.xfs", "xfs_freeze");
    needRoot("it mounts images");
    const image = `${scratch()}/image`;
    sh(`truncate -s 200M '${image}'`);
    makeXfs(image, { mkfs: "" });
    await mountedAs({ image, type: "xfs", options: "nouuid" }, (root) => {
      sh(`cd '${root}'; mkdir dir; for i in $(seq 500); do echo $i > dir/$i; done
        xfs_freeze -f '${root}'; cp --sparse=always '${image}' '${image}.snapshot'; xfs_freeze -u '${root}'`);
    });
    const domus = await opened(`${image}.snapshot`, (fs) => domusView(fs));
    const mount = { image: `${image}.snapshot`, type: "xfs", options: "nouuid" };
    const kernel = await mountedAs(mount, (root) => kernelView(root));
    expect(kernel.size).toBe(502);
    expect(differences(kernel, domus)).toEqual([]);
  });
});

describe("effort", () => {
  test("opening and finding a file reads few blocks", async () => {
    using source = imageSource(smallImage());
    const fs = await openXfs(source);
    // The superblock, a bisection of the log, and what can be in flight at its end.
    expect(source.reads).toBeLessThan(40);
    const before = source.reads;
    const dir = await fs.inode((await fs.lookup(await fs.root(), "dir"))!);
    expect(await fs.lookup(dir, "name-199")).toBeDefined();
    expect(source.reads - before).toBeLessThan(6);
  });
});
