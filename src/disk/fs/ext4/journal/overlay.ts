/** A filesystem's bytes as they will be after its journal has been replayed: some blocks come from the journal. */
import { assertRange } from "../../../source.ts";
import type { ByteSource } from "../../../source.ts";
import { JBD2_MAGIC_NUMBER } from "./superblock.ts";

/** Which blocks to take from the journal. Only places are kept, no contents. */
export type ReplayedBlocks = {
  readonly blockSizeBytes: number;
  /** The journal's blocks. */
  readonly journal: ByteSource;
  /** Filesystem block to the journal block that has the newest copy of it. */
  readonly copies: ReadonlyMap<number, number>;
  /** Filesystem blocks whose copy has zeroes where the journal's magic number would have confused the log. */
  readonly escaped: ReadonlySet<number>;
};

/** `source` is the one that the copies were found in. */
export function replayedSource(source: ByteSource, replayed: ReplayedBlocks): ByteSource {
  const { blockSizeBytes: size, journal, copies, escaped } = replayed;
  if (copies.size === 0) return source;
  const overlay: ByteSource = {
    size: source.size,
    where: source.where,
    async read(offset, length, signal, into) {
      assertRange(overlay, offset, length);
      const bytes = await source.read(offset, length, signal, into);
      let out: Uint8Array | undefined;
      const end = offset + length;
      for (let block = Math.floor(offset / size); block * size < end; block++) {
        const copy = copies.get(block);
        if (copy === undefined) continue;
        // What was read may belong to a cache.
        out ??= Uint8Array.from(bytes);
        const from = Math.max(offset, block * size);
        const to = Math.min(end, (block + 1) * size);
        const inBlock = from - block * size;
        out.set(await journal.read(copy * size + inBlock, to - from, signal), from - offset);
        if (escaped.has(block)) restoreMagic(out, block * size - offset);
      }
      return out ?? bytes;
    },
  };
  return overlay;
}

/** `at` is where the block begins in `out`; it may be before or after it. */
function restoreMagic(out: Uint8Array, at: number): void {
  for (let i = 0; i < 4; i++) {
    if (at + i >= 0 && at + i < out.length)
      out[at + i] = (JBD2_MAGIC_NUMBER >>> (24 - 8 * i)) & 0xff;
  }
}
