/** Every way in which a disk is written to, and none: what a fingerprint of it says. */
import { spawnSync } from "node:child_process";
import {
  linkSync,
  openSync,
  closeSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from "node:fs";
import { describe, expect, onTestFinished, test } from "vitest";
import { compareContent, compareFingerprints } from "../../../src/guest/fingerprint/compare.ts";
import type { Comparison } from "../../../src/guest/fingerprint/compare.ts";
import { fingerprintDisk } from "../../../src/guest/fingerprint/fingerprint.ts";
import type { DiskToFingerprint } from "../../../src/guest/fingerprint/fingerprint.ts";
import { parseFingerprint } from "../../../src/guest/fingerprint/parse-fingerprint.ts";
import type { DiskFingerprint } from "../../../src/guest/fingerprint/types.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { mountedAs } from "../../support/fs/mounted.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";

needRoot("loop devices and mounts");
need("losetup", "mkfs.ext4", "mkfs.xfs", "mkfs.btrfs", "mkswap", "sfdisk", "tune2fs");
need("e2fsck", "blockdev", "qemu-img", "xfs_admin", "debugfs", "partx");

/** As it would be compared later: out of the record. */
async function take(path: string, format?: DiskToFingerprint["format"]): Promise<DiskFingerprint> {
  const taken = await fingerprintDisk(localHost(), { path, ...(format && { format }) });
  return parseFingerprint(JSON.parse(JSON.stringify(taken)), ["record"]);
}

/** Nothing but the content can tell: another host, or this one after a restart, and a copy that was given its times. */
function afterRestart(one: DiskFingerprint): DiskFingerprint {
  const { writes: _, ...rest } = one;
  return rest;
}

type Kind = { readonly type: string; readonly make: string };

const EXT4: Kind = { type: "ext4", make: "mkfs.ext4 -q -F" };
const XFS: Kind = { type: "xfs", make: "mkfs.xfs -q -f" };
const BTRFS: Kind = { type: "btrfs", make: "mkfs.btrfs -q -f" };
const KINDS: readonly Kind[] = [
  EXT4,
  { type: "ext3", make: "mkfs.ext3 -q -F" },
  { type: "ext2", make: "mkfs.ext2 -q -F" },
  XFS,
  BTRFS,
];

const SIZE_MIB = 320;

/** With files in it that are old enough: what comes later is another second, which is all that some formats keep. */
async function make({ type, make: mkfs }: Kind, sizeMib = SIZE_MIB): Promise<string> {
  const image = `${scratch()}/disk.img`;
  sh(`truncate -s ${sizeMib}M '${image}' && ${mkfs} '${image}' 2>&1`);
  await mountedAs({ image, type }, (root) => {
    sh(`head -c 3000000 /dev/urandom > data; mkdir -p d/e; echo one > d/e/file; sync -f .`, {
      cwd: root,
    });
    sh(`find . -type f | xargs touch -d '2020-01-01 12:00:00'; sync -f .`, { cwd: root });
  });
  return image;
}

/** By what is on the disk alone, and by all. */
async function compared(path: string, change: () => Promise<void> | void) {
  const then = await take(path);
  await change();
  const now = await take(path);
  return {
    all: compareFingerprints(then, now),
    content: compareFingerprints(afterRestart(then), afterRestart(now)),
    before: then,
  };
}

function expectSame({ same, proof, changes }: Comparison, by: Comparison["proof"]): void {
  expect({ same, proof, changes }).toEqual({ same: true, proof: by, changes: [] });
}

describe.for(KINDS)("$type", (kind) => {
  const { type } = kind;

  test("nothing was changed: not by time, another name, a mount that only reads, a restart", async () => {
    const image = await make(kind);
    linkSync(image, `${image}.other`);
    symlinkSync(image, `${image}.link`);
    // Making the link changed the inode's ctime.
    const then = await take(image);
    expect(then.volumes[0]).toMatchObject({ format: type, depth: "commits" });
    for (const name of [image, `${image}.other`, `${image}.link`]) {
      const now = await take(name);
      expectSame(compareFingerprints(then, now), "times");
      expectSame(compareFingerprints(afterRestart(then), now), "commits");
      expect(now.identity).toBe(then.identity);
      expect(now.digest).toBe(then.digest);
    }
    await mountedAs({ image, type, options: "ro" }, (root) => void readFileSync(`${root}/data`));
    const read = await take(image);
    expectSame(compareContent(then, read), "commits");
    sh(`cp --sparse=always '${image}' '${image}.copy'`);
    const copy = compareFingerprints(then, await take(`${image}.copy`));
    expectSame(copy, "commits");
    expect(copy.doubts).toContain("It is another file or device than at that time.");
  });

  test("a file is written while it is mounted, and once more", async () => {
    const image = await make(kind);
    await mountedAs({ image, type }, async (root) => {
      sh(`echo two > d/new; sync -f .`, { cwd: root });
      for (const command of ["echo three > d/e/file", "echo more >> d/e/file", "rm d/new"]) {
        const { all, content } = await compared(image, () => {
          sh(`${command}; sync -f .`, { cwd: root });
        });
        expect([command, all.same, content.same]).toEqual([command, false, false]);
        expect(content.changes[0]).toMatch(new RegExp(`^${type} on whole disk: `));
      }
    });
  });

  test("it is mounted for writing, nothing more", async () => {
    const image = await make(kind);
    const { all, content } = await compared(image, () => mountedAs({ image, type }, () => {}));
    // Kernels of today write nothing to a btrfs in which nothing is written.
    if (type === "btrfs") expect(content.same).toBe(all.same);
    else expect([all.same, content.same]).toEqual([false, false]);
  });

  test("a block of data is written past the filesystem: seen by the times alone", async () => {
    const image = await make(kind);
    const { all, content } = await compared(image, () => overwrite(image, placeOfData(image)));
    expect(all).toMatchObject({ same: false, proof: "times" });
    expect(all.changes[0]).toMatch(/^The file was last written at 20\d\d-/);
    expectSame(content, "commits");
  });
});

/** Where none of these small filesystems has a journal or metadata, in bytes. */
function placeOfData(image: string): number {
  return Math.floor(statSync(image).size * 0.77);
}

function overwrite(path: string, offset: number): void {
  const fd = openSync(path, "r+");
  writeSync(fd, Buffer.from("other data than before"), 0, 22, offset);
  closeSync(fd);
}

test("vfat: a file is written, written again with the same size, taken away; a block of data", async () => {
  need("mkfs.vfat", "mcopy", "mmd", "mdel");
  const dir = scratch();
  const image = `${dir}/disk.img`;
  const copy = (text: string, to: string) => {
    // The format keeps two seconds: the time is given.
    sh(
      `printf '${text}' > f; touch -d '20${text}-01-01' f; mcopy -o -m -i '${image}' f '::${to}'`,
      {
        cwd: dir,
      },
    );
  };
  sh(`truncate -s 200M '${image}' && mkfs.vfat -F 32 '${image}' && mmd -i '${image}' ::d ::d/e`);
  copy("11", "d/e/file");
  const still = await compared(image, () => {});
  expectSame(still.all, "times");
  expectSame(still.content, "commits");
  for (const change of [
    () => copy("12", "d/e/file"),
    () => copy("12", "other"),
    () => void sh(`mdel -i '${image}' ::other`),
  ]) {
    const { content } = await compared(image, change);
    expect(content.changes[0]).toMatch(/^vfat on whole disk: changed: .*directories/);
  }
  const data = await compared(image, () => overwrite(image, placeOfData(image)));
  expect(data.all).toMatchObject({ same: false, proof: "times" });
  expectSame(data.content, "commits");
});

describe("tools", () => {
  test.for([
    ["tune2fs -L changed", EXT4],
    ["tune2fs -O ^has_journal", EXT4],
    ["debugfs -w -R 'ssv mtime 20200101'", EXT4],
    ["xfs_admin -L changed", XFS],
    ["btrfs filesystem label", BTRFS],
  ] as const)("%s", async ([command, kind]) => {
    const image = await make(kind);
    const { content } = await compared(image, () => {
      sh(`${command} '${image}' ${kind === BTRFS ? "changed" : ""}`);
    });
    expect(content.same).toBe(false);
  });

  test("fsck that has something to mend, and one that has not", async () => {
    const image = await make(EXT4);
    const looked = await compared(image, () => void sh(`e2fsck -fn '${image}'`));
    expectSame(looked.content, "commits");
    sh(`debugfs -w -R 'clri /d/e/file' '${image}'`);
    const { content } = await compared(image, () => {
      sh(`e2fsck -fy '${image}' || [ $? = 1 ]`);
    });
    expect(content.same).toBe(false);
  });

  test("a new filesystem of the same kind, or none", async () => {
    const image = await make(EXT4);
    const again = await compared(image, () => void sh(`mkfs.ext4 -q -F '${image}'`));
    expect(again.content.same).toBe(false);
    const { content } = await compared(image, () => {
      sh(`dd if=/dev/zero of='${image}' bs=64K count=1 conv=notrunc status=none`);
    });
    expect(content.changes[0]).toMatch(/whole disk was ext4 and is/);
  });
});

describe("a stale image", () => {
  test("the guest went on: its filesystem is dirty, as in a paused guest, both times", async () => {
    const image = await make(EXT4);
    const paused = `${image}.paused`;
    await mountedAs({ image, type: "ext4" }, (root) => {
      sh(`echo saved > state; sync -f .; cp --sparse=always '${image}' '${paused}'`, { cwd: root });
    });
    const then = await take(paused);
    expect(then.counters[0]).toMatch(/^ext4 on whole disk: commit \d+ of 20\d\d-/);
    expectSame(compareContent(then, await take(paused)), "commits");
    // It boots from its disk, writes, and is cut off: the superblock may look as before, the journal does not.
    await mountedAs({ image: paused, type: "ext4" }, (root) => {
      sh(`echo later > state; sync -f .; cp --sparse=always '${paused}' '${paused}.2'`, {
        cwd: root,
      });
    });
    const { same, changes } = compareContent(then, await take(`${paused}.2`));
    expect(same).toBe(false);
    expect(changes[0]).toMatch(
      /^ext4 on whole disk: commit \d+ of 20.* UTC; it was commit \d+ \(changed: .*journal/,
    );
  });
});

describe("a journal that is larger than its share: what is digested of it moves with the commits", () => {
  test.for([EXT4, XFS])("$type", async (kind) => {
    const image = await make(kind);
    // A window of 1 MiB in a journal of 8 MiB and more; without the rest.
    const part = async () => {
      const limits = { wholeBytes: 0, diskBytes: 1 << 20 };
      const taken = await fingerprintDisk(localHost(), { path: image }, { limits });
      expect(taken.volumes[0]).toMatchObject({ depth: "commits" });
      expect(taken.readBytes).toBeLessThan(12 << 20);
      const [volume] = taken.volumes;
      const newest = volume!.regions.filter(({ name }) => name.startsWith("newest"));
      expect(newest).toMatchObject([{ bytes: 1 << 20 }]);
      return afterRestart({ ...taken, volumes: [{ ...volume!, regions: newest }] });
    };
    await mountedAs({ image, type: kind.type }, async (root) => {
      // Away from the beginning of the log, farther than a window.
      sh(`for r in 1 2 3 4; do mkdir r$r; (cd r$r; touch {1..3000}); sync -f .; done`, {
        cwd: root,
      });
      const seen = new Set<string | undefined>();
      let before = await part();
      for (let i = 0; i < 6; i++) {
        expectSame(compareFingerprints(before, before), "commits");
        sh(`echo ${i} > d/file${i}; sync -f .`, { cwd: root });
        const now = await part();
        expect([i, compareFingerprints(before, now).same]).toEqual([i, false]);
        seen.add(now.volumes[0]!.counter?.text);
        before = now;
      }
      expect(seen.size).toBe(6);
    });
  });
});

describe("devices", () => {
  function loopOf(path: string, options = ""): string {
    const device = sh(`losetup ${options} --find --show '${path}'`).toString().trim();
    onTestFinished(() => void spawnSync("losetup", ["-d", device]));
    return device;
  }

  test("the kernel's counters tell that nothing was written, and that a block of data was", async () => {
    const image = await make(EXT4);
    const device = loopOf(image);
    const still = await compared(
      device,
      () => void sh(`dd if=${device} of=/dev/null bs=1M count=64`),
    );
    expectSame(still.all, "counters");
    expect(still.before.writes!.file).toBeDefined();
    const written = await compared(device, () => {
      sh(`dd if=/dev/urandom of=${device} bs=4096 count=2 seek=60000 conv=notrunc`);
    });
    expect(written.all).toMatchObject({ same: false, proof: "counters" });
    expect(written.all.changes[0]).toMatch(/^Since then \d+ sectors of 512 bytes were written/);
    expectSame(written.content, "commits");
    const beside = await compared(device, () => overwrite(image, placeOfData(image)));
    expect(beside.all).toMatchObject({ same: false, proof: "times" });
  });

  test("attached again: the counters are others, the file's times are left", async () => {
    const image = await make(EXT4);
    const first = sh(`losetup --find --show '${image}'`).toString().trim();
    const then = await take(first);
    sh(`losetup -d ${first}`);
    const device = loopOf(image);
    expectSame(compareFingerprints(then, await take(device)), "times");
    // After a restart of the host all devices count from the start.
    const restarted = { ...then, writes: { ...then.writes!, bootId: "another" } };
    expectSame(compareFingerprints(restarted, await take(device)), "times");
    utimesSync(image, new Date("2021-01-01"), new Date("2021-01-01"));
    expect(compareFingerprints(then, await take(device))).toMatchObject({
      same: false,
      proof: "times",
    });
  });

  test("times that were set back prove nothing; the content decides", async () => {
    const image = await make(XFS);
    const then = await take(image);
    sh(`touch -r '${image}' '${image}.times'`);
    overwrite(image, placeOfData(image));
    sh(`touch -r '${image}.times' '${image}'`);
    const now = compareFingerprints(then, await take(image));
    expectSame(now, "commits");
    expect(now.doubts.join()).toMatch(/inode was changed at .* or its times were set back/);
    await mountedAs({ image, type: "xfs" }, (root) => void sh(`echo x > y`, { cwd: root }));
    sh(`touch -r '${image}.times' '${image}'`);
    expect(compareFingerprints(then, await take(image))).toMatchObject({
      same: false,
      proof: "content",
    });
  });

  test("what the guest wrote past the page cache of this host is seen through it", async () => {
    const image = await make(EXT4);
    const device = loopOf(image);
    // Somebody has it open, as a backend has, so that the cache stays.
    const fd = openSync(device, "r");
    onTestFinished(() => closeSync(fd));
    const then = afterRestart(await take(device));
    sh(`dd if=${device} of=/dev/null bs=1M count=64; sync`);
    // Into the file, which the cache of the device does not know: before the superblock, where nothing is.
    overwrite(image, 512);
    const { changes } = compareFingerprints(then, afterRestart(await take(device)));
    expect(changes).toEqual(["ext4 on whole disk: changed: superblock."]);
  });
});

describe("disks with partitions", () => {
  test("a guest's disk: table, root, swap; what was changed is named", async () => {
    const dir = scratch();
    const image = `${dir}/disk.img`;
    sh(`truncate -s 900M '${image}'`);
    sh(
      `printf 'label: gpt\\nsize=600M, type=linux\\nsize=200M, type=swap\\n' | sfdisk -q '${image}'`,
    );
    const parts = [1, 601].map((startMib, i) => ({ startMib, sizeMib: i === 0 ? 600 : 200 }));
    const on = <T>(index: number, work: (device: string) => T): T => {
      const { startMib, sizeMib } = parts[index]!;
      const device = sh(
        `losetup --find --show --offset ${startMib}MiB --sizelimit ${sizeMib}MiB '${image}'`,
      )
        .toString()
        .trim();
      try {
        return work(device);
      } finally {
        sh(`losetup -d ${device}`);
      }
    };
    on(0, (device) => sh(`mkfs.ext4 -q -F ${device}`));
    on(1, (device) => sh(`mkswap -q ${device}`));
    const { before, content } = await compared(image, () => {
      on(0, (device) => sh(`mkdir '${dir}/at'; mount ${device} '${dir}/at'; umount '${dir}/at'`));
    });
    expect(before.volumes.map(({ name, format, depth }) => [name, format, depth])).toEqual([
      ["whole disk", "partition table (gpt)", "container"],
      ["partition 1", "ext4", "commits"],
      ["partition 2", "swap", "sample"],
    ]);
    expect(content.changes).toHaveLength(1);
    expect(content.changes[0]).toMatch(/^ext4 on partition 1: /);
    const table = await compared(image, () => {
      sh(`sfdisk -q --part-label '${image}' 2 renamed`);
    });
    expect(table.content.changes).toEqual([
      "partition table (gpt) on whole disk: changed: partition table.",
    ]);
    const swap = await compared(image, () => on(1, (device) => void sh(`mkswap -q ${device}`)));
    expect(swap.content.changes).toEqual(["swap on partition 2: changed: beginning."]);
    const still = await compared(image, () => {});
    expectSame(still.content, "commits");
  });
});

describe("images", () => {
  test("a qcow2: what the guest sees in it", async () => {
    const raw = await make(EXT4);
    const image = `${raw}.qcow2`;
    sh(`qemu-img convert -O qcow2 '${raw}' '${image}'`);
    const [inRaw, inImage] = [await take(raw), await take(image, "qcow2")];
    expectSame(compareContent(inRaw, inImage), "commits");
    await mountedAs({ image: raw, type: "ext4" }, (root) => void sh(`echo x > y`, { cwd: root }));
    sh(`qemu-img convert -O qcow2 '${raw}' '${image}'`);
    expect(compareContent(inImage, await take(image, "qcow2")).same).toBe(false);
    // One whose backing file is not opened is taken as it is.
    sh(`qemu-img create -q -f qcow2 -b '${raw}' -F raw '${image}.top'`);
    expect((await take(`${image}.top`, "qcow2")).volumes).toHaveLength(1);
  });
});
