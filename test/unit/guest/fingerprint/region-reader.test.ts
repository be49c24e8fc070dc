import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import { KIB, MIB } from "../../../../src/base/units.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import type { Extent } from "../../../../src/disk/source.ts";
import {
  clip,
  countedSource,
  digestRegion,
  ringWindow,
  samples,
  wholeOrSamples,
} from "../../../../src/guest/fingerprint/region-reader.ts";

const noise = Uint8Array.from({ length: 3 * MIB + 77 }, (_, i) => (i * 2654435761) >>> 13);
const sum = (ranges: readonly Extent[]) => ranges.reduce((all, { length }) => all + length, 0);

describe("a region", () => {
  test("has the digest of its bytes, whatever pieces they are read in", async () => {
    const ranges = [
      { offset: 5, length: 2 * MIB + 9 },
      { offset: 0, length: 3 },
      { offset: 2 * MIB, length: MIB },
    ];
    const expected = createHash("sha256");
    for (const { offset, length } of ranges)
      expected.update(noise.subarray(offset, offset + length));
    expect(await digestRegion({ name: "x", source: memorySource(noise), ranges })).toEqual({
      name: "x",
      bytes: 3 * MIB + 12,
      digest: expected.digest("hex").slice(0, 32),
    });
  });

  test("that ends beyond its source, cannot be read or costs too much has none", async () => {
    const source = memorySource(noise);
    const beyond = [{ offset: 3 * MIB, length: MIB }];
    expect(await digestRegion({ name: "x", source, ranges: beyond })).toEqual({
      name: "x",
      bytes: MIB,
    });
    const bad = {
      ...source,
      read: (offset: number, length: number) =>
        offset >= 2 * MIB
          ? Promise.reject(ioFailure(["x"], "read", "EIO"))
          : source.read(offset, length),
    };
    const ranges = [{ offset: 0, length: noise.length }];
    expect(await digestRegion({ name: "x", source: bad, ranges })).not.toHaveProperty("digest");
    const counted = countedSource(source, 2 * MIB + 5);
    expect(await digestRegion({ name: "x", source: counted, ranges })).not.toHaveProperty("digest");
    expect(counted.readBytes).toBe(2 * MIB);
  });

  test("ends at once with its signal", async () => {
    const source = {
      ...memorySource(noise),
      async read(_: number, __: number, signal?: AbortSignal): Promise<Uint8Array> {
        signal?.throwIfAborted();
        return noise;
      },
    };
    const ranges = [{ offset: 0, length: 10 }];
    await expect(digestRegion({ name: "x", source, ranges }, AbortSignal.abort())).rejects.toThrow(
      "abort",
    );
  });
});

test("samples are spread, do not overlap, and fit", () => {
  for (const size of [0, 1, 65_536, 100_000, 10 * MIB, 8 * 1024 * MIB, Number.MAX_SAFE_INTEGER]) {
    for (const limit of [0, 64 * KIB, MIB, 100 * MIB]) {
      const found = samples(size, limit);
      expect(sum(found)).toBeLessThanOrEqual(Math.min(size, limit));
      let end = 0;
      for (const { offset, length } of found) {
        expect(offset).toBeGreaterThanOrEqual(end);
        end = offset + length;
      }
      expect(end).toBeLessThanOrEqual(size);
    }
  }
  expect(samples(8 * 1024 * MIB, 4 * MIB)).toHaveLength(64);
  expect(wholeOrSamples(5, 5)).toEqual([{ offset: 0, length: 5 }]);
  expect(wholeOrSamples(0, 5)).toEqual([]);
});

test("what of a range is there", () => {
  expect(clip(5, 10, 20)).toEqual([{ offset: 5, length: 10 }]);
  expect(clip(15, 10, 20)).toEqual([{ offset: 15, length: 5 }]);
  expect(clip(-5, 10, 20)).toEqual([{ offset: 0, length: 5 }]);
  for (const [offset, length] of [
    [20, 1],
    [25, 5],
    [5, 0],
    [5, -3],
    [-9, 4],
  ] as const)
    expect(clip(offset, length, 20)).toEqual([]);
});

test("a window in a ring has both sides of the place, over the end as well", () => {
  const ring = { first: 10, last: 110 };
  expect(ringWindow(ring, 50, 20)).toEqual([{ offset: 30, length: 40 }]);
  expect(ringWindow(ring, 15, 20)).toEqual([
    { offset: 95, length: 15 },
    { offset: 10, length: 25 },
  ]);
  expect(ringWindow(ring, 105, 20)).toEqual([
    { offset: 85, length: 25 },
    { offset: 10, length: 15 },
  ]);
  expect(ringWindow(ring, 110, 20)).toEqual([
    { offset: 90, length: 20 },
    { offset: 10, length: 20 },
  ]);
  expect(ringWindow(ring, 50, 50)).toEqual([{ offset: 10, length: 100 }]);
  expect(ringWindow({ first: 10, last: 10 }, 10, 5)).toEqual([]);
});
