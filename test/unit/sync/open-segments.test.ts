import { describe, expect, test } from "vitest";
import { FailureError } from "../../../src/base/failure.ts";
import { SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { OpenSegments } from "../../../src/sync/open-segments.ts";
import { SegmentQueue } from "../../../src/sync/segment-runs.ts";

const TAG = new Uint8Array(16);

/** Segments 0 to 3 are tagged. */
function four(): OpenSegments {
  const open = new OpenSegments(4 * SEGMENT_BYTES - 10, ["peer"]);
  for (let segment = 0; segment < 4; segment++) open.add(segment, TAG);
  return open;
}

describe("open segments", () => {
  test("leave in order, when they are settled and nothing of them is under way", () => {
    const open = four();
    const first = open.write(0, "patch");
    const second = open.ask(1);
    open.settle(3);
    expect(open.takeVerified()).toEqual([]);
    open.written(first, TAG);
    expect(open.takeVerified().map(({ segment }) => segment)).toEqual([0]);
    open.answered(second);
    expect(open.takeVerified().map(({ segment }) => segment)).toEqual([1, 2]);
    expect(open.verifiedUpTo).toBe(3);
    expect(open.size).toBe(1);
  });

  test("that are settled are neither asked for nor written, also when an earlier one holds them", () => {
    const open = four();
    open.write(0, "patch");
    open.settle(2);
    expect(open.takeVerified()).toEqual([]);
    expect(() => open.ask(1)).toThrow(FailureError);
    expect(() => open.write(1, "patch")).toThrow("settled");
    expect(open.write(2, "patch").offset).toBe(2 * SEGMENT_BYTES);
  });

  test("that were read back wrong hold the others, and may be written again", () => {
    const open = four();
    const one = open.write(1, "patch");
    open.settle(4);
    open.bad(one);
    expect(open.takeVerified().map(({ segment }) => segment)).toEqual([0]);
    expect(open.write(1, "patch")).toBe(one);
    expect(() => open.write(1, "patch")).toThrow("writing");
    open.written(one, TAG);
    expect(open.takeVerified()).toHaveLength(3);
  });

  test("end where the device does", () => {
    const open = four();
    expect(open.write(3, "patch").length).toBe(SEGMENT_BYTES - 10);
    expect(() => open.add(4, TAG)).toThrow(FailureError);
  });
});

describe("segments to look at", () => {
  test("are taken in order, in parts", () => {
    const queue = new SegmentQueue(10, ["peer"]);
    queue.add({ first: 1, count: 4 });
    queue.add({ first: 5, count: 1 });
    queue.take(3);
    expect(queue.head).toEqual({ first: 4, count: 1 });
    queue.take(1);
    expect(queue.head).toEqual({ first: 5, count: 1 });
    queue.take(1);
    expect(queue.length).toBe(0);
    expect(queue.total).toBe(5);
  });

  test("ascend and stay on the device, also in numbers that are not exact", () => {
    const queue = new SegmentQueue(10, ["peer"]);
    queue.add({ first: 3, count: 2 });
    for (const run of [
      { first: 4, count: 1 },
      { first: 0, count: 1 },
      { first: 5, count: 0 },
      { first: 5, count: 6 },
      { first: 5, count: Number.MAX_SAFE_INTEGER },
      { first: Number.MAX_SAFE_INTEGER, count: Number.MAX_SAFE_INTEGER },
    ])
      expect(() => queue.add(run)).toThrow(FailureError);
  });
});
