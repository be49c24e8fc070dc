/** Pipes whose other end does nothing while the copy ends. */
import { Readable, Writable } from "node:stream";
import { describe, expect, test } from "vitest";
import { MIB } from "../../../../src/base/units.ts";
import { PipeOut, pipeSource } from "../../../../src/cli/sync/pipe-ends.ts";
import { openGivenEnd } from "../../../../src/guest/sync/given-end.ts";
import type { GivenEnd } from "../../../../src/guest/sync/given-end.ts";
import type { RunOrder } from "../../../../src/guest/sync/run-order.ts";
import type { Channel } from "../../../../src/sync/channel.ts";
import { newCounters } from "../../../../src/sync/counters.ts";
import { receive } from "../../../../src/sync/receiver.ts";
import { send } from "../../../../src/sync/sender.ts";
import { diskBytes, memoryDevice } from "../../sync/memory-device.ts";
import { memoryConnection } from "../../sync/memory-pipe.ts";

const SIZE = 40 * MIB;

async function run(given: GivenEnd, channel: Channel) {
  const order = { role: given.role, sizeBytes: SIZE, timeoutSeconds: 60, bytesPerSecond: 0 };
  const source = given.role === "source" ? await given.open(SIZE) : undefined;
  await using end = await openGivenEnd(given, order as RunOrder, source);
  return await end.run({ channel, program: "near", counters: newCounters(), lookAtAll: false });
}

describe("when the connection is lost", () => {
  test("nobody waits for a program that writes nothing into stdin", async () => {
    const { source, destination } = memoryConnection();
    let asked = 0;
    const input = new Readable({
      read() {
        if (asked++ === 0) this.push(diskBytes(MIB, 1));
        else destination.close();
      },
    });
    const far = receive({
      target: memoryDevice(new Uint8Array(SIZE)),
      channel: destination,
      program: "far",
    });
    far.catch(() => {});
    const near = run(pipeSource(input, SIZE), source);
    await expect(near).rejects.toMatchObject({
      failure: { kind: "io", where: ["the destination"] },
    });
    expect(input.destroyed).toBe(true);
  });

  test("nobody waits for a program that takes nothing from stdout", async () => {
    const { source, destination } = memoryConnection();
    const output = new Writable({ write() {} });
    const pipe = new PipeOut(output);
    let verified = 0;
    const given: GivenEnd = {
      role: "destination",
      open: (sizeBytes) => pipe.open(sizeBytes),
      record: {
        begin: () => pipe.begin(),
        finish: () => pipe.finish(),
        verified(segments) {
          pipe.verified(segments);
          verified += segments.length;
          // As much as may wait: the end is waited for by then.
          if (verified > 32) source.close();
        },
      },
      stop: () => pipe.stop(),
    };
    const far = send({
      source: memoryDevice(diskBytes(SIZE, 2)),
      channel: source,
      identity: new Uint8Array(32),
      program: "far",
    });
    far.catch(() => {});
    await expect(run(given, destination)).rejects.toMatchObject({ failure: { kind: "io" } });
    expect(output.destroyed).toBe(true);
  });
});
