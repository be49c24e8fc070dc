import { randomBytes } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attemptSync, FailureError } from "../../../src/base/failure.ts";
import { Digester, newKey } from "../../../src/sync/digests.ts";
import { BLOCK_BYTES } from "../../../src/sync/geometry.ts";
import { Packer, Unpacker } from "../../../src/sync/packing.ts";
import {
  allRuns,
  changedRuns,
  gatherBlocks,
  nonZeroRuns,
  piecesOf,
} from "../../../src/sync/patch.ts";
import type { BlockRun } from "../../../src/sync/frames.ts";

// Not by toEqual, which takes a hundred times as long.
const same = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

const digester = new Digester(newKey());

/** A block for each number, 0 being zeroes; the last one is shorter. */
function segmentOf(blocks: readonly number[], lastBytes: number): Uint8Array {
  const parts = blocks.map((value) => new Uint8Array(BLOCK_BYTES).fill(value));
  if (parts.length > 0) parts.push(parts.pop()!.subarray(0, lastBytes));
  return Buffer.concat(parts);
}

function apply(to: Uint8Array, runs: readonly BlockRun[], blocks: Uint8Array): Uint8Array {
  const out = Uint8Array.from(to);
  for (const piece of piecesOf(runs, blocks, { segmentBytes: to.length, where: ["peer"] })) {
    if (piece.bytes) expect(piece.bytes.length).toBe(piece.length);
    out.set(piece.bytes ?? new Uint8Array(piece.length), piece.offset);
  }
  return out;
}

const twoSegments = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 0, max: 3 })), {
    maxLength: 24,
  })
  .chain((pairs) => fc.tuple(fc.constant(pairs), fc.integer({ min: 1, max: BLOCK_BYTES })));

describe("a patch", () => {
  test("makes one segment of the other, and holds each changed block once", () => {
    fc.assert(
      fc.property(twoSegments, ([pairs, lastBytes]) => {
        const old = segmentOf(
          pairs.map(([a]) => a),
          lastBytes,
        );
        const wanted = segmentOf(
          pairs.map(([, b]) => b),
          lastBytes,
        );
        const ours = digester.blockDigests(wanted);
        const runs = changedRuns(wanted, ours, digester.blockDigests(old));
        const changed = pairs.filter(([a, b]) => a !== b).length;
        expect(runs.reduce((sum, run) => sum + run.count, 0)).toBe(changed);
        expect(
          same(
            apply(
              old,
              runs,
              gatherBlocks(wanted, runs, () => new Uint8Array(wanted.length)),
            ),
            wanted,
          ),
        ).toBe(true);
        const all = allRuns(wanted);
        expect(
          same(
            apply(
              old,
              all,
              gatherBlocks(wanted, all, () => new Uint8Array(wanted.length)),
            ),
            wanted,
          ),
        ).toBe(true);
        const some = nonZeroRuns(wanted);
        const blank = new Uint8Array(wanted.length);
        expect(
          same(
            apply(
              blank,
              some,
              gatherBlocks(wanted, some, () => new Uint8Array(wanted.length)),
            ),
            wanted,
          ),
        ).toBe(true);
        expect(some.some((run) => run.zero)).toBe(false);
      }),
      { numRuns: 200, seed: 1 },
    );
  });

  test("with runs that overlap, descend, are empty or leave the segment is refused", () => {
    const run = (first: number, count: number) => ({ first, count, zero: true });
    for (const runs of [
      [run(0, 2), run(1, 1)],
      [run(3, 1), run(2, 1)],
      [run(1, 1), run(1, 1)],
      [run(0, 0)],
      [run(3, 2)],
      [run(4, 1)],
    ]) {
      const parse = () =>
        piecesOf(runs, new Uint8Array(0), { segmentBytes: 3 * BLOCK_BYTES + 1, where: ["peer"] });
      expect(parse, JSON.stringify(runs)).toThrow(FailureError);
    }
  });

  test("of any runs and bytes stays in the segment or is refused", () => {
    const run = fc.record({
      first: fc.integer({ min: 0, max: 12 }),
      count: fc.integer({ min: 0, max: 12 }),
      zero: fc.boolean(),
    });
    fc.assert(
      fc.property(
        fc.array(run, { maxLength: 6 }),
        fc.integer({ min: 0, max: 9 }),
        (runs, blocks) => {
          const segmentBytes = 8 * BLOCK_BYTES + 77;
          const result = attemptSync(() =>
            piecesOf(runs, new Uint8Array(blocks * BLOCK_BYTES), { segmentBytes, where: ["peer"] }),
          );
          if (!result.ok) return;
          let end = 0;
          for (const piece of result.value) {
            expect(piece.offset).toBeGreaterThanOrEqual(end);
            expect(piece.length).toBeGreaterThan(0);
            if (piece.bytes) expect(piece.bytes.length).toBe(piece.length);
            end = piece.offset + piece.length;
          }
          expect(end).toBeLessThanOrEqual(segmentBytes);
        },
      ),
      { numRuns: 500, seed: 2 },
    );
  });
});

describe("packed blocks", () => {
  const raw = Buffer.from("a line of a log\n".repeat(5000));
  const pack = (bytes: Uint8Array) => new Packer().pack(bytes, new Uint8Array(bytes.length));
  const unpack = (bytes: Uint8Array, length: number) =>
    new Unpacker().unpack(bytes, new Uint8Array(length), ["peer"]);

  test("come out as they went in, again and again", async () => {
    const [packer, unpacker] = [new Packer(), new Unpacker()];
    const [into, out] = [new Uint8Array(1 << 20), new Uint8Array(1 << 20)];
    for (let round = 0; round < 12; round++) {
      const bytes = Buffer.alloc((1 << 20) - round * 77_777);
      // A third of it noise: what comes out fills some of zlib's arrays, and ends inside another.
      for (let i = 0; i < bytes.length / 3; i += 4)
        bytes.writeUInt32LE(Math.imul(i, i + round) >>> 0, i);
      const packed = (await packer.pack(bytes, into))!;
      expect(packed.length).toBeLessThan(bytes.length / 2);
      const got = await unpacker.unpack(packed, out.subarray(0, bytes.length), ["peer"]);
      expect(Buffer.compare(got, bytes)).toBe(0);
    }
  });

  test("that do not shrink are of no use, and the next ones are packed", async () => {
    const packer = new Packer();
    const noise = randomBytes(1 << 20);
    expect(await packer.pack(noise, new Uint8Array(noise.length))).toBe(undefined);
    const packed = (await packer.pack(raw, new Uint8Array(raw.length)))!;
    expect(Buffer.compare(await unpack(packed, raw.length), raw)).toBe(0);
  });

  test("that are longer or shorter than they say, or damaged, are refused", async () => {
    const packed = (await pack(raw))!;
    const bomb = zstdCompressSync(new Uint8Array(64 << 20));
    // RFC 8878: magic, no size, a window of 2^exponent KiB, and one raw block of five bytes, the last one.
    const framed = (exponent: number) =>
      Buffer.concat([
        Uint8Array.of(0x28, 0xb5, 0x2f, 0xfd, 0, exponent << 3, 41, 0, 0),
        Buffer.from("hello"),
      ]);
    expect(Buffer.from(await unpack(framed(10), 5)).toString()).toBe("hello");
    for (const [bytes, length] of [
      [packed, raw.length - 1],
      [packed, raw.length + 1],
      [packed, 0],
      [packed.subarray(0, 30), raw.length],
      [new Uint8Array(0), 0],
      [raw, raw.length],
      [bomb, raw.length],
      // It would take 128 MiB to unpack.
      [framed(17), 5],
    ] as const)
      await expect(unpack(bytes, length)).rejects.toThrow(FailureError);
  });
});
