/** Where btrfs has checksums: its superblocks, and every block that carries the filesystem's id. CRC-32C only. */
import { crc32c } from "../../../src/bytes/crc32c.ts";
import { hasText, simpleSeal, viewOf } from "./seal.ts";
import type { Seal } from "./seal.ts";

const SUPERBLOCKS = [65_536, 64 * 1024 * 1024];
const SUPERBLOCK_SIZE = 4096;
/** The checksum's field; what follows it is covered. */
const FIELD = 32;

/** Empty when it is no btrfs. */
export function btrfsSeals(input: Uint8Array): Seal[] {
  const [first] = SUPERBLOCKS as [number];
  if (!hasText(input, first + 64, "_BHRfS_M")) return [];
  const view = viewOf(input);
  const seal = (at: number, length: number) =>
    simpleSeal({ at: at + FIELD, length: length - FIELD }, at, (bytes) => crc32c(bytes));
  const seals = SUPERBLOCKS.filter((at) => hasText(input, at + 64, "_BHRfS_M")).map((at) =>
    seal(at, SUPERBLOCK_SIZE),
  );
  const sector = view.getUint32(first + 144, true);
  const node = view.getUint32(first + 148, true);
  const id = Buffer.from(input.subarray(first + 32, first + 48));
  for (let at = 0; at + node <= input.length; at += sector) {
    if (SUPERBLOCKS.includes(at)) continue;
    if (id.equals(input.subarray(at + 32, at + 48))) seals.push(seal(at, node));
  }
  return seals;
}
