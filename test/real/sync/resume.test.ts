/** Runs with a record of what earlier ones have left: what is known is not read, and a cut never makes it wrong. */
import { describe, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import type { CopyRecord } from "../../../src/sync/device.ts";
import { SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { memoryConnection } from "../../unit/sync/memory-pipe.ts";
import type { PipeOptions } from "../../unit/sync/memory-pipe.ts";
import { memoryDevice, sha256 } from "../../unit/sync/memory-device.ts";
import { REPLAY_KEY } from "../../unit/sync/replay.ts";

const SEGMENTS = 200;

/** What a file would keep: it outlives a run. */
class MemoryRecord {
  tags = new Map<number, Uint8Array>();
  state = "none";

  /** For one run, with what is known at its start. */
  forRun(): CopyRecord {
    const known = this.tags;
    const verified = new Map<number, Uint8Array>();
    this.tags = new Map(known);
    return {
      knownTag: (segment) => known.get(segment),
      begin: async () => {
        this.tags = new Map(verified);
        this.state = "unfinished";
      },
      verified: (segments) => {
        for (const { segment, tag } of segments) {
          verified.set(segment, tag);
          this.tags.set(segment, tag);
        }
      },
      finish: async () => {
        this.state = "finished";
      },
    };
  }
}

/** A byte of each segment tells it from all others, and `version` from those of other times. */
function contents(version: number, changedFrom: number): Uint8Array {
  const bytes = new Uint8Array(SEGMENTS * SEGMENT_BYTES);
  for (let segment = 0; segment < SEGMENTS; segment++) {
    const at = segment * SEGMENT_BYTES;
    bytes.fill(segment, at + 4096, at + 20_000);
    bytes.fill(segment >= changedFrom ? version : 1, at + 30_000, at + 50_000);
    bytes.fill(segment >= changedFrom ? version : 1, at + 900_000, at + 950_000);
  }
  return bytes;
}

async function run(
  wanted: Uint8Array,
  target: Uint8Array,
  record: MemoryRecord,
  pipe?: PipeOptions,
) {
  const connection = memoryConnection(pipe);
  const device = memoryDevice(target);
  const read = new Set<number>();
  const watched = {
    ...device,
    read(offset: number, length: number, signal?: AbortSignal, into?: Uint8Array) {
      read.add(Math.floor(offset / SEGMENT_BYTES));
      return device.read(offset, length, signal, into);
    },
  };
  const [sent, received] = await Promise.all([
    attempt(() =>
      send({
        source: memoryDevice(wanted),
        channel: connection.source,
        identity: new Uint8Array(32),
        program: "test",
      }),
    ),
    attempt(() =>
      receive({
        target: watched,
        channel: connection.destination,
        program: "test",
        key: REPLAY_KEY,
        record: record.forRun(),
      }),
    ),
  ]);
  return { ok: sent.ok && received.ok, read, passed: connection.passed() };
}

describe("a record", () => {
  test("of a finished run: the next one reads only what differs", async () => {
    const record = new MemoryRecord();
    const target = contents(1, 0);
    const all = await run(contents(1, 0), target, record);
    expect(all.read.size).toBe(SEGMENTS);
    expect(record.tags.size).toBe(SEGMENTS);
    const none = await run(contents(1, 0), target, record);
    expect([none.ok, none.read.size]).toEqual([true, 0]);
    const wanted = contents(2, 190);
    const some = await run(wanted, target, record);
    expect([some.ok, some.read.size]).toEqual([true, 10]);
    expect(sha256(target)).toBe(sha256(wanted));
    expect((await run(wanted, target, record)).read.size).toBe(0);
  });

  test("of a run that was cut off: what it verified is not read again", async () => {
    const record = new MemoryRecord();
    const target = contents(1, 0);
    const wanted = contents(2, 0);
    const cut = await run(wanted, target, record, { cutWhen: () => record.tags.size >= 64 });
    expect([cut.ok, record.state]).toEqual([false, "unfinished"]);
    const known = record.tags.size;
    expect(known).toBeGreaterThanOrEqual(64);
    const second = await run(wanted, target, record);
    expect([second.ok, record.state]).toEqual([true, "finished"]);
    expect(second.read.size).toBe(SEGMENTS - known);
    expect(sha256(target)).toBe(sha256(wanted));
  });

  test("is right also when the source goes back to what it was before the cut", async () => {
    const before = contents(1, 0);
    const after = contents(2, 40);
    const whole = await run(after, contents(1, 0), new MemoryRecord());
    for (let part = 1; part < 10; part += 2) {
      const record = new MemoryRecord();
      const target = contents(1, 0);
      await run(before, target, record);
      const cutSourceAt = Math.floor((whole.passed.source * part) / 10);
      await run(after, target, record, { cutSourceAt });
      expect((await run(before, target, record)).ok).toBe(true);
      expect(sha256(target), `cut at ${part}/10`).toBe(sha256(before));
    }
  });
});
