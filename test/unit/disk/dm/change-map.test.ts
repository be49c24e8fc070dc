import { describe, expect, test } from "vitest";
import { ChangeMap } from "../../../../src/disk/dm/change-map.ts";
import { randomSource } from "../../../support/mutate.ts";

const where = ["cow"];

describe("a map of what changed", () => {
  test("gives whole chunks, ascending and joined, that end with the device", () => {
    const map = new ChangeMap({ deviceBytes: 10_100, chunkBytes: 1000, where });
    for (const chunk of [10, 3, 4, 3, 0]) map.add(chunk);
    expect(map.extents()).toEqual([
      { offset: 0, length: 1000 },
      { offset: 3000, length: 2000 },
      { offset: 10_000, length: 100 },
    ]);
  });

  test("of nothing is empty", () => {
    expect(new ChangeMap({ deviceBytes: 1 << 30, chunkBytes: 4096, where }).extents()).toEqual([]);
    expect(new ChangeMap({ deviceBytes: 0, chunkBytes: 4096, where }).extents()).toEqual([]);
  });

  test("refuses a chunk that is not there", () => {
    const map = new ChangeMap({ deviceBytes: 10_000, chunkBytes: 1000, where });
    expect(() => map.add(10)).toThrow("a change of chunk 10, expected a chunk below 10");
    expect(() => map.add(Number.NaN)).toThrow("chunk NaN");
    expect(() => map.add(2 ** 53)).toThrow("below 10");
  });

  test("takes all that lies behind a byte", () => {
    const map = new ChangeMap({ deviceBytes: 10_100, chunkBytes: 1000, where });
    map.addFrom(8500);
    expect(map.extents()).toEqual([{ offset: 8000, length: 2100 }]);
    map.addFrom(10_100);
    map.addFrom(20_000);
    expect(map.extents()).toEqual([{ offset: 8000, length: 2100 }]);
  });

  test("is as a set of chunks would be, or coarser when they are many", () => {
    const random = randomSource(5);
    for (let round = 0; round < 60; round++) {
      const chunkCount = 1 + random(300);
      const maxBits = 1 + random(300);
      const map = new ChangeMap({ deviceBytes: chunkCount * 512, chunkBytes: 512, where, maxBits });
      const added = new Set(Array.from({ length: random(40) }, () => random(chunkCount)));
      for (const chunk of added) map.add(chunk);
      const from = random(3) === 0 ? random(chunkCount * 512) : undefined;
      if (from !== undefined) map.addFrom(from);
      const told = map.extents();
      const isTold = (chunk: number) =>
        told.some(
          ({ offset, length }) => offset <= chunk * 512 && (chunk + 1) * 512 <= offset + length,
        );
      let grain = 1;
      while (chunkCount / grain > maxBits) grain *= 2;
      for (let chunk = 0; chunk < chunkCount; chunk++) {
        const first = Math.floor(chunk / grain) * grain;
        const group = Array.from({ length: grain }, (_, at) => first + at);
        const isAdded = group.some(
          (one) =>
            added.has(one) || (from !== undefined && one < chunkCount && (one + 1) * 512 > from),
        );
        expect(isTold(chunk), `round ${round}, chunk ${chunk}`).toBe(isAdded);
      }
      for (const [at, { offset }] of told.entries()) {
        const before = told[at - 1];
        if (before) expect(offset).toBeGreaterThan(before.offset + before.length);
      }
    }
  });
});
