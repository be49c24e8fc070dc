import { describe, expect, test } from "vitest";
import { KIB, MIB } from "../../../../src/base/units.ts";
import { allHole, HoleList } from "../../../../src/host/local/hole-map.ts";
import { randomSource, survivesMutation } from "../../../support/mutate.ts";

function extents(pairs: readonly (readonly [number, number])[]): Buffer {
  const bytes = Buffer.alloc(16 * pairs.length);
  for (const [i, [from, to]] of pairs.entries()) {
    bytes.writeBigUInt64LE(BigInt(from), 16 * i);
    bytes.writeBigUInt64LE(BigInt(to), 16 * i + 8);
  }
  return bytes;
}

describe("a hole map", () => {
  test("has what lies between data, before it and behind it, cut up however", () => {
    const random = randomSource(3);
    const sizeBytes = 4 * MIB;
    const isData = new Uint8Array(sizeBytes / KIB);
    const pairs: [number, number][] = [];
    for (let at = random(200); at < isData.length; at += 1 + random(300)) {
      const end = Math.min(isData.length, at + 1 + random(100));
      isData.fill(1, at, end);
      pairs.push([at * KIB, end * KIB]);
      at = end;
    }
    const bytes = extents([...pairs, [sizeBytes, sizeBytes]]);
    for (const step of [1, 7, 16, 1000]) {
      const list = new HoleList(sizeBytes);
      for (let at = 0; at < bytes.length; at += step) list.add(bytes.subarray(at, at + step));
      const map = list.end();
      for (let i = 0; i < 1000; i++) {
        const from = random(isData.length);
        const to = Math.min(isData.length, from + 64 + random(200));
        const isHole = !isData.subarray(from, to).includes(1);
        const isCovered = map.covers(from * KIB, (to - from) * KIB);
        // A short end of a long hole is one as well.
        if (to - from >= 64 || isCovered) expect(isCovered).toBe(isHole);
      }
    }
  });

  test("of a new file is one hole, and nothing beside it", () => {
    const map = allHole(1000);
    expect([map.covers(0, 1000), map.covers(999, 1), map.covers(0, 1001)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(new HoleList(0).end()).toMatchObject({ count: 0, holeBytes: 0 });
  });

  test("ends when it is full: what comes behind is data", () => {
    const step = 128 * KIB;
    const list = new HoleList(2 ** 40);
    const chunk = (first: number) =>
      extents(
        Array.from({ length: 1000 }, (_, i) => [(first + i) * step, (first + i) * step + KIB]),
      );
    let first = 1;
    for (; list.add(chunk(first)); first += 1000) expect(first).toBeLessThan(1_100_000);
    const map = list.end();
    expect(map.count).toBe(1_000_000);
    expect(map.covers(999_999 * step + KIB, 64 * KIB)).toBe(true);
    expect(map.covers(1_000_002 * step + KIB, 64 * KIB)).toBe(false);
  });

  test("survives answers of any kind", async () => {
    const pairs = Array.from({ length: 20 }, (_, i) => [i * MIB, i * MIB + 4096] as const);
    await survivesMutation([extents(pairs)], (bytes) => {
      const list = new HoleList(20 * MIB);
      list.add(Buffer.from(bytes));
      const map = list.end();
      expect(map.holeBytes).toBeLessThanOrEqual(20 * MIB);
      map.covers(5 * MIB, MIB);
    });
  });
});
