/** A connection that ends at every frame of a run, just before, inside and just after it; the next run completes the copy. */
import { describe, expect, test } from "vitest";
import { attempt } from "../../../src/base/failure.ts";
import { SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { memoryConnection } from "../../unit/sync/memory-pipe.ts";
import type { PipeOptions } from "../../unit/sync/memory-pipe.ts";
import { changedBytes, diskBytes, memoryDevice, sha256 } from "../../unit/sync/memory-device.ts";
import { record } from "../../unit/sync/replay.ts";

const old = diskBytes(7 * SEGMENT_BYTES + 1234, 21);
const wanted = changedBytes(old, 16, 22);
const identity = new Uint8Array(32);

async function run(target: Uint8Array, pipe: PipeOptions = {}) {
  const connection = memoryConnection(pipe);
  const marks: string[] = [];
  const begin = async () => void marks.push("unfinished");
  const finish = async () => void marks.push("finished");
  const [sent, received] = await Promise.all([
    attempt(() =>
      send({ source: memoryDevice(wanted), channel: connection.source, identity, program: "test" }),
    ),
    attempt(() =>
      receive({
        target: memoryDevice(target),
        channel: connection.destination,
        program: "test",
        record: { begin, finish },
      }),
    ),
  ]);
  return { sent, received, marks };
}

/** How many bytes have passed after each frame. */
async function ends(side: "source" | "destination"): Promise<readonly number[]> {
  let at = 0;
  return (await record(wanted, old))[side].map(({ bytes }) => (at += bytes.length));
}

async function cutThenComplete(pipe: PipeOptions): Promise<void> {
  const target = Uint8Array.from(old);
  const first = await run(target, pipe);
  const equal = sha256(target) === sha256(wanted);
  const label = JSON.stringify({ pipe, first });
  if (first.sent.ok || first.received.ok) expect(equal, label).toBe(true);
  if (Buffer.compare(target, old) !== 0) expect(first.marks[0], label).toBe("unfinished");
  expect(first.marks.includes("finished"), label).toBe(first.marks.length === 2);
  const second = await run(target);
  expect(second.sent.ok && second.received.ok, label).toBe(true);
  expect(second.marks.at(-1), label).toBe("finished");
  expect(sha256(target), label).toBe(sha256(wanted));
}

describe("cut off at every frame", () => {
  for (const side of ["source", "destination"] as const)
    test(`of the ${side}`, async () => {
      const cuts = (await ends(side)).flatMap((end) => [end - 1, end, end + 5]);
      expect(cuts.length).toBeGreaterThan(20);
      for (const cut of cuts)
        await cutThenComplete(side === "source" ? { cutSourceAt: cut } : { cutDestinationAt: cut });
    });

  test("in both directions, and in chunks of any size", async () => {
    const [up, down] = [await ends("source"), await ends("destination")];
    for (let i = 0; i < 40; i++) {
      await cutThenComplete({
        cutSourceAt: Math.floor((up.at(-1)! * ((i * 7) % 41)) / 40),
        cutDestinationAt: Math.floor((down.at(-1)! * ((i * 11) % 41)) / 40) + 1,
        chunkBytes: () => 1 + ((i * 977) % 5000),
      });
    }
  });
});
