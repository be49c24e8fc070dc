import { describe, expect, test } from "vitest";
import {
  extentsOf,
  ExtentListBuilder,
  partsInside,
  partsOutside,
  sameExtents,
} from "../../../../src/guest/sync/unused-extents.ts";
import { randomSource } from "../../../support/mutate.ts";

const K = 4096;

function listOf(extents: readonly (readonly [number, number])[], maxExtents?: number) {
  const builder = new ExtentListBuilder({
    minBytes: 1,
    ...(maxExtents !== undefined && { maxExtents }),
  });
  for (const [offset, length] of extents) builder.add(offset, length);
  return builder.list();
}

describe("a list of extents", () => {
  test("joins neighbours, leaves out what is short or empty", () => {
    const builder = new ExtentListBuilder();
    for (const [offset, length] of [
      [0, K],
      [K, 2 * K],
      [5 * K, 0],
      [5 * K, K - 1],
      [10 * K, K],
    ] as const)
      builder.add(offset, length);
    const list = builder.list();
    expect([...extentsOf(list)]).toEqual([
      { offset: 0, length: 3 * K },
      { offset: 10 * K, length: K },
    ]);
    expect(list.bytes).toBe(4 * K);
  });

  test("with too many, keeps the long ones: what it has was added, never more", () => {
    const random = randomSource(3);
    const added: [number, number][] = [];
    for (let at = 0; added.length < 20_000; at += 1 + random(5000)) {
      const length = 1 + random(random(10) === 0 ? 100_000 : 5000);
      added.push([at, length]);
      at += length;
    }
    const all = listOf(added, 100_000);
    expect(all.count).toBe(added.length);
    const few = listOf(added, 500);
    expect(few.count).toBeLessThanOrEqual(500);
    expect(few.count).toBeGreaterThan(300);
    const known = new Map(added);
    for (const { offset, length } of extentsOf(few)) expect(known.get(offset)).toBe(length);
    const shortest = Math.min(...[...extentsOf(few)].map(({ length }) => length));
    expect(shortest).toBeGreaterThan(5000);
    // The longest 300 of all, or nearly so.
    const longest = added.map(([, length]) => length).toSorted((a, b) => b - a);
    expect(few.bytes).toBeGreaterThan(0.5 * longest.slice(0, 300).reduce((a, b) => a + b));
  });

  test("keeps as many as it can when all are of one length", () => {
    const one = Array.from({ length: 1000 }, (_, i) => [i * 2 ** 40, 2 ** 39] as const);
    for (const max of [1, 2, 10, 100]) {
      const { count } = listOf(one, max);
      expect(count).toBeLessThanOrEqual(max);
      expect(count).toBeGreaterThanOrEqual(Math.floor((3 * max) / 4));
    }
  });

  test("what of a range is inside and outside, against a bit for each byte", () => {
    const random = randomSource(5);
    for (let round = 0; round < 200; round++) {
      const bits = new Uint8Array(300);
      const builder = new ExtentListBuilder({ minBytes: 1 });
      for (let at = random(20); at < 300; at += 1 + random(30)) {
        const length = Math.min(1 + random(30), 300 - at);
        builder.add(at, length);
        bits.fill(1, at, at + length);
        at += length;
      }
      const list = builder.list();
      const offset = random(300);
      const length = random(300 - offset + 1);
      const seen = new Uint8Array(300);
      const inside = partsInside(list, offset, length);
      for (const part of inside) seen.fill(1, part.offset, part.offset + part.length);
      expect(seen.subarray(offset, offset + length)).toEqual(
        bits.subarray(offset, offset + length),
      );
      const outside = partsOutside(list, offset, length);
      for (const part of outside) {
        expect(part.length).toBeGreaterThan(0);
        expect(bits.subarray(part.offset, part.offset + part.length).includes(1)).toBe(false);
      }
      const sum = [...inside, ...outside].reduce((bytes, part) => bytes + part.length, 0);
      expect(sum).toBe(length);
    }
  });

  test("is the same, or not", () => {
    const list = listOf([[0, 5]]);
    expect(sameExtents(list, listOf([[0, 5]]))).toBe(true);
    for (const other of [
      [],
      [[0, 6]],
      [[1, 4]],
      [
        [0, 5],
        [9, 1],
      ],
    ] as [number, number][][])
      expect(sameExtents(list, listOf(other))).toBe(false);
  });
});
