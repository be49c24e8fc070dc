/** A recorded run as a script: one side is real, the other one says what was recorded, damaged on the way. */
import { crc32 } from "node:zlib";
import type { Channel } from "../../../src/sync/channel.ts";
import { CHECKED_BYTES, MAGIC } from "../../../src/sync/frame-stream.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { mutate } from "../../support/mutate.ts";
import { memoryConnection } from "./memory-pipe.ts";
import { memoryDevice } from "./memory-device.ts";

export type Said = {
  /** The magic, or one frame. */
  readonly bytes: Uint8Array;
  /** How many bytes this side had received when it said so. */
  readonly afterBytes: number;
};

export type Recording = {
  readonly source: readonly Said[];
  readonly destination: readonly Said[];
};

export const REPLAY_KEY = new Uint8Array(48).fill(7);

/** What both sides say while `old` becomes `wanted`. */
export async function record(wanted: Uint8Array, old: Uint8Array): Promise<Recording> {
  const connection = memoryConnection();
  const source: Said[] = [];
  const destination: Said[] = [];
  const identity = new Uint8Array(32);
  await Promise.all([
    send({
      source: memoryDevice(wanted),
      channel: noting(connection.source, source),
      identity,
      program: "test",
    }),
    receive({
      target: memoryDevice(Uint8Array.from(old)),
      channel: noting(connection.destination, destination),
      program: "test",
      key: REPLAY_KEY,
    }),
  ]);
  return { source, destination };
}

function noting(channel: Channel, said: Said[]): Channel {
  let afterBytes = 0;
  return {
    ...channel,
    async read() {
      const chunk = await channel.read();
      afterBytes += chunk?.length ?? 0;
      return chunk;
    },
    write(pieces) {
      const bytes = Buffer.concat(pieces);
      const greeting = bytes.subarray(0, MAGIC.length).equals(MAGIC);
      if (greeting) said.push({ bytes: bytes.subarray(0, MAGIC.length), afterBytes: 0 });
      said.push({ bytes: greeting ? bytes.subarray(MAGIC.length) : bytes, afterBytes });
      return channel.write(pieces);
    },
  };
}

const PATIENCE_TURNS = 100;

/** The channel of a side whose other side is `said`, and then nobody. */
export function scripted(said: readonly Said[]): Channel {
  let written = 0;
  let next = 0;
  let closed = false;
  return {
    async read() {
      const one = said[next++];
      // What is said too early would be refused for that alone. A damaged run may never come so far.
      const tooEarly = () => one !== undefined && !closed && written < one.afterBytes;
      for (let turn = 0; turn < PATIENCE_TURNS && tooEarly(); turn++)
        await new Promise((resolve) => setImmediate(resolve));
      return closed ? undefined : one?.bytes;
    },
    async write(pieces) {
      for (const piece of pieces) written += piece.length;
    },
    close() {
      closed = true;
    },
  };
}

const HEAD_BYTES = 9;

/** Damages one or two of the things that are said: their bytes, or fields of frames whose check is right again. */
export function damage(said: readonly Said[], random: (below: number) => number): readonly Said[] {
  const out = [...said];
  for (let i = 0; i <= random(2); i++) {
    const at = random(out.length);
    const one = out[at]!;
    const kind = random(8);
    if (kind === 0) out.splice(at, 1);
    else if (kind === 1) out.splice(random(out.length), 0, one);
    else if (kind === 2) out.splice(at, 1, { ...one, bytes: mutate(one.bytes, random) });
    else if (kind === 3) {
      const other = random(out.length);
      [out[at], out[other]] = [out[other]!, one];
    } else out.splice(at, 1, { ...one, bytes: changedFrame(one.bytes, random) });
    if (out.length === 0) return said.slice(0, 1);
  }
  return out;
}

/** Where fields and runs are, before blocks and digests: what a peer would lie about. */
const FIELDS_BYTES = 48;
const VALUES = [0, 1, 2, 5, 6, 255, 256, 257, 0x7fff, 0x8000, 0x8001, 0x8100, 0xffff];

function changedField(payload: Uint8Array, random: (below: number) => number): Uint8Array {
  const out = Buffer.from(payload);
  for (let i = 0; i <= random(2); i++) {
    // Most fields are even, as are their lengths.
    const at = 2 * random(Math.ceil(Math.min(FIELDS_BYTES, out.length) / 2));
    const value = VALUES[random(VALUES.length)]!;
    if (random(3) > 0 && at + 2 <= out.length) out.writeUInt16LE(value, at);
    else if (random(2) === 0 && at + 4 <= out.length)
      out.writeUInt32LE(value * (1 + random(65_536)), at);
    else out[at] = value & 255;
  }
  return out;
}

function changedFrame(bytes: Uint8Array, random: (below: number) => number): Uint8Array {
  if (bytes.length <= HEAD_BYTES) return mutate(bytes, random);
  const before = bytes.subarray(HEAD_BYTES);
  const payload = random(3) === 0 ? mutate(before, random) : changedField(before, random);
  const out = Buffer.alloc(HEAD_BYTES + payload.length);
  out.writeUInt32LE(payload.length);
  out[8] = random(10) === 0 ? random(18) : bytes[8]!;
  out.set(payload, HEAD_BYTES);
  out.writeUInt32LE(crc32(out.subarray(8, HEAD_BYTES + CHECKED_BYTES)), 4);
  return out;
}
