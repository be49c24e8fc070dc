/** Where the metadata of a thin pool has checksums: in each block of 4 KiB that is a superblock or a node. */
import {
  BTREE_CSUM_XOR,
  METADATA_BLOCK_BYTES,
  metadataChecksum,
  SUPERBLOCK_CSUM_XOR,
} from "../../../src/disk/dm/metadata-block.ts";
import { numberBytes, viewOf } from "./seal.ts";
import type { Seal } from "./seal.ts";

export function thinSeals(input: Uint8Array): Seal[] {
  const seals: Seal[] = [];
  const view = viewOf(input);
  for (let at = 0; at + METADATA_BLOCK_BYTES <= input.length; at += METADATA_BLOCK_BYTES) {
    const sum = (bytes: Uint8Array, xor: number) =>
      metadataChecksum(bytes.subarray(at, at + METADATA_BLOCK_BYTES), xor);
    const stored = view.getUint32(at, true);
    const kind = [SUPERBLOCK_CSUM_XOR, BTREE_CSUM_XOR].find((xor) => sum(input, xor) === stored);
    if (kind === undefined) continue;
    seals.push({
      covers: [{ at: at + 4, length: METADATA_BLOCK_BYTES - 4 }],
      renew: (damaged) => [{ at, bytes: numberBytes(sum(damaged, kind), 4) }],
    });
  }
  return seals;
}
