/**
 * `side.ts destination FILE [RECORD]` over stdin and stdout, or `side.ts source FILE COMMAND [LOOKS]`, which starts the
 * other side itself: the engine alone, for the bench. What it took is one line of JSON on stderr.
 */
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { PipeReader } from "../../../src/host/local/pipe-reader.ts";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { openSyncSource } from "../../../src/host/local/sync-source.ts";
import { openSyncTarget } from "../../../src/host/local/sync-target.ts";
import type { CopyRecord } from "../../../src/sync/device.ts";
import { newKey } from "../../../src/sync/digests.ts";
import { KEY_BYTES, TAG_BYTES } from "../../../src/sync/frames.ts";
import { receive } from "../../../src/sync/receiver.ts";
import type { SegmentRun } from "../../../src/sync/segment-runs.ts";
import { send } from "../../../src/sync/sender.ts";
import { streamChannel } from "../../../src/sync/stream-channel.ts";

const [, , role, path = "", third, fourth] = process.argv;
const program = "bench";
const result = role === "source" ? await source(third!, fourth) : await destination(third);
const { maxRSS, userCPUTime, systemCPUTime } = process.resourceUsage();
const took = { peakMib: maxRSS / 1024, cpuMs: (userCPUTime + systemCPUTime) / 1000 };
console.error(JSON.stringify({ role, ...result, digest: undefined, ...took }));

async function source(command: string, looksPath?: string) {
  await using device = await openSyncSource(path);
  const child = spawn("sh", ["-c", `exec ${command}`], { stdio: ["pipe", "pipe", "inherit"] });
  const channel = streamChannel({ input: child.stdout, output: child.stdin, where: ["far side"] });
  const looks = looksPath && (JSON.parse(readFileSync(looksPath, "utf8")) as SegmentRun[]);
  const { identity } = device;
  return await send({ source: device, channel, identity, program, ...(looks && { looks }) });
}

async function destination(recordPath?: string) {
  await using target = await openSyncTarget(path);
  const where = ["near side"];
  const reader = new PipeReader(0, where);
  const output = new Socket({ fd: 1, readable: false, writable: true });
  const streams = streamChannel({ input: reader.socket, output, where });
  const channel = { ...streams, read: () => reader.read() };
  const kept = recordPath === undefined ? undefined : keptTags(recordPath, target.size);
  return await receive({ target, channel, program, ...kept });
}

/** The least that a record has to do: the key, and a tag for each segment, in one file. */
function keptTags(file: string, sizeBytes: number) {
  const count = Math.ceil(sizeBytes / (1 << 20));
  const bytes = existsSync(file)
    ? readFileSync(file)
    : Buffer.concat([newKey(), new Uint8Array(count * TAG_BYTES)]);
  const at = (segment: number) => KEY_BYTES + segment * TAG_BYTES;
  const known = existsSync(file);
  const record: CopyRecord = {
    knownTag: (segment) => (known ? bytes.subarray(at(segment), at(segment + 1)) : undefined),
    async begin() {},
    verified(segments) {
      for (const { segment, tag } of segments) bytes.set(tag, at(segment));
    },
    async finish() {
      writeFileSync(file, bytes);
    },
  };
  return { record, key: bytes.subarray(0, KEY_BYTES) };
}
