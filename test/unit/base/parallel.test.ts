import { expect, test } from "vitest";
import { mapParallel } from "../../../src/base/parallel.ts";

const pause = () => new Promise<void>((resolve) => setImmediate(resolve));

test("results in the order of the items, never more at a time than the width", async () => {
  let running = 0;
  let most = 0;
  const results = await mapParallel([5, 1, 3, 0, 2], 2, async (turns, index) => {
    running += 1;
    most = Math.max(most, running);
    for (let i = 0; i < turns; i++) await pause();
    running -= 1;
    return `${index}:${turns}`;
  });
  expect(results).toEqual(["0:5", "1:1", "2:3", "3:0", "4:2"]);
  expect(most).toBe(2);
});

test("after a failure nothing is begun, and what is under way is waited for", async () => {
  const begun: number[] = [];
  const ended: number[] = [];
  const work = mapParallel([0, 1, 2, 3], 2, async (item) => {
    begun.push(item);
    if (item === 1) throw new Error("one");
    await pause();
    await pause();
    ended.push(item);
  });
  await expect(work).rejects.toThrow("one");
  expect(begun).toEqual([0, 1]);
  expect(ended).toEqual([0]);
});

test("nothing to do", async () => {
  expect(await mapParallel([], 2, () => Promise.reject(new Error("never")))).toEqual([]);
});
