/** Images of the kernel's making, damaged so that no checksum shows it: a failure or a value, in bounded time and memory. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../../../../src/bytes/crc32c.ts";
import { checksumOf } from "../../../../../src/disk/fs/xfs/checksum.ts";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import { mountedAs } from "../../../../support/fs/mounted.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { makeXfs } from "./tools.ts";

const BLOCK = 1024;
const BASIC = 512;

/** A piece with a checksum, and how much of it is worth a mutation. */
type Piece = {
  readonly at: number;
  readonly length: number;
  readonly crcAt: number;
  readonly used: number;
};

/** By the magic number that a piece begins with, in an image with blocks of 1 KiB and inodes of 512 bytes. */
const KINDS: Readonly<Record<string, Omit<Piece, "at">>> = {
  XFSB: { length: 512, crcAt: 224, used: 264 },
  XAGF: { length: 512, crcAt: 216, used: 224 },
  AB3B: { length: BLOCK, crcAt: 52, used: 200 },
  BMA3: { length: BLOCK, crcAt: 64, used: 400 },
  XDB3: { length: BLOCK, crcAt: 4, used: BLOCK },
  XDD3: { length: BLOCK, crcAt: 4, used: BLOCK },
  XSLM: { length: BLOCK, crcAt: 12, used: 80 },
};
const INODE_KIND = { length: 512, crcAt: 100, used: 300 };

/** Every piece of metadata: they begin at basic blocks, and the log is left out. */
function piecesOf(image: Buffer): Piece[] {
  const [logAt, logLength] = logOf(image);
  const pieces: Piece[] = [];
  for (let at = 0; at < image.length; at += BASIC) {
    if (at >= logAt && at < logAt + logLength) continue;
    const kind = KINDS[image.toString("latin1", at, at + 4)];
    if (kind && (kind.length < BLOCK || at % BLOCK === 0)) pieces.push({ at, ...kind });
    const isInode = image.readUInt16BE(at) === 0x494e && image[at + 4] === 3;
    if (isInode && image.readUInt16BE(at + 2) !== 0) pieces.push({ at, ...INODE_KIND });
  }
  return pieces;
}

/** Where the log is, in bytes. */
function logOf(image: Buffer): [number, number] {
  const start = Number(image.readBigUInt64BE(48));
  const bits = 2 ** image.readUInt8(124);
  const block = Math.floor(start / bits) * image.readUInt32BE(84) + (start % bits);
  return [block * BLOCK, image.readUInt32BE(96) * BLOCK];
}

/** The records of the log. Their checksum goes over several parts. */
function recordsOf(image: Buffer): { at: number; length: number }[] {
  const [start, logLength] = logOf(image);
  const records = [];
  for (let at = start; at < start + logLength; at += BASIC) {
    if (image.readUInt32BE(at) !== 0xfeedbabe) continue;
    const length = image.readUInt32BE(at + 12);
    // A mount writes many empty ones before the head.
    if (length > 0) records.push({ at, length: BASIC + length });
  }
  return records;
}

function sealRecord(image: Buffer, at: number): void {
  const length = image.readUInt32BE(at + 12);
  if (at + BASIC + length > image.length) return;
  image.writeUInt32LE(0, at + 32);
  const parts = [image.subarray(at, at + 328), image.subarray(at + BASIC, at + BASIC + length)];
  image.writeUInt32LE(crc32c(Buffer.concat(parts)), at + 32);
}

const MAKE = `
  mkdir dir many short; touch many/{1..300}-a-name-that-takes-some-room short/{a,b}
  mkdir block; touch block/{1..20}; ln -s ${"long/".repeat(190)} dir/slow; ln -s fast dir/fast
  mkfifo dir/fifo; mknod dir/disk b 202 1; echo small > dir/small
  for i in $(seq 0 2 120); do
    printf x | dd of=dir/fragments bs=1 seek=$((i*1024)) conv=notrunc,fsync status=none
  done
  sync -f .`;
const CHANGE = `
  rm many/*5*; mv short dir/moved; for i in $(seq 40); do echo $i > dir/new-$i; done
  rm -r block; mkdir later; touch later/{1..50}`;

/**
 * A filesystem with one of everything. What was not unmounted since is in the log: nothing (clean), the changes (dirty), or
 * all of it (log).
 */
async function smallImage(end: "clean" | "dirty" | "log"): Promise<Buffer> {
  need("mkfs.xfs", "xfs_io");
  needRoot("it mounts images");
  const path = `${scratch()}/image`;
  sh(`truncate -s 24M '${path}'`);
  makeXfs(path, { mkfs: "-b size=1024 -l size=4m -d agcount=1" });
  // Records of 32 KiB have one header block.
  const mount = { image: path, type: "xfs", options: "nouuid,logbsize=32k" };
  const steps = { clean: [MAKE], dirty: [MAKE, CHANGE], log: [`${MAKE}; ${CHANGE}`] }[end];
  for (const [i, step] of steps.entries()) {
    const last = end !== "clean" && i === steps.length - 1;
    await mountedAs(mount, (root) => {
      sh(`cd '${root}'; ${step}; ${last ? "xfs_io -x -c 'shutdown -f' ." : ""}`);
    });
  }
  return readFileSync(path);
}

/** Looks at everything that can be reached, as any command could. */
async function lookAtAll(image: Buffer): Promise<{ looked: number; state: string }> {
  const fs = await openXfs(memorySource(image, ["image"]));
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
  }
  for await (const _ of fs.usedExtents()) looked += 1;
  return { looked, state: fs.state.text };
}

describe("mutations", () => {
  test.for(["clean", "dirty"] as const)("of metadata, sealed again, %s", async (end, _context) => {
    const image = await smallImage(end);
    const pieces = piecesOf(image);
    const input = Buffer.concat(pieces.map(({ at, used }) => image.subarray(at, at + used)));
    const sound = await lookAtAll(image);
    console.log(`${end}: ${pieces.length} pieces, ${sound.looked} looked at, ${sound.state}`);
    expect(sound.looked).toBeGreaterThan(300);
    const run = await survivesMutation(
      [input],
      async (damaged) => {
        const changed: [Piece, Buffer][] = [];
        let from = 0;
        for (const piece of pieces) {
          const now = Buffer.from(damaged.subarray(from, from + piece.used));
          from += piece.used;
          if (now.equals(image.subarray(piece.at, piece.at + now.length))) continue;
          changed.push([piece, Buffer.from(image.subarray(piece.at, piece.at + piece.length))]);
          image.set(now, piece.at);
          const bytes = image.subarray(piece.at, piece.at + piece.length);
          image.writeUInt32LE(checksumOf(bytes, piece.crcAt), piece.at + piece.crcAt);
        }
        try {
          await lookAtAll(image);
        } finally {
          for (const [piece, before] of changed) image.set(before, piece.at);
        }
      },
      { count: 1500, seed: 11 },
    );
    console.log(`${end}: ${JSON.stringify(run)}`);
    expect(run.failures).toBeGreaterThan(100);
    expect(run.values).toBeGreaterThan(20);
    expect(await lookAtAll(image)).toEqual(sound);
  });

  test("of the log, sealed again", async () => {
    const image = await smallImage("log");
    const sound = await lookAtAll(image);
    expect(sound.state).toMatch(/^log replayed/);
    const pieces = recordsOf(image).map((record) => ({
      ...record,
      // The beginning of the data has most of the small structures.
      used: Math.min(record.length, BASIC + 1500),
    }));
    const input = Buffer.concat(pieces.map(({ at, used }) => image.subarray(at, at + used)));
    const states = new Map<string, number>();
    const run = await survivesMutation(
      [input],
      async (damaged) => {
        const changed: [number, Buffer][] = [];
        let from = 0;
        for (const { at, used } of pieces) {
          const now = Buffer.from(damaged.subarray(from, from + used));
          from += used;
          if (now.equals(image.subarray(at, at + now.length))) continue;
          changed.push([at, Buffer.from(image.subarray(at, at + used))]);
          image.set(now, at);
          sealRecord(image, at);
        }
        try {
          const { state } = await lookAtAll(image);
          const kind = state.split(" (")[0]!;
          states.set(kind, (states.get(kind) ?? 0) + 1);
        } finally {
          for (const [at, before] of changed) image.set(before, at);
        }
      },
      { count: 1500, seed: 12 },
    );
    console.log(`log: ${pieces.length} records, ${JSON.stringify(run)}`, states);
    expect(states.get("log replayed in memory")).toBeGreaterThan(100);
    expect(await lookAtAll(image)).toEqual(sound);
  });
});
