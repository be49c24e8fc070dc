import { describe, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { newCounters } from "../../../src/sync/counters.ts";
import { SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { Pulse, TIMEOUT_TICKS } from "../../../src/sync/pulse.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { diskBytes, memoryDevice } from "./memory-device.ts";
import { memoryConnection } from "./memory-pipe.ts";

const waiting = { listening: true, writing: false };

describe("a pulse", () => {
  test("asks for a sign of life after a tick in which nothing was said", () => {
    const pulse = new Pulse();
    expect(pulse.tick(waiting).sayAlive).toBe(false);
    expect(pulse.tick(waiting).sayAlive).toBe(true);
    pulse.said();
    expect(pulse.tick(waiting).sayAlive).toBe(false);
    expect(pulse.tick(waiting).sayAlive).toBe(true);
    // It would only wait behind what waits.
    expect(pulse.tick({ listening: true, writing: true }).sayAlive).toBe(false);
  });

  test("takes the other side for dead after so many silent ticks, and not before", () => {
    const pulse = new Pulse();
    const ticks = (count: number) => Array.from({ length: count }, () => pulse.tick(waiting).dead);
    expect(ticks(TIMEOUT_TICKS - 1)).not.toContain(true);
    pulse.heard();
    expect(ticks(TIMEOUT_TICKS - 1)).not.toContain(true);
    expect(pulse.tick({ listening: false, writing: false }).dead).toBe(false);
    expect(ticks(TIMEOUT_TICKS - 1)).not.toContain(true);
    expect(ticks(1)).toEqual([true]);
  });
});

const identity = new Uint8Array(32);
const bytes = diskBytes(3 * SEGMENT_BYTES, 4);
/** Twelve ticks of 5 ms. */
const timeoutMs = 60;
const program = "test";
const silence = { ok: false, failure: { kind: "io", errno: "nothing was heard for 0.1 s" } };

describe("a side that says nothing", () => {
  test("from the start", async () => {
    for (const side of ["source", "destination"] as const) {
      const channel = memoryConnection()[side];
      const device = memoryDevice(bytes);
      const result = await attempt<unknown>(() =>
        side === "source"
          ? send({ source: device, channel, identity, program, timeoutMs })
          : receive({ target: device, channel, program, timeoutMs }),
      );
      expect(result).toMatchObject(silence);
    }
  });

  test("in the middle of a frame ends the other one, which lets go", async () => {
    const connection = memoryConnection();
    const { source, destination } = connection;
    let heard = 0;
    // From the third chunk on nothing of the source arrives, and nothing is taken from the destination.
    const stuck = {
      ...destination,
      read: async () => (heard++ < 3 ? (await destination.read())?.subarray() : never.promise),
      close: () => {
        never.resolve(undefined);
        destination.close();
      },
    };
    const never = Promise.withResolvers<undefined>();
    const target = memoryDevice(new Uint8Array(bytes.length).fill(1));
    const [sent, received] = await Promise.all([
      attempt(() => send({ source: memoryDevice(bytes), channel: source, identity, program })),
      attempt(() => receive({ target, channel: stuck, program, timeoutMs })),
    ]);
    expect(received).toMatchObject(silence);
    // It was told why.
    expect(JSON.stringify(sent)).toContain("nothing was heard");
  });

  test("at the source while all that it works on waits for a wire that takes nothing", async () => {
    const { source, destination } = memoryConnection();
    const never = Promise.withResolvers<undefined>();
    let stopped = false;
    const stuck = {
      ...destination,
      async read() {
        if (stopped) return never.promise;
        const chunk = await destination.read();
        // The first blocks are on their way: what comes after them fills the pipe.
        stopped = chunk !== undefined && chunk.length > 16_384;
        return chunk;
      },
      close() {
        never.resolve(undefined);
        // The pipe to this side stays as it is, as when a machine in between has stopped.
      },
    };
    const target = memoryDevice(new Uint8Array(bytes.length).fill(1));
    const [sent, received] = await Promise.all([
      attempt(() => send({ source: memoryDevice(bytes), channel: source, identity, program })),
      attempt(() => receive({ target, channel: stuck, program, timeoutMs })),
    ]);
    expect(received).toMatchObject(silence);
    expect(JSON.stringify(sent)).toContain("nothing was heard");
  });
});

test("a side that is busy for long says that it is alive", async () => {
  const busy = Promise.withResolvers<void>();
  const ALIVE = 16;
  let alive = 0;
  const tap = (direction: string, chunk: Uint8Array) => {
    // A frame of its own, without payload.
    if (direction === "destination" && chunk.length === 9 && chunk[8] === ALIVE) alive += 1;
    // Of two in each three ticks: longer than the source would have waited.
    if (alive === 3 * TIMEOUT_TICKS) busy.resolve();
    return chunk;
  };
  const { source, destination } = memoryConnection({ tap });
  const target = memoryDevice(new Uint8Array(bytes.length));
  const slow = {
    ...target,
    flush: async () => {
      await busy.promise;
    },
  };
  const [sent, received] = await Promise.all([
    attempt(() =>
      send({ source: memoryDevice(bytes), channel: source, identity, program, timeoutMs }),
    ),
    attempt(() => receive({ target: slow, channel: destination, program, timeoutMs })),
  ]);
  expect([sent.ok, received.ok]).toEqual([true, true]);
  expect(alive).toBeGreaterThanOrEqual(3 * TIMEOUT_TICKS);
});

test("counters say what came of what, on both sides", async () => {
  const wanted = diskBytes(6 * SEGMENT_BYTES + 100, 8).fill(3, 0, 9 * 4096);
  wanted
    .fill(0, 2 * SEGMENT_BYTES, 3 * SEGMENT_BYTES)
    .fill(0, 5 * SEGMENT_BYTES, 5 * SEGMENT_BYTES + 9);
  const old = Uint8Array.from(wanted)
    .fill(7, 0, 2 * 4096)
    .fill(7, 2 * SEGMENT_BYTES, 2 * SEGMENT_BYTES + 5);
  const source = memoryDevice(wanted);
  const { source: up, destination: down } = memoryConnection();
  const [ours, theirs] = [newCounters(), newCounters()];
  const looks = [
    { first: 0, count: 3 },
    { first: 5, count: 2 },
  ];
  await Promise.all([
    send({
      source: { ...source, readsAsZero: (offset) => offset === 2 * SEGMENT_BYTES },
      channel: up,
      identity,
      program,
      looks,
      counters: ours,
    }),
    receive({ target: memoryDevice(old), channel: down, program, counters: theirs }),
  ]);
  const lookBytes = 4 * SEGMENT_BYTES + 100;
  const both = {
    deviceBytes: wanted.length,
    lookBytes,
    taggedBytes: lookBytes,
    equalBytes: lookBytes - 2 * SEGMENT_BYTES,
    zeroedBytes: SEGMENT_BYTES,
    patchedBytes: SEGMENT_BYTES,
    blockBytes: 2 * 4096,
    verifiedBytes: lookBytes,
    knownTagBytes: 0,
  };
  expect(ours).toMatchObject({ ...both, knownZeroBytes: SEGMENT_BYTES });
  expect(theirs).toMatchObject({ ...both, knownZeroBytes: 0 });
  expect(ours.sentBytes).toBeGreaterThan(100);
  // The magic is in what is received and is no frame.
  expect(theirs.receivedBytes).toBeGreaterThanOrEqual(ours.sentBytes);
});
