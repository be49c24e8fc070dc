import { expect, test } from "vitest";
import { changedSegments } from "../../../src/sync/changed-segments.ts";
import { randomSource } from "../../support/mutate.ts";

const MIB = 1048576;

test("segments that have a changed byte, each once", () => {
  expect(changedSegments([])).toEqual([]);
  expect(changedSegments([{ offset: 5 * MIB, length: 0 }])).toEqual([]);
  const extents = [
    { offset: 0, length: 1 },
    { offset: 4096, length: 4096 },
    { offset: 2 * MIB - 1, length: 2 },
    { offset: 10 * MIB, length: MIB },
    { offset: 11 * MIB, length: 512 },
    { offset: 13 * MIB, length: 3 * MIB },
  ];
  expect(changedSegments(extents)).toEqual([
    { first: 0, count: 3 },
    { first: 10, count: 2 },
    { first: 13, count: 3 },
  ]);
});

test("of very many runs the nearest are joined, and none is lost", () => {
  const random = randomSource(2);
  const extents = Array.from({ length: 400 }, (_, at) => ({
    offset: (at * 20 + random(18)) * MIB,
    length: 4096,
  }));
  const runs = changedSegments(extents, 100);
  expect(runs.length).toBeLessThanOrEqual(100);
  expect(runs.length).toBeGreaterThan(10);
  for (const { offset } of extents) {
    const segment = offset / MIB;
    expect(runs.some((run) => run.first <= segment && segment < run.first + run.count)).toBe(true);
  }
  for (const [at, run] of runs.entries()) {
    const before = runs[at - 1];
    if (before) expect(run.first).toBeGreaterThan(before.first + before.count);
  }
});
