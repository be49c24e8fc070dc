/** How a device is cut up: segments that are compared, blocks that are sent (docs/design/sync-protocol.md). */
import { assertInside } from "../base/range.ts";
import { KIB, MIB } from "../base/units.ts";
import type { Extent } from "../disk/source.ts";

export const SEGMENT_BYTES = MIB;
export const BLOCK_BYTES = 4 * KIB;
/** In a whole segment. */
export const BLOCKS_PER_SEGMENT = SEGMENT_BYTES / BLOCK_BYTES;

/** The number of segments of a device; the last one may be shorter. */
export function segmentCount(deviceBytes: number): number {
  return Math.ceil(deviceBytes / SEGMENT_BYTES);
}

/** Where segment `segment` lies. A `corrupt` failure when the device has no such segment. */
export function segmentExtent(deviceBytes: number, segment: number): Extent {
  const offset = segment * SEGMENT_BYTES;
  const length = Math.min(SEGMENT_BYTES, deviceBytes - offset);
  assertInside(["device"], deviceBytes, { offset, length: Math.max(length, 1) });
  return { offset, length };
}

/** The number of blocks in `lengthBytes`; the last one may be shorter. */
export function blockCount(lengthBytes: number): number {
  return Math.ceil(lengthBytes / BLOCK_BYTES);
}
