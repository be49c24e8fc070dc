/** What the other side of a session says, damaged in every way: a failure or a value, never a bug, never a hang. */
import { expect, test } from "vitest";
import { serveSync } from "../../../../src/guest/sync/serve.ts";
import { SessionStream } from "../../../../src/guest/sync/session-stream.ts";
import { syncDisks } from "../../../../src/guest/sync/sync-disks.ts";
import type { Channel } from "../../../../src/sync/channel.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { diskBytes } from "../../sync/memory-device.ts";
import { memoryConnection } from "../../sync/memory-pipe.ts";
import { portsOf, REQUEST } from "./memory-session.ts";

const SIZE = 5000;

const nearPorts = () => portsOf({ disks: new Map([["/a", diskBytes(SIZE, 1)]]) }, "boot-1");
const farPorts = () => portsOf({ disks: new Map([["/b", new Uint8Array(SIZE)]]) }, "boot-2");

function near(channel: Channel): Promise<unknown> {
  return syncDisks(REQUEST, {
    ports: nearPorts(),
    connect: async () => ({
      channel,
      ended: Promise.resolve({ exitCode: 0, stderr: "" }),
      kill: () => channel.close(),
    }),
    program: "near",
    signal: new AbortController().signal,
  });
}

function far(channel: Channel): Promise<void> {
  const stream = new SessionStream(channel, ["the near side"]);
  return serveSync({ stream, ports: farPorts(), program: "far" });
}

/** All that both sides said in a copy that went well. */
async function recorded(): Promise<Readonly<Record<"source" | "destination", Buffer>>> {
  const said = { source: [] as Buffer[], destination: [] as Buffer[] };
  const { source, destination } = memoryConnection({
    tap(direction, bytes) {
      said[direction].push(Buffer.from(bytes));
      return bytes;
    },
  });
  const serving = far(destination);
  await near(source);
  await serving;
  return { source: Buffer.concat(said.source), destination: Buffer.concat(said.destination) };
}

/** Says `bytes`, and then nothing more; hears nothing. */
function replay(bytes: Uint8Array): Channel {
  let at = 0;
  let closed = false;
  return {
    async read() {
      const part = bytes.slice(at, at + 700);
      at += part.length;
      return closed || part.length === 0 ? undefined : part;
    },
    async write() {},
    close() {
      closed = true;
    },
  };
}

test("the near side's words", async () => {
  const { source: all } = await recorded();
  // The engine's part has tests of its own, and is another one each time.
  const source = all.subarray(0, all.indexOf('"lookAtAll":false}\n') + 60);
  const { failures } = await survivesMutation([source], (bytes) => far(replay(bytes)), {
    count: 150,
  });
  expect(failures).toBeGreaterThan(10);
});

test("the far side's words", async () => {
  const { destination: all } = await recorded();
  const destination = all.subarray(0, all.indexOf('"ready":true}\n') + 60);
  const { failures } = await survivesMutation([destination], (bytes) => near(replay(bytes)), {
    count: 150,
  });
  // Its key is another one each time, so no replay ends well.
  expect(failures).toBe(150);
});
