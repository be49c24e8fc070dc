/** The other half of a proof: what a filesystem says it does not use is overwritten. */
import { closeSync, openSync, writeSync } from "node:fs";
import type { Extent } from "../../../src/disk/source.ts";

/** Overwrites the bytes between the extents with `fill`; gives how many there were. */
export function wipeOutside(
  image: string,
  extents: readonly Extent[],
  size: number,
  fill: number,
): number {
  const fd = openSync(image, "r+");
  const rubbish = Buffer.alloc(1 << 20, fill);
  let wiped = 0;
  let at = 0;
  for (const { offset, length } of [...extents, { offset: size, length: 0 }]) {
    for (; at < offset;) {
      const part = Math.min(rubbish.length, offset - at);
      writeSync(fd, rubbish, 0, part, at);
      at += part;
      wiped += part;
    }
    at = offset + length;
  }
  closeSync(fd);
  return wiped;
}
