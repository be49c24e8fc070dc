/**
 * `sync-side.ts source|destination FILE`: one side of a run over stdin and stdout, for the bench. What it took is one
 * line of JSON on stderr.
 */
import { constants, openSync, writeSync } from "node:fs";
import { open } from "node:fs/promises";
import { openLocalBlock } from "../../src/host/local/block.ts";
import { openSegmentTagger } from "../../src/host/local/segment-tagger.ts";
import type { SyncTarget } from "../../src/sync/device.ts";
import { receive } from "../../src/sync/receiver.ts";
import { send } from "../../src/sync/sender.ts";
import { streamChannel } from "../../src/sync/stream-channel.ts";

const [, , role, path = ""] = process.argv;
const channel = streamChannel({ input: process.stdin, output: process.stdout, where: ["peer"] });
await using device = await openLocalBlock(path, [path]);
const result =
  role === "source"
    ? await send({
        source: { ...device, openTagger },
        channel,
        identity: new Uint8Array(32),
        program: "bench",
      })
    : await receive({ target: await openTarget(), channel, program: "bench" });
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage();
const sides = { cpuMs: (userCPUTime + systemCPUTime) / 1000, peakMib: maxRSS / 1024 };
console.error(JSON.stringify({ ...result, digest: undefined, ...sides }));

function openTagger(key: Uint8Array) {
  return openSegmentTagger({ fd: openSync(path, "r"), key, where: [path] });
}

async function openTarget(): Promise<SyncTarget> {
  const handle = await open(path, constants.O_RDWR);
  const zeroes = new Uint8Array(1 << 20);
  const write = async (offset: number, bytes: Uint8Array) => {
    // Not through the thread pool: that costs 25 us for each run of blocks.
    if (writeSync(handle.fd, bytes, 0, bytes.length, offset) !== bytes.length)
      throw new Error("a short write");
  };
  return {
    ...device,
    openTagger,
    write,
    zero: (offset, length) => write(offset, zeroes.subarray(0, length)),
    flush: () => handle.datasync(),
  };
}
