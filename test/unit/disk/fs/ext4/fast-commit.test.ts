/** What fast commits change, against a plain model of it. Their replay is tested with the kernel's in test/real. */
import { describe, expect, test } from "vitest";
import {
  emptyOverlay,
  layRanges,
  withNames,
  withRanges,
} from "../../../../../src/disk/fs/ext4/fast-commit-overlay.ts";
import type { ReplayedRange } from "../../../../../src/disk/fs/ext4/fast-commit-overlay.ts";
import type { DirectoryEntry } from "../../../../../src/disk/fs/ext4/directory.ts";
import type { Run } from "../../../../../src/disk/fs/ext4/extent.ts";
import { latin1 } from "../../../../../src/bytes/text.ts";
import { randomSource } from "../../../../support/mutate.ts";

async function* from<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items;
}

const BLOCKS = 60;

describe("ranges", () => {
  test("in the place of stored runs, block for block", async () => {
    const random = randomSource(3);
    for (let round = 0; round < 300; round++) {
      const blocks: (number | undefined)[] = Array.from({ length: BLOCKS }, () => undefined);
      const stored: Run[] = [];
      for (let at = random(6); at < BLOCKS; at += random(5)) {
        const length = Math.min(1 + random(8), BLOCKS - at);
        const physical = 1000 + 100 * stored.length;
        stored.push({ logical: at, physical, length });
        for (let i = 0; i < length; i++) blocks[at + i] = physical + i;
        at += length;
      }
      const ranges: ReplayedRange[] = [];
      for (let i = 0; i < random(12); i++) {
        const logical = random(BLOCKS);
        const end = Math.min(BLOCKS, logical + 1 + random(15));
        const physical = random(3) === 0 ? undefined : 50_000 + 100 * i;
        ranges.push({ logical, end, physical });
        for (let at = logical; at < end; at++) {
          blocks[at] = physical === undefined ? undefined : physical + at - logical;
        }
      }
      const [low, high] = [random(BLOCKS), random(BLOCKS)].toSorted((a, b) => a - b) as [
        number,
        number,
      ];
      const clipped = stored.flatMap((run): Run[] => {
        const start = Math.max(run.logical, low);
        const length = Math.min(run.logical + run.length, high) - start;
        const physical = run.physical + start - run.logical;
        return length > 0 ? [{ logical: start, physical, length }] : [];
      });
      const found: (number | undefined)[] = Array.from({ length: BLOCKS }, () => undefined);
      let last = low;
      for await (const run of withRanges(from(clipped), layRanges(ranges), {
        from: low,
        to: high,
      })) {
        expect(run.logical).toBeGreaterThanOrEqual(last);
        expect(run.length).toBeGreaterThan(0);
        last = run.logical + run.length;
        for (let i = 0; i < run.length; i++) found[run.logical + i] = run.physical + i;
      }
      expect(last).toBeLessThanOrEqual(Math.max(low, high));
      expect(found.slice(low, high)).toEqual(blocks.slice(low, high));
    }
  });

  test("cut by others keep their places; touching ones stay apart", () => {
    const ranges = [
      { logical: 0, end: 10, physical: 100 },
      { logical: 3, end: 5, physical: undefined },
      { logical: 10, end: 12, physical: 110 },
    ];
    expect(layRanges(ranges)).toEqual([
      { logical: 0, end: 3, physical: 100 },
      { logical: 3, end: 5, physical: undefined },
      { logical: 5, end: 10, physical: 105 },
      { logical: 10, end: 12, physical: 110 },
    ]);
  });

  test("as many as there can be, in the worst order, cost no more than sorting", () => {
    const count = 65_536;
    const down = Array.from({ length: count }, (_, i) => {
      const logical = 4 * (count - i);
      return { logical, end: logical + 2, physical: 5 };
    });
    const nested = down.map((range, i) => ({ ...range, logical: i, end: 2 ** 32 - i }));
    const start = process.cpuUsage();
    expect(layRanges(down)).toHaveLength(count);
    expect(layRanges(nested)).toHaveLength(2 * count - 1);
    expect(layRanges(nested.toReversed())).toHaveLength(1);
    expect(process.cpuUsage(start).user).toBeLessThan(3_000_000);
  });
});

describe("names", () => {
  const entry = (name: string, inode: number): DirectoryEntry => ({
    inode,
    name: Buffer.from(name),
    kind: "file",
  });

  test("linked, unlinked, and left alone where another inode has them", async () => {
    const { names } = emptyOverlay();
    const changes = new Map([
      ["stays", [{ unlink: 99 }]],
      ["goes", [{ unlink: 12 }]],
      ["is-there", [{ link: entry("is-there", 20) }]],
      ["new", [{ link: entry("new", 21) }]],
      ["came-and-went", [{ link: entry("came-and-went", 22) }, { unlink: 22 }]],
      ["replaced", [{ unlink: 14 }, { link: entry("replaced", 23) }]],
    ]);
    names.set(2, changes);
    const stored = [
      [entry("stays", 11), entry("goes", 12), entry("untouched", 10)],
      [entry("is-there", 13), entry("replaced", 14)],
    ];
    const found = (await Array.fromAsync(withNames(from(stored), changes))).flat();
    expect(found.map(({ name, inode }) => [latin1(name), inode])).toEqual([
      ["stays", 11],
      ["untouched", 10],
      ["is-there", 13],
      ["replaced", 23],
      ["new", 21],
    ]);
  });
});
