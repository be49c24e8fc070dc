/** A filesystem's bytes as they will be after its log has been replayed: some basic blocks are kept in memory. */
import { overLimit } from "../../../../base/failure.ts";
import { MIB } from "../../../../base/units.ts";
import { assertRange } from "../../../source.ts";
import type { ByteSource } from "../../../source.ts";
import { BASIC_BLOCK } from "./ring.ts";

/** What the newest 128 MiB of changes of different blocks are; a log seldom holds that much. */
const MAX_BLOCKS = (128 * MIB) / BASIC_BLOCK;

/** Bytes over those of a source. */
export type Overlay = {
  /** The source with what was written over it. */
  readonly source: ByteSource;
  /** A range outside of the source is `corrupt`, too much of it a `limit` failure. */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /** Whether any of these bytes were written. */
  has(offset: number, length: number): boolean;
};

/** Nothing is ever written to `base`. */
export function overlayOver(base: ByteSource): Overlay {
  const blocks = new Map<number, Uint8Array>();
  const source: ByteSource = {
    size: base.size,
    where: base.where,
    async read(offset, length, signal) {
      assertRange(source, offset, length);
      const bytes = await base.read(offset, length, signal);
      if (blocks.size === 0) return bytes;
      let out: Uint8Array | undefined;
      for (const { block, from, to } of blocksOf(offset, length)) {
        const kept = blocks.get(block);
        if (!kept) continue;
        // What was read may belong to a cache.
        out ??= Uint8Array.from(bytes);
        const start = block * BASIC_BLOCK;
        out.set(kept.subarray(from - start, to - start), from - offset);
      }
      return out ?? bytes;
    },
  };
  return {
    source,
    async write(offset, bytes) {
      assertRange(source, offset, bytes.length);
      for (const { block, from, to } of blocksOf(offset, bytes.length)) {
        const start = block * BASIC_BLOCK;
        let kept = blocks.get(block);
        if (!kept) {
          const length = Math.min(BASIC_BLOCK, base.size - start);
          kept = Uint8Array.from(await base.read(start, length));
          if (blocks.size >= MAX_BLOCKS) {
            throw overLimit(base.where, "what the log changes", "128 MiB");
          }
          blocks.set(block, kept);
        }
        kept.set(bytes.subarray(from - offset, to - offset), from - start);
      }
    },
    has(offset, length) {
      if (blocks.size === 0) return false;
      for (const { block } of blocksOf(offset, length)) if (blocks.has(block)) return true;
      return false;
    },
  };
}

/** The basic blocks that a range touches, and which part of the range is in each. */
function* blocksOf(offset: number, length: number) {
  const end = offset + length;
  for (let block = Math.floor(offset / BASIC_BLOCK); block * BASIC_BLOCK < end; block++) {
    const start = block * BASIC_BLOCK;
    yield { block, from: Math.max(offset, start), to: Math.min(end, start + BASIC_BLOCK) };
  }
}
