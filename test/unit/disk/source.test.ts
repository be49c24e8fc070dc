import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { FailureError, ioFailure } from "../../../src/base/failure.ts";
import { cachedSource } from "../../../src/disk/cache.ts";
import { linearSource, memorySource, windowSource } from "../../../src/disk/source.ts";
import type { ByteSource } from "../../../src/disk/source.ts";

const disk = Uint8Array.from({ length: 3000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff);

/** Any offset and length, in range or not. */
const range = fc.tuple(fc.nat(3100), fc.nat(3100));

/** The source gives what the array has, and a failure where the array ends. */
async function sameAs(source: ByteSource, bytes: Uint8Array, offset: number, length: number) {
  expect(source.size).toBe(bytes.length);
  const read = source.read(offset, length);
  if (offset + length <= bytes.length)
    expect(Buffer.from(await read).equals(bytes.subarray(offset, offset + length))).toBe(true);
  else await expect(read).rejects.toThrow(FailureError);
}

test("a window is a subarray", async () => {
  await fc.assert(
    fc.asyncProperty(fc.nat(3000), fc.nat(3000), range, async (a, b, [offset, length]) => {
      const [from, to] = a < b ? [a, b] : [b, a];
      const window = windowSource(memorySource(disk), from, to - from, "window");
      await sameAs(window, disk.subarray(from, to), offset, length);
    }),
  );
});

test("a window must lie inside, and adds its step to the place", () => {
  expect(() => windowSource(memorySource(disk), 2990, 11)).toThrow(FailureError);
  expect(windowSource(memorySource(disk, ["xvda"]), 0, 1, "partition 1").where).toEqual([
    "xvda",
    "partition 1",
  ]);
});

test("a linear source is its pieces, with zeroes between", async () => {
  const piece = fc.record({
    gap: fc.nat(300),
    length: fc.integer({ min: 1, max: 300 }),
    from: fc.nat(2700),
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(piece, { maxLength: 6 }),
      fc.nat(99),
      range,
      async (pieces, tail, at) => {
        const segments = [];
        const parts: Uint8Array[] = [];
        let end = 0;
        for (const { gap, length, from } of pieces) {
          parts.push(new Uint8Array(gap), disk.subarray(from, from + length));
          segments.push({
            offset: end + gap,
            length,
            source: memorySource(disk),
            sourceOffset: from,
          });
          end += gap + length;
        }
        parts.push(new Uint8Array(tail));
        const expected = new Uint8Array(Buffer.concat(parts));
        await sameAs(linearSource(end + tail, segments, ["lv"]), expected, ...at);
      },
    ),
    { numRuns: 300 },
  );
});

function counting(source: ByteSource) {
  const reads: [number, number][] = [];
  const read: ByteSource["read"] = (offset, length, signal) => {
    reads.push([offset, length]);
    return source.read(offset, length, signal);
  };
  return { source: { ...source, read }, reads };
}

describe("a cache", () => {
  test("gives the same bytes, whatever was read before", async () => {
    const reads = fc.array(range, { minLength: 1, maxLength: 12 });
    const blockSize = fc.constantFrom(16, 64, 512, 4096);
    await fc.assert(
      fc.asyncProperty(reads, blockSize, fc.nat(4000), async (list, size, capacity) => {
        const cache = cachedSource(memorySource(disk), { blockSize: size, capacity });
        for (const [offset, length] of list) await sameAs(cache, disk, offset, length);
      }),
    );
  });

  test("reads a block once, also when asked twice at the same time", async () => {
    const { source, reads } = counting(memorySource(disk));
    const cache = cachedSource(source, { blockSize: 1024 });
    await Promise.all([cache.read(10, 20), cache.read(500, 100)]);
    await cache.read(1000, 100);
    expect(reads).toEqual([
      [0, 1024],
      [1024, 1024],
    ]);
  });

  test("keeps no more than its capacity, the least recently used go", async () => {
    const { source, reads } = counting(memorySource(disk));
    const cache = cachedSource(source, { blockSize: 256, capacity: 4 * 256 });
    for (const block of [0, 1, 2, 3, 0, 4, 0, 1]) await cache.read(block * 256, 1);
    expect(reads.map(([offset]) => offset / 256)).toEqual([0, 1, 2, 3, 4, 1]);
  });

  test("a large read passes by and stays out", async () => {
    const { source, reads } = counting(memorySource(disk));
    const cache = cachedSource(source, { blockSize: 256 });
    await cache.read(5, 2000);
    await cache.read(5, 1);
    expect(reads).toEqual([
      [5, 2000],
      [0, 256],
    ]);
  });

  test("does not remember a failure", async () => {
    let broken = true;
    const memory = memorySource(disk);
    const cache = cachedSource({
      ...memory,
      read: async (offset, length) => {
        if (broken) throw ioFailure(["disk"], "read", "EIO");
        return memory.read(offset, length);
      },
    });
    await expect(cache.read(0, 4)).rejects.toThrow("EIO");
    broken = false;
    expect(await cache.read(0, 4)).toEqual(disk.subarray(0, 4));
  });

  test("is not put over a cache", () => {
    const cache = cachedSource(memorySource(disk));
    expect(cachedSource(cache)).toBe(cache);
  });
});
