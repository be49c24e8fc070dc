/**
 * What the system says of a disk, as text that is another one after anybody has written to it: so the tags of an earlier run can
 * be believed without reading. What it cannot tell, and why each part is there: docs/design/copy-record.md.
 */
import type { BigIntStats } from "node:fs";
import { stat } from "node:fs/promises";
import { ioFailure } from "../../base/failure.ts";
import { readBootId } from "./boot-id.ts";
import { errnoOf } from "./errno.ts";
import { deviceNumber } from "./device-identity.ts";
import { readText } from "./read-text.ts";
import { writtenSectors } from "./write-counters.ts";

/** Times of files advance with the kernel's tick, 10 ms at most. */
const TICK_MS = 20;

/** Nothing: the system cannot tell. Nobody may write meanwhile, and what was written has been flushed. */
export async function readTargetWitness(path: string): Promise<string> {
  const stats = await look(path);
  if (stats.isFile()) return fileWitness(path, stats);
  return stats.isBlockDevice() ? deviceWitness(stats) : "";
}

/** Why `now` is not `then`, for people; undefined when they are the same and say something. */
export function explainWitness(then: string, now: string): string | undefined {
  if (then === "") return "the last run was cut off before it could say what it left";
  if (now === "") return "the system does not count what is written to it";
  if (then === now) return undefined;
  const boot = /boot=(\S+)/;
  if (then.startsWith("device") && boot.exec(then)?.[1] !== boot.exec(now)?.[1])
    return "the host was started again since, and does not know who wrote to the device before";
  return "something wrote to it since";
}

async function fileWitness(path: string, first: BigIntStats): Promise<string> {
  const stats = await settledStats(path, first);
  if (!stats) return "";
  return `file ino=${stats.ino} size=${stats.size} mtime=${stats.mtimeNs} ctime=${stats.ctimeNs}`;
}

/**
 * A write in the same tick would leave the times as they are: only when the tick is over they say something. Undefined: the file
 * is being written, or has times of the future: another clock gave them.
 */
export async function settledStats(
  path: string,
  first: BigIntStats,
): Promise<BigIntStats | undefined> {
  let stats = first;
  for (let i = 0; i < 5; i++) {
    const ageMs = Date.now() - Number(newest(stats) / 1_000_000n);
    if (ageMs > TICK_MS) return stats;
    await new Promise((resolve) => setTimeout(resolve, 2 * TICK_MS));
    stats = await look(path);
  }
  return undefined;
}

function newest({ mtimeNs, ctimeNs }: BigIntStats): bigint {
  return mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
}

/**
 * The kernel counts what is written to each device and each partition; `diskseq` tells a device from the next one of the
 * same number. The disk around a partition counts too: through it anybody can write to the partition.
 */
async function deviceWitness({ rdev }: BigIntStats): Promise<string> {
  const sys = `/sys/dev/block/${deviceNumber(rdev)}`;
  const isPartition = (await readText(`${sys}/partition`)) !== undefined;
  const disk = isPartition ? `${sys}/..` : sys;
  const boot = readBootId();
  const [sequence, counted, size, own, whole] = await Promise.all([
    readText(`${disk}/diskseq`),
    readText(`${disk}/queue/iostats`),
    readText(`${sys}/size`),
    readText(`${sys}/stat`),
    readText(`${disk}/stat`),
  ]);
  const [ours, all] = [writtenSectors(own), writtenSectors(whole)];
  if (!boot || !sequence || counted !== "1" || !size || !ours || !all) return "";
  return `device boot=${boot} seq=${sequence} size=${size} wrote=${ours} disk=${all}`;
}

async function look(path: string): Promise<BigIntStats> {
  try {
    return await stat(path, { bigint: true });
  } catch (error) {
    throw ioFailure([path], "look at", errnoOf(error), error);
  }
}
