import { describe, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import type { SyncSource } from "../../../src/sync/device.ts";
import { Digester } from "../../../src/sync/digests.ts";
import { BLOCK_BYTES, SEGMENT_BYTES, segmentExtent } from "../../../src/sync/geometry.ts";
import { receive } from "../../../src/sync/receiver.ts";
import type { ReceiveOptions } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import type { SendOptions } from "../../../src/sync/sender.ts";
import { memoryConnection } from "./memory-pipe.ts";
import type { PipeOptions } from "./memory-pipe.ts";
import { changedBytes, diskBytes, memoryDevice, sha256 } from "./memory-device.ts";
import type { MemoryDevice } from "./memory-device.ts";
import { REPLAY_KEY } from "./replay.ts";

type More = {
  readonly pipe?: PipeOptions;
  readonly send?: Partial<SendOptions>;
  readonly receive?: Partial<ReceiveOptions>;
};

async function copy(source: SyncSource, target: MemoryDevice, more: More = {}) {
  const connection = memoryConnection(more.pipe);
  const identity = new Uint8Array(32);
  const [sent, received] = await Promise.all([
    attempt(() =>
      send({ source, channel: connection.source, identity, program: "test", ...more.send }),
    ),
    attempt(() =>
      receive({ target, channel: connection.destination, program: "test", ...more.receive }),
    ),
  ]);
  return { sent, received, passed: connection.passed() };
}

async function copyWell(source: SyncSource, target: MemoryDevice, more: More = {}) {
  const { sent, received, passed } = await copy(source, target, more);
  if (!sent.ok || !received.ok) throw new Error(JSON.stringify({ sent, received }));
  expect(received.value.digest).toEqual(sent.value.digest);
  return { sent: sent.value, received: received.value, passed };
}

describe("a whole copy", () => {
  for (const size of [
    0,
    1,
    BLOCK_BYTES - 1,
    BLOCK_BYTES,
    SEGMENT_BYTES - 1,
    SEGMENT_BYTES,
    SEGMENT_BYTES + 1,
    5 * SEGMENT_BYTES + BLOCK_BYTES + 513,
  ]) {
    test(`of ${size} bytes over other contents`, async () => {
      const source = memoryDevice(diskBytes(size, size + 1));
      const target = memoryDevice(diskBytes(size, size + 2));
      await copyWell(source, target);
      expect(sha256(target.bytes)).toBe(sha256(source.bytes));
    });
  }

  test("to a larger device leaves what lies behind it alone", async () => {
    const source = memoryDevice(diskBytes(SEGMENT_BYTES + 777, 1));
    const target = memoryDevice(new Uint8Array(3 * SEGMENT_BYTES).fill(9));
    await copyWell(source, target);
    expect(sha256(target.bytes.subarray(0, source.size))).toBe(sha256(source.bytes));
    expect(target.bytes.subarray(source.size).every((byte) => byte === 9)).toBe(true);
  });

  test("to zeroes sends no zero block and asks for nothing", async () => {
    const bytes = new Uint8Array(4 * SEGMENT_BYTES);
    bytes.fill(7, SEGMENT_BYTES + BLOCK_BYTES, SEGMENT_BYTES + 3 * BLOCK_BYTES);
    const target = memoryDevice(new Uint8Array(bytes.length));
    const { sent, passed } = await copyWell(memoryDevice(bytes), target);
    expect(sent.blockBytes).toBe(2 * BLOCK_BYTES);
    expect(passed.destination).toBeLessThan(500);
    expect(target.writes).toEqual([
      { offset: SEGMENT_BYTES + BLOCK_BYTES, length: 2 * BLOCK_BYTES, zero: false },
    ]);
  });

  test("of zeroes makes the target zero and sends no block", async () => {
    const source = memoryDevice(new Uint8Array(3 * SEGMENT_BYTES + 5));
    const target = memoryDevice(diskBytes(source.size, 3).fill(1));
    const { sent } = await copyWell(source, target);
    expect(sent.blockBytes).toBe(0);
    expect(target.writes.every(({ zero }) => zero)).toBe(true);
    expect(target.bytes.every((byte) => byte === 0)).toBe(true);
  });

  test("does not read what is known to be zero, on either side", async () => {
    const size = 8 * SEGMENT_BYTES;
    const device = memoryDevice(new Uint8Array(size));
    const unread = {
      ...device,
      readsAsZero: () => true,
      read: async () => {
        throw new Error("was read");
      },
    };
    const { sent } = await copyWell(unread, unread);
    expect(sent.equalSegments).toBe(8);
  });
});

describe("a delta", () => {
  test("of scattered blocks sends those blocks, digests, and little else", async () => {
    const old = diskBytes(24 * SEGMENT_BYTES, 5);
    const bytes = Uint8Array.from(old);
    // Every third block of a part; noise, so that packing does not help.
    const noise = Buffer.from(diskBytes(40 * SEGMENT_BYTES, 77)).subarray(20 * SEGMENT_BYTES);
    let changed = 0;
    for (let at = 0; at < 8 * SEGMENT_BYTES; at += 3 * BLOCK_BYTES) {
      bytes.set(noise.subarray(at, at + BLOCK_BYTES), at);
      bytes[at] = old[at]! ^ 1;
      changed += BLOCK_BYTES;
    }
    const target = memoryDevice(old);
    const { sent, passed } = await copyWell(memoryDevice(bytes), target);
    expect(sha256(target.bytes)).toBe(sha256(bytes));
    expect(sent.blockBytes).toBe(changed);
    expect(passed.source).toBeLessThan(1.02 * changed);
    expect(passed.destination).toBeLessThan(0.02 * changed);
  });

  test("of nothing writes nothing and flushes", async () => {
    const bytes = diskBytes(70 * SEGMENT_BYTES, 6);
    const target = memoryDevice(Uint8Array.from(bytes));
    const { sent, passed } = await copyWell(memoryDevice(bytes), target);
    expect(target.writes).toEqual([]);
    expect(target.flushes).toBe(1);
    expect(sent.equalSegments).toBe(70);
    expect(passed.source + passed.destination).toBeLessThan(3000);
  });

  test("reads only what it is to look at", async () => {
    const bytes = diskBytes(12 * SEGMENT_BYTES, 7);
    const source = memoryDevice(bytes);
    const read: number[] = [];
    const watched = {
      ...source,
      read: (offset: number, length: number) => {
        read.push(offset / SEGMENT_BYTES);
        return source.read(offset, length);
      },
    };
    const target = memoryDevice(new Uint8Array(bytes.length).fill(1));
    const looks = [
      { first: 1, count: 1 },
      { first: 4, count: 3 },
      { first: 11, count: 1 },
    ];
    await copyWell(watched, target, { send: { looks } });
    expect([...new Set(read)]).toEqual([1, 4, 5, 6, 11]);
    for (let segment = 0; segment < 12; segment++) {
      const [from, to] = [segment * SEGMENT_BYTES, (segment + 1) * SEGMENT_BYTES];
      const wanted = read.includes(segment) ? bytes.subarray(from, to) : undefined;
      const now = target.bytes.subarray(from, to);
      if (wanted) expect(sha256(now)).toBe(sha256(wanted));
      else expect(now.every((byte) => byte === 1)).toBe(true);
    }
  });

  test("reads only segments of the destination that its record does not know", async () => {
    const old = diskBytes(20 * SEGMENT_BYTES + 5, 17);
    const wanted = Uint8Array.from(old).fill(7, 9 * SEGMENT_BYTES, 9 * SEGMENT_BYTES + 10);
    const target = memoryDevice(old);
    const read: number[] = [];
    const watched = {
      ...target,
      read: (offset: number, length: number) => {
        read.push(offset / SEGMENT_BYTES);
        return target.read(offset, length);
      },
    };
    const digester = new Digester(REPLAY_KEY);
    const unknown = new Set([2, 3, 10, 20]);
    const record = {
      knownTag(segment: number) {
        if (unknown.has(segment)) return undefined;
        const { offset, length } = segmentExtent(old.length, segment);
        return digester.tag(old.subarray(offset, offset + length));
      },
      begin: async () => {},
      finish: async () => {},
    };
    const { sent } = await copyWell(memoryDevice(wanted), watched, {
      receive: { record, key: REPLAY_KEY },
    });
    expect(sha256(target.bytes)).toBe(sha256(wanted));
    expect(sent.equalSegments).toBe(20);
    expect(new Set(read)).toEqual(new Set([...unknown, 9]));
  });

  test("of more runs than may wait, and more segments than the window", async () => {
    const count = 2100;
    const empty = { where: ["sparse"], size: count * SEGMENT_BYTES };
    const source: SyncSource = {
      ...empty,
      readsAsZero: () => true,
      read: async (_, length) => new Uint8Array(length),
    };
    const target = { ...memoryDevice(new Uint8Array(0)), ...source };
    const looks = Array.from({ length: count / 3 }, (_, i) => ({ first: 3 * i, count: 2 }));
    const { sent } = await copyWell(source, target, { send: { looks } });
    expect(sent.lookedSegments).toBe(1400);
  });
});

describe("a source that changes while it is read", () => {
  test("gives segments that were whole at some moment", async () => {
    const bytes = diskBytes(6 * SEGMENT_BYTES, 8);
    const source = memoryDevice(bytes);
    const seen = new Map<number, string[]>();
    const alive: SyncSource = {
      ...source,
      async read(offset, length, signal, into) {
        bytes[offset] = bytes[offset]! + 1;
        const out = await source.read(offset, length, signal, into);
        seen.set(offset, [...(seen.get(offset) ?? []), sha256(out)]);
        return out;
      },
    };
    const target = memoryDevice(new Uint8Array(bytes.length).fill(3));
    await copyWell(alive, target);
    for (const [offset, digests] of seen)
      expect(digests).toContain(sha256(target.bytes.subarray(offset, offset + SEGMENT_BYTES)));
  });
});

describe("a destination that does not keep what is written", () => {
  const bytes = diskBytes(3 * SEGMENT_BYTES, 9).fill(5, SEGMENT_BYTES, SEGMENT_BYTES + 9);

  test("once gets it again, whole", async () => {
    const device = memoryDevice(new Uint8Array(bytes.length).fill(1));
    let spoilt = false;
    const target: MemoryDevice = {
      ...device,
      async write(offset, part) {
        await device.write(offset, part);
        if (offset < SEGMENT_BYTES || spoilt) return;
        spoilt = true;
        device.bytes[offset + 3]! ^= 1;
      },
    };
    await copyWell(memoryDevice(bytes), target);
    expect(spoilt).toBe(true);
    expect(sha256(device.bytes)).toBe(sha256(bytes));
  });

  test("ever ends both sides with the place", async () => {
    const device = memoryDevice(new Uint8Array(bytes.length).fill(1));
    const target: MemoryDevice = {
      ...device,
      async write(offset, part) {
        await device.write(offset, part);
        device.bytes[offset] = 1 + (device.bytes[offset]! & 1);
      },
      async zero() {},
    };
    const { sent, received } = await copy(memoryDevice(bytes), target);
    expect(received).toMatchObject({ ok: false, failure: { kind: "corrupt" } });
    expect(sent).toMatchObject({ ok: false });
    expect(JSON.stringify(sent)).toContain("a device that keeps what is written to it");
  });
});

describe("cut off anywhere", () => {
  // test/real/sync cuts at every frame.
  const size = SEGMENT_BYTES + 1234;
  const old = diskBytes(size, 11);
  const wanted = changedBytes(old, 9, 12);

  /** Ends the connection, then runs again; the second run completes it. */
  async function cutAndResume(pipeFor: (target: MemoryDevice) => PipeOptions) {
    const target = memoryDevice(Uint8Array.from(old));
    const pipe = pipeFor(target);
    const states: string[] = [];
    const record = {
      begin: async () => void states.push("unfinished"),
      finish: async () => void states.push("finished"),
    };
    const first = await copy(memoryDevice(wanted), target, { pipe, receive: { record } });
    const equal = sha256(target.bytes) === sha256(wanted);
    // Never said to be whole when it is not; never touched without the mark.
    if (first.received.ok || first.sent.ok) expect(equal).toBe(true);
    if (sha256(target.bytes) !== sha256(old)) expect(states[0]).toBe("unfinished");
    expect(states.includes("finished")).toBe(first.received.ok || states.length === 2);
    const writesBefore = target.writes.length;
    const second = await copyWell(memoryDevice(wanted), target, { receive: { record } });
    expect(sha256(target.bytes)).toBe(sha256(wanted));
    expect(states.at(-1)).toBe("finished");
    if (equal) expect(target.writes.length).toBe(writesBefore);
    return { first, second };
  }

  /** Dense in the greeting and at the end, spread in between. */
  function cuts(passed: number): readonly number[] {
    return [
      ...Array.from({ length: 6 }, (_, i) => i * 29),
      ...Array.from({ length: 6 }, (_, i) => Math.floor((passed * (i + 1)) / 7)),
      ...Array.from({ length: 4 }, (_, i) => passed - 1 - i * 17),
    ];
  }

  test("by the source's bytes", async () => {
    const whole = await copyWell(memoryDevice(wanted), memoryDevice(Uint8Array.from(old)));
    expect(whole.passed.source).toBeGreaterThan(10_000);
    for (const cutSourceAt of cuts(whole.passed.source))
      await cutAndResume(() => ({ cutSourceAt }));
  });

  test("by the destination's bytes", async () => {
    const whole = await copyWell(memoryDevice(wanted), memoryDevice(Uint8Array.from(old)));
    for (const cutDestinationAt of cuts(whole.passed.destination))
      await cutAndResume(() => ({ cutDestinationAt }));
  });

  test("what came over is not sent again", async () => {
    const whole = await copyWell(memoryDevice(wanted), memoryDevice(Uint8Array.from(old)));
    const { first, second } = await cutAndResume(({ writes }) => ({
      cutWhen: () => writes.length > 0,
    }));
    expect(first.sent.ok).toBe(false);
    expect(second.sent.blockBytes).toBeLessThan(whole.sent.blockBytes);
  });
});

describe("failures", () => {
  test("of the destination's disk reach the person at the source", async () => {
    const { ioFailure } = await import("../../../src/base/failure.ts");
    const device = memoryDevice(new Uint8Array(4 * SEGMENT_BYTES));
    const target: MemoryDevice = {
      ...device,
      write: async () => {
        throw ioFailure(["/dev/vg/copy"], "write", "ENOSPC");
      },
    };
    const { sent, received } = await copy(memoryDevice(diskBytes(device.size, 13)), target);
    expect(received).toMatchObject({ failure: { kind: "io", errno: "ENOSPC" } });
    expect(sent).toMatchObject({
      failure: { kind: "io", errno: "/dev/vg/copy: write failed: ENOSPC" },
    });
  });

  test("a destination that is too small is refused before anything is written", async () => {
    const target = memoryDevice(new Uint8Array(10));
    const { sent, received } = await copy(memoryDevice(new Uint8Array(11).fill(1)), target);
    expect(received).toMatchObject({ failure: { kind: "limit" } });
    expect(sent.ok).toBe(false);
    expect(target.writes).toEqual([]);
  });

  test("two sources, or two destinations, find out", async () => {
    const connection = memoryConnection();
    const device = memoryDevice(new Uint8Array(10));
    const [a, b] = await Promise.all([
      attempt(() => receive({ target: device, channel: connection.source, program: "a" })),
      attempt(() => receive({ target: device, channel: connection.destination, program: "b" })),
    ]);
    expect(a).toMatchObject({ failure: { expected: "a source and a destination" } });
    expect(b.ok).toBe(false);
  });

  test("a banner is skipped, and one without a stream behind it is shown", async () => {
    const banner = new TextEncoder().encode("Welcome to hostb!\nbash: domus: command not found\n");
    const device = memoryDevice(new Uint8Array(10));
    let first = true;
    const tap = (direction: string, bytes: Uint8Array) => {
      if (direction !== "destination" || !first) return bytes;
      first = false;
      return Buffer.concat([banner, bytes]);
    };
    await copyWell(device, device, { pipe: { tap } });
    const connection = memoryConnection();
    void connection.destination.write([banner]).then(() => connection.destination.close());
    const { source } = connection;
    const sent = await attempt(() =>
      send({ source: device, channel: source, identity: new Uint8Array(32), program: "test" }),
    );
    expect(JSON.stringify(sent)).toContain("command not found");
  });
});
