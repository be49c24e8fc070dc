/** Damaged and hostile images: a failure that names the place, in bounded time and memory. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { FailureError } from "../../../../../src/base/failure.ts";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import type { FileSystem } from "../../../../../src/disk/fs/filesystem.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { mounted } from "../../../../support/fs/mounted.ts";

/** A small filesystem, in use, with one of everything. */
async function smallImage(mkfs: string): Promise<{ image: Uint8Array; path: string }> {
  const path = `${scratch()}/image`;
  sh(`truncate -s 6M '${path}' && ${mkfs} -q -F -b 1024 -N 512 '${path}'`);
  await mounted(path, "", (root) => {
    sh(`
      cd '${root}'
      mkdir dir many; touch many/{1..150}-a-name-that-takes-some-room
      ln -s short dir/fast; ln -s ${"long/".repeat(40)} dir/slow; mkfifo dir/fifo; mknod dir/disk b 202 1
      head -c 300000 /dev/urandom > dir/solid; echo small > dir/small
      for i in $(seq 0 2 200); do printf x | dd of=dir/fragments bs=1 seek=$((i*1024)) conv=notrunc status=none; done
      sync -f .
      cp '${path}' '${path}.dirty'
    `);
  });
  // A journal is worth more when it is dirty; without one the bitmaps would be refused.
  const kept = mkfs.includes("ext2") || mkfs.includes("^has_journal") ? path : `${path}.dirty`;
  return { image: Uint8Array.from(readFileSync(kept)), path: kept };
}

type Piece = { readonly at: number; readonly length: number };

/** Where the structures are: what a mutation should hit, rather than contents and free space. */
function structures(path: string): Piece[] {
  const debugfs = (command: string) =>
    sh(`debugfs -R '${command}' '${path}' 2>/dev/null`).toString();
  const blocks = new Set<number>([2]);
  const add = (text: string, pattern: RegExp) => {
    for (const match of text.matchAll(pattern)) {
      const [from, to] = [Number(match[1]), Number(match[2] ?? match[1])];
      for (let block = from; block <= to; block++) blocks.add(block);
    }
  };
  add(sh(`dumpe2fs '${path}' 2>/dev/null`).toString(), /bitmap at (\d+)/g);
  for (const name of ["/", "/dir", "/many"]) add(debugfs(`blocks ${name}`), /(\d+)/g);
  // Extent and indirect blocks, without the data.
  add(debugfs("stat /dir/fragments"), /\((?:ETB\d|IND|DIND|TIND)\):(\d+)/g);
  const table = /Inode table at (\d+)/.exec(sh(`dumpe2fs '${path}' 2>/dev/null`).toString())!;
  for (let i = 0; i < 10; i++) blocks.add(Number(table[1]) + i);
  for (let i = 0; i < 24; i++) blocks.add(Number(debugfs(`bmap <8> ${i}`)));
  const pieces = [...blocks].map((block) => ({ at: block * 1024, length: 1024 }));
  // The superblock several times over: it decides the most.
  return [...Array.from({ length: 6 }, () => ({ at: 1024, length: 400 })), ...pieces];
}

/** Looks at everything that can be reached, as any command could. */
async function walkEverything(bytes: Uint8Array): Promise<number> {
  const fs = await openExt4(memorySource(bytes, ["image"]));
  let looked = 0;
  const stack = [await fs.root()];
  const seen = new Set<number>();
  while (stack.length > 0 && looked < 20_000) {
    const directory = stack.pop()!;
    for await (const entry of fs.list(directory)) {
      looked += 1;
      if (seen.has(entry.number)) continue;
      seen.add(entry.number);
      const inode = await fs.inode(entry);
      if (inode.kind === "directory") stack.push(inode);
      if (inode.kind === "symlink") await fs.readLink(inode);
      if (inode.kind !== "file") continue;
      await fs.read(inode, 0, 65_536);
      await fs.read(inode, Math.max(0, inode.size - 65_536), 65_536);
    }
    await fs.lookup(directory, "no such name");
  }
  return looked;
}

async function countExtents(bytes: Uint8Array): Promise<number> {
  const fs = await openExt4(memorySource(bytes, ["image"]));
  let count = 0;
  for await (const _ of fs.usedExtents()) count += 1;
  return count;
}

describe("mutations", () => {
  test.for([
    ["mkfs.ext4 -O ^metadata_csum,^uninit_bg,inline_data -I 256", 1],
    ["mkfs.ext4 -O ^metadata_csum,^uninit_bg,^has_journal,^64bit", 2],
    ["mkfs.ext3 -I 128", 3],
    ["mkfs.ext2 -I 128", 4],
    ["mkfs.ext4", 5],
  ] as const)("%s", async ([mkfs, seed]) => {
    need("mkfs.ext4", "debugfs");
    needRoot("it mounts images");
    const { image, path } = await smallImage(mkfs);
    const pieces = structures(path);
    const input = new Uint8Array(pieces.reduce((sum, { length }) => sum + length, 0));
    let at = 0;
    for (const { at: from, length } of pieces) {
      input.set(image.subarray(from, from + length), at);
      at += length;
    }
    // Only what a mutation changed goes back: pieces may stand for the same bytes.
    const damage = (damaged: Uint8Array) => {
      const out = Uint8Array.from(image);
      let start = 0;
      for (const piece of pieces) {
        for (let i = 0; i < piece.length && start + i < damaged.length; i++) {
          if (damaged[start + i] !== input[start + i]) out[piece.at + i] = damaged[start + i]!;
        }
        start += piece.length;
      }
      return out;
    };
    expect(await walkEverything(image)).toBeGreaterThan(150);
    const walked = await survivesMutation([input], (bytes) => walkEverything(damage(bytes)), {
      count: 800,
      seed,
    });
    const counted = await survivesMutation([input], (bytes) => countExtents(damage(bytes)), {
      count: 300,
      seed: seed + 100,
    });
    console.log(`${mkfs}: walk ${JSON.stringify(walked)}, extents ${JSON.stringify(counted)}`);
    expect(walked.failures).toBeGreaterThan(20);
    expect(walked.values).toBeGreaterThan(20);
  });
});

/** The failure that opening and walking ends with. */
async function failureOf(bytes: Uint8Array): Promise<{ kind: string; text: string }> {
  try {
    await walkEverything(bytes);
    await countExtents(bytes);
  } catch (error) {
    if (error instanceof FailureError) return { kind: error.failure.kind, text: error.message };
    throw error;
  }
  return { kind: "none", text: "" };
}

describe("every checksum is verified, and a wrong one says where", () => {
  test("flipping one bit", async () => {
    need("mkfs.ext4", "debugfs");
    needRoot("it mounts images");
    const path = `${scratch()}/image`;
    sh(`truncate -s 6M '${path}' && mkfs.ext4 -q -F -b 1024 -N 512 '${path}'`);
    await mounted(path, "", (root) => {
      sh(`cd '${root}'; mkdir dir; for i in $(seq 0 2 200); do
        printf x | dd of=dir/fragments bs=1 seek=$((i*1024)) conv=notrunc status=none; done`);
    });
    const clean = Uint8Array.from(readFileSync(path));
    const debugfs = (command: string) =>
      sh(`debugfs -R '${command}' '${path}' 2>/dev/null`).toString();
    const group = sh(`dumpe2fs '${path}' 2>/dev/null`).toString();
    const [, bitmap] = /Block bitmap at (\d+)/.exec(group)!;
    const [, table] = /Inode table at (\d+)/.exec(group)!;
    const [, extents] = /\(ETB0\):(\d+)/.exec(debugfs("stat /dir/fragments"))!;
    const flips: [string, number, RegExp][] = [
      ["superblock", 1024 + 0x78, /^image > ext4 > superblock: found checksum/],
      ["descriptor", 2048 + 0xc, /ext4 > group 0 > descriptor: found checksum/],
      ["root inode", Number(table) * 1024 + 256 + 8, /ext4 > inode 2: found checksum/],
      ["inode beyond 128", Number(table) * 1024 + 256 + 0x90, /ext4 > inode 2: found checksum/],
      ["directory", Number(debugfs("bmap / 0")) * 1024 + 500, /inode 2 > directory block 0: found/],
      [
        "extent block",
        Number(extents) * 1024 + 300,
        /inode \d+ > extent block \d+: found checksum/,
      ],
      ["block bitmap", Number(bitmap) * 1024 + 700, /group 0 > block bitmap: found checksum/],
    ];
    expect(await failureOf(clean)).toEqual({ kind: "none", text: "" });
    for (const [what, at, expected] of flips) {
      const damaged = Uint8Array.from(clean);
      damaged[at] = damaged[at]! ^ 0x10;
      const { kind, text } = await failureOf(damaged);
      expect(kind, what).toBe("corrupt");
      expect(text, what).toMatch(expected);
    }
  });
});

describe("a damaged superblock", () => {
  test("is read from its copy, with a note", async () => {
    need("mkfs.ext4");
    needRoot("it mounts images");
    for (const options of ["-b 4096", "-b 1024", "-b 2048 -O ^metadata_csum"]) {
      const path = `${scratch()}/image`;
      sh(`truncate -s 200M '${path}' && mkfs.ext4 -q -F ${options} '${path}'`);
      await mounted(path, "", (root) => sh(`echo hello > '${root}/file'`));
      const bytes = Uint8Array.from(readFileSync(path));
      bytes.fill(0xff, 1024, 1024 + 0x30);
      const fs: FileSystem = await openExt4(memorySource(bytes, ["image"]));
      expect(fs.state.clean).toBe(false);
      expect(fs.state.text).toMatch(/^superblock damaged, copy in block \d+ used/);
      expect(fs.notes.map((note) => note.code)).toContain("ext4-superblock-damaged");
      const entry = await fs.lookup(await fs.root(), "file");
      const inode = await fs.inode(entry!);
      expect(Buffer.from(await fs.read(inode, 0, 100)).toString()).toBe("hello\n");
      await expect(countExtents(bytes)).rejects.toThrow(/damaged superblock/);
    }
  });
});
