import { describe, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { compareDestination, compareSource } from "../../../src/sync/compare.ts";
import type { Compared } from "../../../src/sync/compare.ts";
import { newCounters } from "../../../src/sync/counters.ts";
import { SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { Peer } from "../../../src/sync/peer.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { assertReread } from "../../../src/sync/reread.ts";
import { send } from "../../../src/sync/sender.ts";
import { encodeFrame } from "../../../src/sync/frame-stream.ts";
import type { Frame } from "../../../src/sync/frames.ts";
import { changedBytes, diskBytes, memoryDevice } from "./memory-device.ts";
import { memoryConnection } from "./memory-pipe.ts";
import type { PipeOptions } from "./memory-pipe.ts";
import { REPLAY_KEY } from "./replay.ts";

const identity = new Uint8Array(32);
const program = "test";

async function compare(source: Uint8Array, destination: Uint8Array, pipe?: PipeOptions) {
  const connection = memoryConnection(pipe);
  const counters = newCounters();
  const device = memoryDevice(destination);
  const [ours, theirs] = await Promise.all([
    attempt(() =>
      compareSource({
        device: memoryDevice(source),
        channel: connection.source,
        identity,
        program,
        counters,
      }),
    ),
    attempt(() => compareDestination({ device, channel: connection.destination, program })),
  ]);
  expect(device.writes).toEqual([]);
  return { ours, theirs, counters };
}

function value(result: Awaited<ReturnType<typeof compare>>["ours"]): Compared {
  if (!result.ok) throw new Error(JSON.stringify(result.failure));
  return result.value;
}

describe("comparing only", () => {
  test("of equal devices: both sides have the same digest", async () => {
    for (const size of [0, 1, SEGMENT_BYTES, 12 * SEGMENT_BYTES + 777]) {
      const bytes = diskBytes(size, size);
      const { ours, theirs, counters } = await compare(bytes, Uint8Array.from(bytes));
      expect(value(ours)).toMatchObject({ equal: true, differing: [], differingBytes: 0 });
      expect(value(theirs)).toMatchObject({ equal: true, digest: value(ours).digest });
      expect([counters.taggedBytes, counters.verifiedBytes]).toEqual([size, size]);
    }
  });

  test("says which segments differ, as runs", async () => {
    const bytes = diskBytes(20 * SEGMENT_BYTES + 5, 3);
    const other = Uint8Array.from(bytes);
    for (const segment of [0, 7, 8, 9]) other[segment * SEGMENT_BYTES + 99]! ^= 1;
    other[20 * SEGMENT_BYTES + 4]! ^= 1;
    const { ours, theirs } = await compare(bytes, other);
    expect(value(ours)).toMatchObject({
      equal: false,
      differingBytes: 4 * SEGMENT_BYTES + 5,
      differing: [
        { first: 0, count: 1 },
        { first: 7, count: 3 },
        { first: 20, count: 1 },
      ],
    });
    expect(value(theirs).equal).toBe(false);
  });

  test("of another size: what both have is compared, and they are not equal", async () => {
    const bytes = diskBytes(3 * SEGMENT_BYTES + 100, 4);
    for (const [one, other] of [
      [bytes, bytes.subarray(0, 2 * SEGMENT_BYTES + 50)],
      [bytes.subarray(0, 2 * SEGMENT_BYTES + 50), bytes],
    ] as const) {
      const { ours, theirs } = await compare(one, other);
      expect(value(ours)).toMatchObject({ equal: false, differing: [], differingBytes: 0 });
      expect(value(ours).comparedBytes).toBe(2 * SEGMENT_BYTES + 50);
      expect(value(theirs).equal).toBe(false);
    }
  });

  test("ends on both sides when the connection does", async () => {
    const bytes = diskBytes(12 * SEGMENT_BYTES, 5);
    for (const cut of [{ cutSourceAt: 20 }, { cutDestinationAt: 250 }, { cutDestinationAt: 60 }]) {
      const { ours, theirs } = await compare(bytes, bytes, cut);
      expect([ours.ok, theirs.ok]).toEqual([false, false]);
    }
  });

  test("a destination that says other than it sent, or more, is refused", async () => {
    const bytes = diskBytes(3 * SEGMENT_BYTES, 6);
    const tags = new Uint8Array(3 * 16);
    const digest = new Uint8Array(32);
    const says: readonly (readonly Frame[])[] = [
      [{ type: "tags", first: 1, tags }],
      [{ type: "tags", first: 0, tags: new Uint8Array(4 * 16) }],
      [{ type: "blocks", segment: 0, digests: new Uint8Array(16) }],
      [
        { type: "tags", first: 0, tags },
        { type: "tags", first: 3, tags },
      ],
      [
        { type: "tags", first: 0, tags },
        { type: "end", digest, looked: 3 },
      ],
    ];
    for (const frames of says) {
      const connection = memoryConnection();
      const theirs = (async () => {
        const peer = new Peer(connection.destination, ["test"]);
        await peer.greet("destination", program);
        await peer.receive();
        await peer.send({ type: "accept", sizeBytes: bytes.length, key: REPLAY_KEY });
        for (const frame of frames) await connection.destination.write(encodeFrame(frame));
        for (;;) await peer.receive();
      })();
      theirs.catch(() => {});
      const device = memoryDevice(bytes);
      const ours = await attempt(() =>
        compareSource({ device, channel: connection.source, identity, program }),
      );
      expect(ours).toMatchObject({ ok: false, failure: { kind: "corrupt" } });
    }
  });
});

test("reading again finds what has changed behind the run", async () => {
  const wanted = changedBytes(diskBytes(9 * SEGMENT_BYTES + 33, 7), 9, 8);
  const bytes = new Uint8Array(wanted.length);
  const connection = memoryConnection();
  const device = { ...memoryDevice(bytes), readsAsZero: () => true };
  const [{ digest }] = await Promise.all([
    receive({
      target: memoryDevice(bytes),
      channel: connection.destination,
      program,
      key: REPLAY_KEY,
    }),
    send({ source: memoryDevice(wanted), channel: connection.source, identity, program }),
  ]);
  const reread = { device, key: REPLAY_KEY, sizeBytes: bytes.length, digest };
  await assertReread(reread);
  bytes[9 * SEGMENT_BYTES + 32]! ^= 1;
  expect(await attempt(() => assertReread(reread))).toMatchObject({
    ok: false,
    failure: { kind: "corrupt" },
  });
  const looks = [{ first: 0, count: 9 }];
  expect((await attempt(() => assertReread({ ...reread, looks }))).ok).toBe(false);
});
