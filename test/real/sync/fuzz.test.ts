/** Damaged streams into the decoder and into each side: frames or a failure, never a bug, a hang or a wrong write. */
import { describe, expect, test } from "vitest";
import { attempt, attemptSync } from "../../../src/base/failure.ts";
import { FrameDecoder } from "../../../src/sync/frame-stream.ts";
import { BLOCK_BYTES, SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { mutate, randomSource } from "../../support/mutate.ts";
import { diskBytes, memoryDevice, sha256 } from "../../unit/sync/memory-device.ts";
import { damage, record, REPLAY_KEY, scripted } from "../../unit/sync/replay.ts";

/** Streams into each side; the decoder gets 100,000. More with DOMUS_SYNC_FUZZ=100000. */
const COUNT = Number(process.env["DOMUS_SYNC_FUZZ"] ?? 3000);
const LONGEST_MS = 20_000;

/** Old and wanted contents: of a few blocks, where a run is short, and of some segments of every kind. */
function images(): readonly { readonly old: Uint8Array; readonly wanted: Uint8Array }[] {
  const small = diskBytes(5 * BLOCK_BYTES + 9, 1).fill(5, 3, 9);
  const changed = Uint8Array.from(small)
    .fill(0, 0, BLOCK_BYTES)
    .fill(8, 3 * BLOCK_BYTES);
  const old = diskBytes(4 * SEGMENT_BYTES + 5000, 2).fill(1, SEGMENT_BYTES, SEGMENT_BYTES + 99);
  old.fill(0, 3 * SEGMENT_BYTES, 4 * SEGMENT_BYTES);
  const wanted = Uint8Array.from(old)
    .fill(3, 70, 90)
    .fill(0, SEGMENT_BYTES, 2 * SEGMENT_BYTES);
  wanted.fill(9, 3 * SEGMENT_BYTES + 5000, 4 * SEGMENT_BYTES + 7);
  return [
    { old: small, wanted: changed },
    { old: Uint8Array.from(changed).fill(0), wanted: changed },
    { old, wanted },
  ];
}

/** One image in twenty is the large one. */
const imageOf = (round: number) => (round % 20 === 19 ? 2 : round % 2);

async function inTime<T>(label: string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${label}: hangs`)), LONGEST_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

describe("damaged streams", () => {
  test("into the decoder", async () => {
    const streams: Uint8Array[] = [];
    for (const { old, wanted } of images().slice(0, 2)) {
      const { source, destination } = await record(wanted, old);
      for (const said of [source, destination])
        streams.push(Buffer.concat(said.map(({ bytes }) => bytes)));
    }
    const random = randomSource(11);
    let whole = 0;
    for (let i = 0; i < 100_000; i++) {
      const stream = mutate(streams[i % streams.length]!, random);
      const decoder = new FrameDecoder(["peer"]);
      const cut = random(stream.length + 1);
      const result = attemptSync(() => [
        ...decoder.push(stream.subarray(0, cut)),
        ...decoder.push(stream.subarray(cut)),
      ]);
      if (result.ok) whole += 1;
    }
    expect(whole).toBeLessThan(60_000);
  });

  test("into the destination", async () => {
    const all = images();
    const recordings = [];
    for (const { old, wanted } of all) recordings.push(await record(wanted, old));
    const random = randomSource(12);
    const ends = { done: 0, failed: 0, wrote: 0 };
    for (let round = 0; round < COUNT; round++) {
      const which = imageOf(round);
      const { old, wanted } = all[which]!;
      const device = memoryDevice(Uint8Array.from(old));
      const { size } = device;
      const target = {
        ...device,
        write(offset: number, bytes: Uint8Array) {
          if (!(offset >= 0 && offset + bytes.length <= size)) throw new Error("a wrong write");
          return device.write(offset, bytes);
        },
        zero(offset: number, length: number) {
          if (!(offset >= 0 && length > 0 && offset + length <= size))
            throw new Error("a wrong zero");
          return device.zero(offset, length);
        },
      };
      const channel = scripted(damage(recordings[which]!.source, random));
      const work = attempt(() => receive({ target, channel, program: "test", key: REPLAY_KEY }));
      const result = await inTime(`round ${round}`, work);
      ends[result.ok ? "done" : "failed"] += 1;
      if (device.writes.length > 0) ends.wrote += 1;
      // Whatever was said, a success is the wanted bytes: nobody can make a tag without the key.
      if (result.ok) expect(sha256(device.bytes), `round ${round}`).toBe(sha256(wanted));
    }
    expect(ends.failed).toBeGreaterThan(COUNT / 2);
    expect(ends.wrote).toBeGreaterThan(COUNT / 4);
  });

  test("into the source", async () => {
    const all = images();
    const recordings = [];
    for (const { old, wanted } of all) recordings.push(await record(wanted, old));
    const random = randomSource(13);
    const ends = { done: 0, failed: 0 };
    const identity = new Uint8Array(32);
    for (let round = 0; round < COUNT; round++) {
      const which = imageOf(round);
      const source = memoryDevice(all[which]!.wanted);
      const channel = scripted(damage(recordings[which]!.destination, random));
      const work = attempt(() => send({ source, channel, identity, program: "test" }));
      const result = await inTime(`round ${round}`, work);
      ends[result.ok ? "done" : "failed"] += 1;
    }
    expect(ends.failed).toBeGreaterThan(COUNT / 2);
    expect(ends.done).toBeGreaterThan(COUNT / 100);
  });
});
