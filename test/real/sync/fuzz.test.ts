/** Damaged streams into the decoder and into each side: frames or a failure, never a bug, a hang or a wrong write. */
import { describe, expect, test } from "vitest";
import { attemptSync } from "../../../src/base/failure.ts";
import { FrameDecoder } from "../../../src/sync/frame-stream.ts";
import { BLOCK_BYTES } from "../../../src/sync/geometry.ts";
import { SyncRounds } from "../../../tools/fuzz/sync-rounds.ts";
import { mutate, randomSource } from "../../support/mutate.ts";
import { diskBytes } from "../../unit/sync/memory-device.ts";
import { record } from "../../unit/sync/replay.ts";

/** Streams into each side; the decoder gets 100,000. `npm run fuzz -- sync` does more. */
const COUNT = 3000;

describe("damaged streams", () => {
  test("into the decoder", async () => {
    const small = diskBytes(5 * BLOCK_BYTES + 9, 1).fill(5, 3, 9);
    const wanted = Uint8Array.from(small)
      .fill(0, 0, BLOCK_BYTES)
      .fill(8, 3 * BLOCK_BYTES);
    const streams: Uint8Array[] = [];
    for (const old of [small, new Uint8Array(small.length)]) {
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
    const rounds = await SyncRounds.for("destination");
    for (let seed = 0; seed < COUNT; seed++)
      expect(await rounds.run(seed), `seed ${seed}`).toBe(undefined);
    expect(rounds.ends.failed).toBeGreaterThan(COUNT / 2);
    expect(rounds.ends.wrote).toBeGreaterThan(COUNT / 10);
  });

  test("into the source", async () => {
    const rounds = await SyncRounds.for("source");
    for (let seed = 0; seed < COUNT; seed++)
      expect(await rounds.run(seed), `seed ${seed}`).toBe(undefined);
    expect(rounds.ends.failed).toBeGreaterThan(COUNT / 2);
    expect(rounds.ends.done).toBeGreaterThan(COUNT / 100);
  });
});
