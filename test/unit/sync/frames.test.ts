import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { attemptSync, FailureError } from "../../../src/base/failure.ts";
import {
  CHECKED_BYTES,
  encodeFrame,
  FrameDecoder,
  MAGIC,
  MAX_BANNER_BYTES,
} from "../../../src/sync/frame-stream.ts";
import { MAX_PAYLOAD_BYTES } from "../../../src/sync/frames.ts";
import type { Frame } from "../../../src/sync/frames.ts";
import { mutate, randomSource } from "../../support/mutate.ts";

const fill = (length: number, value: number) => new Uint8Array(length).fill(value);

/** One of each type, with the extremes of its fields. */
const FRAMES: readonly Frame[] = [
  {
    type: "hello",
    versionMin: 1,
    versionMax: 65_535,
    role: "destination",
    segmentBits: 20,
    blockBits: 12,
    features: 0xffff_ffff,
    program: "domus 0.1.0",
  },
  { type: "offer", sizeBytes: Number.MAX_SAFE_INTEGER, identity: fill(32, 1) },
  { type: "accept", sizeBytes: 0, key: fill(48, 2) },
  { type: "look", first: 0, count: 2 ** 40 },
  { type: "tags", first: 7, tags: fill(16 * 1024, 3) },
  { type: "ask", segment: 2 ** 33 },
  { type: "blocks", segment: 1, digests: fill(16 * 256, 4) },
  {
    type: "patch",
    segment: 9,
    tag: fill(16, 5),
    packing: "none",
    rawBytes: 8192,
    runs: [
      { first: 0, count: 256, zero: true },
      { first: 256, count: 2, zero: false },
    ],
    blocks: fill(8192, 6),
  },
  {
    type: "patch",
    segment: 9,
    tag: fill(16, 5),
    packing: "zstd",
    rawBytes: 1 << 20,
    runs: [],
    blocks: fill(3, 7),
  },
  { type: "zero", first: 3, count: 1 },
  { type: "settled", segment: 64 },
  { type: "verified", segment: 64 },
  { type: "bad", segment: 63 },
  { type: "end", digest: fill(32, 8), looked: 64 },
  { type: "done", digest: fill(32, 8), writtenBytes: 1, zeroedBytes: 2 ** 50 },
  { type: "error", code: 1, text: "No space left on /dev/vg/copy ✗" },
  { type: "alive" },
];

function streamOf(frames: readonly Frame[]): Uint8Array {
  return Buffer.concat([MAGIC, ...frames.flatMap(encodeFrame)]);
}

function decode(stream: Uint8Array, chunks: readonly number[] = []): Frame[] {
  const decoder = new FrameDecoder(["peer"]);
  const frames: Frame[] = [];
  let at = 0;
  for (const length of chunks) {
    frames.push(...decoder.push(stream.subarray(at, at + length)));
    at += length;
  }
  frames.push(...decoder.push(stream.subarray(at)));
  return frames;
}

/** Buffers and plain arrays are alike to the reader. */
function plain(frames: readonly Frame[]): unknown {
  return frames.map((frame) =>
    Object.fromEntries(
      Object.entries(frame).map(([key, value]) => [
        key,
        value instanceof Uint8Array ? Buffer.from(value).toString("hex") : value,
      ]),
    ),
  );
}

function checkedPart(value: unknown): unknown {
  return typeof value === "string" ? value.slice(0, 2 * (CHECKED_BYTES - 40)) : value;
}

describe("frames", () => {
  test("come out as they went in", () => {
    expect(plain(decode(streamOf(FRAMES)))).toEqual(plain(FRAMES));
  });

  test("come out the same from chunks of any size", () => {
    const small = FRAMES.filter((frame) => frame.type !== "tags");
    const stream = streamOf(small);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 700 }), { maxLength: 60 }), (chunks) => {
        expect(plain(decode(stream, chunks))).toEqual(plain(small));
      }),
      { numRuns: 50, seed: 5 },
    );
    expect(
      plain(
        decode(
          stream,
          Array.from(stream, () => 1),
        ),
      ),
    ).toEqual(plain(small));
  });

  test("a banner before them is skipped, whatever it looks like", () => {
    for (const banner of [
      "",
      "Welcome\r\n",
      "\0DOMUS-SYN",
      "\0DOMUS-SYNC\r\n\n",
      "x".repeat(65_000),
    ]) {
      const before = new TextEncoder().encode(banner);
      const stream = Buffer.concat([before, streamOf([{ type: "alive" }])]);
      expect(decode(stream)).toEqual([{ type: "alive" }]);
      expect(decode(stream, [before.length + 3, 5])).toEqual([{ type: "alive" }]);
    }
  });
});

describe("what is refused", () => {
  const refused = (stream: Uint8Array) => {
    const result = attemptSync(() => decode(stream));
    if (result.ok) throw new Error(`was taken: ${JSON.stringify(result.value)}`);
    return result.failure;
  };
  const frame = (bytes: readonly number[]) => Buffer.concat([MAGIC, Uint8Array.from(bytes)]);

  test("a length over the bound, before the payload comes", () => {
    const head = Buffer.alloc(9);
    head.writeUInt32LE(MAX_PAYLOAD_BYTES + 1);
    head[8] = 16;
    expect(refused(Buffer.concat([MAGIC, head]))).toMatchObject({ kind: "limit" });
  });

  test("an unknown type, before the payload comes", () => {
    for (const type of [0, 17, 255])
      expect(refused(frame([1, 0, 0, 0, 0, 0, 0, 0, type]))).toMatchObject({ kind: "corrupt" });
  });

  test("every flipped bit of a frame", () => {
    const whole = streamOf([{ type: "ask", segment: 5 }]);
    for (let bit = (MAGIC.length + 4) * 8; bit < whole.length * 8; bit++) {
      const damaged = Uint8Array.from(whole);
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      expect(refused(damaged).kind).toBe("corrupt");
    }
  });

  test("no magic in the first 64 KiB", () => {
    const decoder = new FrameDecoder(["peer"]);
    const feed = (length: number) => [...decoder.push(fill(length, 0x61))];
    expect(feed(MAX_BANNER_BYTES)).toEqual([]);
    expect(() => feed(MAX_BANNER_BYTES)).toThrow(FailureError);
  });

  const short = { type: "patch", segment: 0, tag: fill(16, 0), packing: "none" } as const;
  for (const [name, wrong] of Object.entries<Frame>({
    "a run of no segments": { type: "look", first: 0, count: 0 },
    "no tags": { type: "tags", first: 0, tags: fill(0, 0) },
    "a part of a tag": { type: "tags", first: 0, tags: fill(17, 0) },
    "too many tags": { type: "tags", first: 0, tags: fill(16 * 1025, 0) },
    "a short digest": { type: "end", digest: fill(31, 0), looked: 1 },
    "a long key": { type: "accept", sizeBytes: 1, key: fill(49, 0) },
    "other blocks than it says": { ...short, rawBytes: 5, runs: [], blocks: fill(4, 0) },
    "blocks over a segment": {
      ...short,
      packing: "zstd",
      rawBytes: (1 << 20) + 1,
      runs: [],
      blocks: fill(4, 0),
    },
  }))
    test(name, () => {
      expect(["corrupt", "limit"]).toContain(refused(streamOf([wrong])).kind);
    });

  test("damage of any kind is frames or a failure, and nothing of a damaged frame", () => {
    const stream = streamOf(FRAMES);
    const random = randomSource(3);
    // Digests and blocks behind the first KiB have other checks.
    const text = (one: unknown) => JSON.stringify(one, (_, value) => checkedPart(value));
    const known = new Set((plain(FRAMES) as unknown[]).map(text));
    for (let i = 0; i < 2000; i++) {
      const result = attemptSync(() => decode(mutate(stream, random), [random(stream.length)]));
      if (!result.ok) continue;
      for (const one of plain(result.value) as unknown[]) expect(known.has(text(one))).toBe(true);
    }
  });
});
