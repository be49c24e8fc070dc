import { describe, expect, test } from "vitest";
import { RegionStore } from "../../../../../src/disk/fs/xfs/log/region-store.ts";
import { ReplayMemory } from "../../../../../src/disk/fs/xfs/log/replay-memory.ts";
import { randomSource } from "../../../../support/mutate.ts";

const where = ["log"];

describe("regions of items", () => {
  test("come back as they were put in, however they were cut", () => {
    const random = randomSource(7);
    const store = new RegionStore(new ReplayMemory());
    const expected: { type: number; regions: number[][] }[] = [];
    for (let i = 0; i < 300; i++) {
      store.beginItem(i, where);
      const regions: number[][] = [];
      for (let r = random(4); r >= 0; r--) {
        const pieces = [...Array(1 + random(3)).keys()].map(() =>
          Uint8Array.from({ length: random(700) }, () => random(256)),
        );
        // One that is there without bytes, as a reader of formats leaves it, and goes on later.
        store.addRegion(pieces[0]!, where);
        for (const piece of pieces.slice(1)) store.continueRegion(piece, where);
        regions.push(pieces.flatMap((piece) => [...piece]));
        expect(store.regionsOfLast).toBe(regions.length);
      }
      expected.push({ type: i, regions });
    }
    for (const _ of [1, 2]) {
      const items = [...store.items()].map(({ type, regions }) => ({
        type,
        regions: regions.map((bytes) => [...bytes]),
      }));
      expect(items).toEqual(expected);
    }
  });

  test("what was put in may be used for something else", () => {
    const store = new RegionStore(new ReplayMemory());
    const bytes = Uint8Array.of(1, 2, 3);
    store.beginItem(1, where);
    store.addRegion(bytes, where);
    bytes.fill(9);
    expect([...store.items()][0]!.regions).toEqual([Uint8Array.of(1, 2, 3)]);
  });

  test("share a limit, and give back what they took", () => {
    const memory = new ReplayMemory();
    const fill = (length: number) => {
      const store = new RegionStore(memory);
      store.beginItem(1, where);
      const bytes = new Uint8Array(length);
      const end = 90 * 1048576;
      for (let done = 0; done < end; done += length) store.addRegion(bytes, where);
      return store;
    };
    for (let i = 0; i < 3; i++) fill(64 * 1024).release();
    const first = fill(64 * 1024);
    expect(() => fill(64 * 1024)).toThrow("log: what the log changes");
    first.release();
    // Very many small ones cost more than their bytes.
    expect(() => fill(16)).toThrow("96 MiB");
  });
});
