/** About how long a copy would take: by reading a little of both disks, and sending a little. */
import { GIB, MIB } from "../../base/units.ts";
import type { Channel } from "../../sync/channel.ts";
import type { SyncPorts } from "./ports.ts";

/** Read of a disk, in pieces spread over it. */
const SAMPLE_BYTES = 32 * MIB;
const PIECE_BYTES = MIB;
/** Sent, in pieces that do not pack. */
const PROBE_BYTES = 16 * MIB;
/** What a processor reads and hashes in a second, when the disk is no limit: the sample is not hashed. */
const HASHED_BYTES = 2 * GIB;

export type Estimate = {
  /** What has to be read at the source. */
  readonly readBytes: number;
  /** Bytes in a second, as measured just now; 0 where there is nothing to read. */
  readonly sourceRate: number;
  readonly destinationRate: number;
  readonly wireRate: number;
  /** When nothing differs, and when all of what is read does. */
  readonly leastSeconds: number;
  readonly mostSeconds: number;
};

/** Bytes in a second; 0 of an empty disk. From memory, when what is read has been read before. */
export async function sampleReading(ports: SyncPorts, path: string): Promise<number> {
  await using device = await ports.openSource(path, { holes: false });
  const pieces = Math.min(SAMPLE_BYTES, device.size) / PIECE_BYTES;
  const started = performance.now();
  let bytes = 0;
  for (let i = 0; i < Math.floor(pieces); i++) {
    const at = Math.floor((i * (device.size - PIECE_BYTES)) / pieces);
    bytes += (await device.read(at, PIECE_BYTES)).length;
  }
  const ms = performance.now() - started;
  return bytes === 0 ? 0 : Math.round((1000 * bytes) / Math.max(ms, 0.1));
}

/** Writes what the other side throws away. That it has come has to be waited for before the time counts. */
export async function sendProbe(channel: Channel): Promise<number> {
  const piece = new Uint8Array(PIECE_BYTES);
  // So much is given at a time.
  for (let at = 0; at < piece.length; at += 65_536)
    crypto.getRandomValues(piece.subarray(at, at + 65_536));
  // As the engine does: some are on their way while others are made.
  const pieces = Array.from({ length: PROBE_BYTES / PIECE_BYTES }, () => channel.write([piece]));
  await Promise.all(pieces);
  return PROBE_BYTES;
}

export type Measured = Pick<
  Estimate,
  "readBytes" | "sourceRate" | "destinationRate" | "wireRate"
> & {
  /** What of the destination has to be read: nothing of a new file. */
  readonly destinationBytes: number;
  /** Of `--bwlimit`; 0 for none. */
  readonly bytesPerSecond: number;
};

/** Pure. Both sides read at the same time. */
export function estimateOf(measured: Measured): Estimate {
  const { readBytes, sourceRate, destinationRate, destinationBytes, bytesPerSecond } = measured;
  const wireRate =
    bytesPerSecond > 0 ? Math.min(bytesPerSecond, measured.wireRate) : measured.wireRate;
  const least = Math.max(
    secondsOf(readBytes, Math.min(sourceRate, HASHED_BYTES)),
    secondsOf(destinationBytes, Math.min(destinationRate, HASHED_BYTES)),
  );
  const mostSeconds = Math.max(least, secondsOf(readBytes, wireRate));
  // A new file differs from all.
  const leastSeconds = destinationBytes === 0 ? mostSeconds : least;
  return { readBytes, sourceRate, destinationRate, wireRate, leastSeconds, mostSeconds };
}

function secondsOf(bytes: number, rate: number): number {
  return bytes === 0 || rate === 0 ? 0 : bytes / rate;
}
