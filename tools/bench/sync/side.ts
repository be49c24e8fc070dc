/**
 * `side.ts destination FILE` over stdin and stdout, or `side.ts source FILE COMMAND [LOOKS]`, which starts the
 * other side itself: the engine alone, for the bench. What it took is one line of JSON on stderr.
 */
import { spawn } from "node:child_process";
import { Socket } from "node:net";
import { PipeReader } from "../../../src/host/local/pipe-reader.ts";
import { readFileSync } from "node:fs";
import { openSyncSource } from "../../../src/host/local/sync-source.ts";
import { keepYoungHeapSmall } from "../../../src/host/local/young-heap.ts";
import { openSyncTarget } from "../../../src/host/local/sync-target.ts";
import { receive } from "../../../src/sync/receiver.ts";
import type { SegmentRun } from "../../../src/sync/segment-runs.ts";
import { send } from "../../../src/sync/sender.ts";
import { streamChannel } from "../../../src/sync/stream-channel.ts";

const [, , role, path = "", third, fourth] = process.argv;
const program = "bench";
keepYoungHeapSmall();
const result = role === "source" ? await source(third!, fourth) : await destination();
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

async function destination() {
  await using target = await openSyncTarget(path);
  const where = ["near side"];
  const reader = new PipeReader(0, where);
  const output = new Socket({ fd: 1, readable: false, writable: true });
  const streams = streamChannel({ input: reader.socket, output, where });
  const channel = { ...streams, read: () => reader.read() };
  return await receive({ target, channel, program });
}
