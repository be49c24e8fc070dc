/** The images of the bench: what a disk of a guest looks like, and what has changed on it since the last copy. */
import { randomFillSync } from "node:crypto";
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";

const MIB = 1 << 20;
const BLOCK = 4096;
/** Of each changed MiB: 300 MiB of scattered blocks lie in about 650 MiB. */
const CHANGED_BLOCKS = 118;

/** Of 8 stretches of 64 MiB three are used: 3 GiB of 8. Half of it is noise, half packs to a third. */
const STRETCH_MIB = 64;
const USED = new Set([0, 3, 5]);

/** A sparse file. The numbers of its MiB that are used. */
export function makeImage(
  path: string,
  sizeMib: number,
  isUsed = (at: number) => USED.has(Math.floor(at / STRETCH_MIB) % 8),
): readonly number[] {
  const fd = openSync(path, "w");
  const used: number[] = [];
  ftruncateSync(fd, sizeMib * MIB);
  const bytes = Buffer.alloc(MIB);
  for (let at = 0; at < sizeMib; at++) {
    if (!isUsed(at)) continue;
    randomFillSync(bytes);
    if (at % 2 === 0) for (let i = 0; i + 12 <= MIB; i += 12) bytes.fill(32, i, i + 8);
    writeSync(fd, bytes, 0, MIB, at * MIB);
    used.push(at);
  }
  closeSync(fd);
  return used;
}

export type Changes = {
  /** Of changed 4 KiB blocks. */
  readonly bytes: number;
  /** The MiB that have some. */
  readonly mib: readonly number[];
};

/** Changes scattered blocks: 300 MiB in an image of 8 GiB. */
export function changeImage(
  path: string,
  used: readonly number[],
  isChanged = (index: number) => index % 14 < 3,
): Changes {
  const fd = openSync(path, "r+");
  const block = new Uint8Array(BLOCK);
  const mib = used.filter((_, index) => isChanged(index));
  for (const at of mib)
    for (let i = 0; i < CHANGED_BLOCKS; i++)
      writeSync(fd, randomFillSync(block), 0, BLOCK, at * MIB + ((i * 37) % 256) * BLOCK);
  closeSync(fd);
  return { bytes: mib.length * CHANGED_BLOCKS * BLOCK, mib };
}
