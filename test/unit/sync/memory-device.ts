import { createHash } from "node:crypto";
import { assertInside } from "../../../src/base/range.ts";
import type { SyncTarget } from "../../../src/sync/device.ts";
import { SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { randomSource } from "../../support/mutate.ts";

export type MemoryDevice = SyncTarget & {
  readonly bytes: Uint8Array;
  readonly writes: { readonly offset: number; readonly length: number; readonly zero: boolean }[];
  flushes: number;
};

/** A device over `bytes`, which a test may look at and change. Like a real one it gives copies. */
export function memoryDevice(bytes: Uint8Array): MemoryDevice {
  const where = ["memory"];
  const device: MemoryDevice = {
    bytes,
    size: bytes.length,
    where,
    writes: [],
    flushes: 0,
    async read(offset, length, _signal, into) {
      assertInside(where, bytes.length, { offset, length });
      const out = into ?? new Uint8Array(length);
      out.set(bytes.subarray(offset, offset + length));
      return out;
    },
    async write(offset, part) {
      assertInside(where, bytes.length, { offset, length: part.length });
      bytes.set(part, offset);
      device.writes.push({ offset, length: part.length, zero: false });
    },
    async zero(offset, length) {
      assertInside(where, bytes.length, { offset, length });
      bytes.fill(0, offset, offset + length);
      device.writes.push({ offset, length, zero: true });
    },
    async flush() {
      device.flushes += 1;
    },
  };
  return device;
}

export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** Bytes as disks have them: runs of zeroes, of text that packs well, and of noise. */
export function diskBytes(sizeBytes: number, seed: number): Uint8Array {
  const random = randomSource(seed);
  const out = Buffer.alloc(sizeBytes);
  for (let at = 0; at < sizeBytes;) {
    const length = Math.min(sizeBytes - at, 1 + random(SEGMENT_BYTES));
    const kind = random(3);
    if (kind === 1) out.fill(`line ${random(1000)} of a log\n`, at, at + length);
    if (kind === 2)
      for (let i = at; i + 4 <= at + length; i += 4) out.writeUInt32LE(random(2 ** 32), i);
    at += length;
  }
  return out;
}

/** A copy with `changes` runs changed, made zero or moved, most of them small. */
export function changedBytes(bytes: Uint8Array, changes: number, seed: number): Uint8Array {
  const random = randomSource(seed);
  const out = Uint8Array.from(bytes);
  for (let i = 0; i < changes && out.length > 0; i++) {
    const at = random(out.length);
    const length = Math.min(
      1 + random(random(8) === 0 ? 3 * SEGMENT_BYTES : 9000),
      out.length - at,
    );
    if (random(3) === 0) out.fill(0, at, at + length);
    else if (random(2) === 0) out.copyWithin(at, random(out.length - length + 1), at + length);
    else out.fill(random(256), at, at + length);
  }
  return out;
}
