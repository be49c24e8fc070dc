/** Fast commits: what domus shows after its replay in memory, against what the kernel shows after its own. */
import {
  appendFileSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  readdirSync,
  renameSync,
  statfsSync,
  statSync,
  rmdirSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../../src/base/failure.ts";
import { crc32cUpdate } from "../../../../../src/bytes/crc32c.ts";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { imageSource, mounted } from "../../../../support/fs/mounted.ts";
import { randomSource, survivesMutation } from "../../../../support/mutate.ts";
import { differences, domusView, kernelView } from "../../../../support/fs/view.ts";
import type { View } from "../../../../support/fs/view.ts";
import { wipeOutside } from "../../../../support/fs/wipe.ts";

const SIZE = 96 << 20;
const VARIANTS = [
  "mkfs.ext4 -b 4096 -O fast_commit",
  "mkfs.ext4 -b 1024 -O fast_commit",
  "mkfs.ext4 -O fast_commit,^metadata_csum,^64bit",
  "mkfs.ext4 -I 128 -O fast_commit",
  "mkfs.ext4 -b 4096 -O fast_commit,bigalloc",
  "mkfs.ext4 -O fast_commit,inline_data",
  "mkfs.ext4 -b 1024 -O fast_commit,^dir_index,orphan_file",
];

function fsync(path: string): void {
  const fd = openSync(path, "r");
  fsyncSync(fd);
  closeSync(fd);
}

/** What is in the filesystem before the fast commits. */
function prepare(root: string): void {
  for (const dir of ["a", "b", "crowd"]) mkdirSync(`${root}/${dir}`);
  for (let i = 0; i < 60; i++) {
    writeFileSync(`${root}/a/old${i}`, `old ${i} `.repeat(i * i));
    writeFileSync(`${root}/crowd/${"n".repeat(100)}${i}`, "");
  }
  writeFileSync(`${root}/b/large`, Buffer.alloc(3 << 20, "large "));
  sh(`sync -f '${root}'`);
}

type Step = (at: {
  root: string;
  n: number;
  pick: (dir: string) => string | undefined;
}) => string | void;

/** Each gives the path to fsync, or nothing. */
const STEPS: readonly Step[] = [
  ({ root, n }) => {
    writeFileSync(`${root}/b/new${n}`, `new ${n} `.repeat((n % 50) * 100));
    return `${root}/b/new${n}`;
  },
  ({ root, n }) => {
    for (let i = 0; i < 30; i++) writeFileSync(`${root}/crowd/${"c".repeat(150)}${n}-${i}`, "");
    return `${root}/crowd/${"c".repeat(150)}${n}-29`;
  },
  ({ root, n, pick }) => {
    const file = pick("a");
    if (!file) return;
    appendFileSync(`${root}/a/${file}`, `more ${n} `.repeat(900));
    return `${root}/a/${file}`;
  },
  ({ root, n, pick }) => {
    const file = pick("a");
    if (!file) return;
    renameSync(`${root}/a/${file}`, `${root}/b/moved${n}`);
    return `${root}/b/moved${n}`;
  },
  ({ root, n, pick }) => {
    const file = pick("b");
    const over = pick("a");
    if (!file || !over || file === "large") return;
    appendFileSync(`${root}/b/${file}`, `${n}`);
    renameSync(`${root}/b/${file}`, `${root}/a/${over}`);
    return `${root}/a/${over}`;
  },
  ({ root, n, pick }) => {
    const file = pick("a");
    if (!file) return;
    linkSync(`${root}/a/${file}`, `${root}/b/link${n}`);
    return `${root}/a/${file}`;
  },
  ({ root, pick }) => {
    const file = pick("a");
    if (!file) return;
    unlinkSync(`${root}/a/${file}`);
    const next = pick("a");
    if (!next) return;
    appendFileSync(`${root}/a/${next}`, "x");
    return `${root}/a/${next}`;
  },
  ({ root, n }) => {
    truncateSync(`${root}/b/large`, (3 << 20) - n * 20_000);
    return `${root}/b/large`;
  },
  ({ root, n }) => {
    const fd = openSync(`${root}/b/large`, "r+");
    writeSync(fd, Buffer.alloc(70_000, `over ${n} `), 0, 70_000, 5_000_000 + n * 1_000_000);
    closeSync(fd);
    return `${root}/b/large`;
  },
  ({ root, n }) => {
    mkdirSync(`${root}/b/dir${n}`);
    writeFileSync(`${root}/b/dir${n}/inside`, "inside");
    return `${root}/b/dir${n}/inside`;
  },
  ({ root, n }) => {
    mkdirSync(`${root}/b/gone${n}`);
    writeFileSync(`${root}/b/gone${n}/x`, "x");
    fsync(`${root}/b/gone${n}/x`);
    unlinkSync(`${root}/b/gone${n}/x`);
    rmdirSync(`${root}/b/gone${n}`);
    return `${root}/b`;
  },
  ({ root, n }) => {
    sh(`fallocate -l 200000 '${root}/b/reserved${n}'`);
    return `${root}/b/reserved${n}`;
  },
];

/** When a directory was changed, and how large it is, comes out of the replay itself: its time, its finding room. */
function comparable(view: View): View {
  return new Map(
    [...view].map(([path, seen]) => [
      path,
      seen.kind === "directory" ? { ...seen, mtime: 0, size: 0 } : seen,
    ]),
  );
}

describe.each(VARIANTS)("%s", (mkfs) => {
  test("what the kernel replays is what is shown", async () => {
    need("mkfs.ext4");
    needRoot("it mounts images");
    const dir = scratch();
    const image = `${dir}/image`;
    sh(`truncate -s ${SIZE} '${image}' && ${mkfs} -q -F '${image}'`);
    const cuts: string[] = [];
    const random = randomSource(7);
    await mounted(image, "", (root) => {
      prepare(root);
      const pick = (where: string) => {
        const names = readdirSync(`${root}/${where}`, { withFileTypes: true }).filter((one) =>
          one.isFile(),
        );
        return names[random(Math.max(1, names.length))]?.name;
      };
      for (let n = 0; n < 48; n++) {
        const path = STEPS[n < STEPS.length ? n : random(STEPS.length)]!({ root, n, pick });
        if (path) fsync(path);
        if (n % 8 === 7) {
          cuts.push(`${dir}/cut${n}`);
          sh(`cp --sparse=always '${image}' '${dir}/cut${n}'`);
          // Every other time a full transaction follows, so that fast commits begin again.
          if (n % 16 === 15) sh(`sync -f '${root}'`);
        }
      }
    });
    let replayed = 0;
    for (const cut of cuts) {
      using source = imageSource(cut);
      const fs = await openExt4(source);
      if (/ and \d+ fast commits?$/.test(fs.state.text)) replayed += 1;
      const domus = comparable(await domusView(fs));
      const extents = await Array.fromAsync(fs.usedExtents());
      sh(`cp --sparse=always '${cut}' '${dir}/wiped'`);
      wipeOutside(`${dir}/wiped`, extents, SIZE, 0xa5);
      const kernel = await mounted(cut, "", (root) => comparable(kernelView(root)));
      expect(differences(kernel, domus)).toEqual([]);
      const wiped = await mounted(`${dir}/wiped`, "", (root) => comparable(kernelView(root)));
      expect(differences(kernel, wiped)).toEqual([]);
    }
    expect(replayed).toBeGreaterThan(2);
  });
});

/** An image whose fast commits are all that `work` did. */
async function fastCommitted(
  dir: string,
  work: (root: string) => void,
  options = "",
): Promise<string> {
  const image = `${dir}/image`;
  sh(`truncate -s 64M '${image}' && mkfs.ext4 -q -F -O fast_commit ${options} '${image}'`);
  await mounted(image, "", (root) => {
    mkdirSync(`${root}/d`);
    writeFileSync(`${root}/d/file`, "file");
    sh(`sync -f '${root}'`);
    work(root);
    sh(`cp '${image}' '${dir}/cut'`);
  });
  return `${dir}/cut`;
}

/** Something new that is no plain file, and a change to one so that there is something to sync. */
const SPECIAL: Readonly<Record<string, (dir: string) => void>> = {
  "a short symlink": (dir) => symlinkSync("short", `${dir}/link`),
  "a long symlink": (dir) => symlinkSync(`/${"long/".repeat(40)}`, `${dir}/link`),
  "a device": (dir) => void sh(`mknod '${dir}/null' c 1 3`),
  "a pipe": (dir) => void sh(`mkfifo '${dir}/pipe'`),
  "a file of many pieces": (dir) => {
    const fd = openSync(`${dir}/pieces`, "w");
    for (let i = 0; i < 300; i++) writeSync(fd, `piece ${i}`, i * 8192);
    fsyncSync(fd);
    closeSync(fd);
  },
  "a hole": (dir) => void sh(`fallocate -p -o 4096 -l 8192 '${dir}/file'`),
  "a directory moved": (dir) => {
    mkdirSync(`${dir}/from`);
    renameSync(`${dir}/from`, `${dir}/to`);
  },
  "an attribute": (dir) => void sh(`chattr +a '${dir}/file'; chattr -a '${dir}/file'`),
  "a name with bytes that are no text": (dir) => {
    writeFileSync(Buffer.from(`${dir}/\xff\xfe`, "latin1"), "x");
  },
};

describe("what is no plain file", () => {
  test.for(Object.keys(SPECIAL))("%s", async (name) => {
    need("mkfs.ext4");
    needRoot("it mounts images");
    const cut = await fastCommitted(scratch(), (root) => {
      SPECIAL[name]!(`${root}/d`);
      appendFileSync(`${root}/d/file`, "more");
      fsync(`${root}/d/file`);
    });
    using source = imageSource(cut);
    const fs = await openExt4(source);
    // Some of it makes Linux write a full transaction.
    expect(fs.notes).toEqual([]);
    const domus = comparable(await domusView(fs));
    const kernel = await mounted(cut, "", (root) => comparable(kernelView(root)));
    expect(differences(kernel, domus)).toEqual([]);
  });
});

/** Where the tails of the fast commits of an image are: the tag, then its length, a number and the checksum. */
function tails(image: Buffer): { head: number; tails: number[] } {
  let head = 0;
  while (!(image.readUInt32LE(head) === 0x80009 && image.readUInt32LE(head + 4) === 0))
    head += 1024;
  const found: number[] = [];
  for (let at = head; ;) {
    const tag = image.readUInt16LE(at);
    if (tag === 0 || tag > 9) return { head, tails: found };
    if (tag === 8) found.push(at);
    at += 4 + image.readUInt16LE(at + 2);
  }
}

test("the number of a file that was deleted, used again", async () => {
  need("mkfs.ext4");
  needRoot("it mounts images");
  const numbers: number[] = [];
  const cut = await fastCommitted(
    scratch(),
    (root) => {
      // All numbers are taken, so that there is no other to be had.
      for (let n = 0; statfsSync(root).ffree > 0; n++) {
        writeFileSync(`${root}/d/f${n}`, Buffer.alloc(100_000, `old ${n} `));
      }
      sh(`sync -f '${root}'`);
      numbers.push(statSync(`${root}/d/f1`).ino);
      unlinkSync(`${root}/d/f1`);
      const fd = openSync(`${root}/d/new`, "w");
      writeSync(fd, Buffer.alloc(3000, "new"), 0, 3000, 50_000);
      fsyncSync(fd);
      closeSync(fd);
      numbers.push(statSync(`${root}/d/new`).ino);
    },
    "-N 32",
  );
  expect(numbers[1]).toBe(numbers[0]);
  using source = imageSource(cut);
  const fs = await openExt4(source);
  expect(fs.state.text).toContain("fast commit");
  const domus = comparable(await domusView(fs));
  const kernel = await mounted(cut, "", (root) => comparable(kernelView(root)));
  expect(differences(kernel, domus)).toEqual([]);
});

describe("damage", () => {
  test("is refused where the kernel refuses it, and ends the fast commits where they end for the kernel", async () => {
    need("mkfs.ext4");
    needRoot("it mounts images");
    const dir = scratch();
    const cut = await fastCommitted(dir, (root) => {
      for (const name of ["one", "two"]) {
        writeFileSync(`${root}/d/${name}`, name);
        fsync(`${root}/d/${name}`);
      }
    });
    const bytes = readFileSync(cut);
    const { head, tails: found } = tails(bytes);
    expect(found).toHaveLength(2);
    const damaged = async (
      at: number,
    ): Promise<{ text: string; codes: string[]; mounts: boolean }> => {
      const copy = Buffer.from(bytes);
      copy[at]! ^= 1;
      writeFileSync(`${dir}/damaged`, copy);
      using source = imageSource(`${dir}/damaged`);
      const fs = await openExt4(source);
      const domus = comparable(await domusView(fs));
      const mounts = await mounted(`${dir}/damaged`, "", (root) => {
        expect(differences(comparable(kernelView(root)), domus)).toEqual([]);
        return true;
      }).catch((error: unknown) => {
        expect(String(error)).toContain("mount");
        return false;
      });
      return { text: fs.state.text, codes: fs.notes.map((note) => note.code), mounts };
    };
    const refused = { codes: ["ext4-journal-end-damaged"], mounts: false };
    expect(await damaged(found[0]! + 8)).toMatchObject(refused);
    expect(await damaged(head + 4)).toMatchObject(refused);
    expect(await damaged(head + 12)).toMatchObject(refused);
    expect(await damaged(found[1]! + 8)).toMatchObject({ codes: [], mounts: true });
    expect((await damaged(found[1]! + 4)).text).toMatch(/ and 1 fast commit$/);
    // The number of another transaction: these are left from before.
    expect((await damaged(head + 8)).text).toMatch(
      /^journal replayed in memory \(\d+ transactions?\)$/,
    );
  });
});

test("records made to harm, sealed again, give a filesystem or a failure", async () => {
  need("mkfs.ext4");
  needRoot("it mounts images");
  const cut = await fastCommitted(scratch(), (root) => {
    for (let n = 0; n < 12; n++) {
      mkdirSync(`${root}/d/${n}`);
      writeFileSync(`${root}/d/${n}/new`, Buffer.alloc(5000 * n, "new"));
      renameSync(`${root}/d/file`, `${root}/d/${n}/file`);
      renameSync(`${root}/d/${n}/file`, `${root}/d/file`);
      truncateSync(`${root}/d/file`, 3000 * (12 - n));
      fsync(`${root}/d/${n}/new`);
    }
  });
  const image = readFileSync(cut);
  const { head, tails: found } = tails(image);
  const end = found.at(-1)! + 12;
  const sound = Buffer.from(image.subarray(head, end));
  let replayed = 0;
  const run = await survivesMutation(
    [sound],
    async (damaged) => {
      image.set(sound, head);
      image.set(damaged, head);
      seal(image, head, end);
      const fs = await openExt4(memorySource(image, ["image"]));
      if (/fast commits?$/.test(fs.state.text)) replayed += 1;
      await Array.fromAsync(fs.usedExtents());
      const queue = [await fs.root()];
      for (let at = 0; at < queue.length && at < 100; at++) {
        const listed = await attempt(() => Array.fromAsync(fs.list(queue[at]!)));
        for (const entry of listed.ok ? listed.value : []) {
          const inode = await attempt(() => fs.inode(entry));
          if (!inode.ok) continue;
          if (inode.value.kind === "directory") queue.push(inode.value);
          if (inode.value.kind === "file") await attempt(() => fs.read(inode.value, 0, 100_000));
        }
      }
    },
    { count: 400 },
  );
  // Most damage is in the contents of inodes, which the replay does not look at.
  expect(replayed).toBeGreaterThan(100);
  expect(run.values).toBeGreaterThan(100);
});

/** Makes the checksums of fast commits right again, as far as their records can be followed. */
function seal(image: Buffer, head: number, end: number): void {
  let checksum = 0;
  for (let at = head; at + 12 <= end;) {
    const length = 4 + image.readUInt16LE(at + 2);
    if (image.readUInt16LE(at) === 8) {
      image.writeUInt32LE(crc32cUpdate(checksum, image.subarray(at, at + 8)), at + 8);
      checksum = 0;
    } else
      checksum = crc32cUpdate(checksum, image.subarray(at, Math.min(at + length, image.length)));
    at += length;
  }
}
