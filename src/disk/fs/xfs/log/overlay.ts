/** A filesystem's bytes as they will be after its log has been replayed: some basic blocks are kept in memory. */
import { MIB } from "../../../../base/units.ts";
import { assertRange } from "../../../source.ts";
import type { ByteSource } from "../../../source.ts";
import { ENTRY_COST } from "./replay-memory.ts";
import type { ReplayMemory } from "./replay-memory.ts";
import { BASIC_BLOCK } from "./ring.ts";

/** Kept together, so that a block costs little more than its bytes. */
const BLOCKS_PER_SLAB = MIB / BASIC_BLOCK;

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
export function overlayOver(base: ByteSource, memory: ReplayMemory): Overlay {
  const slots = new Map<number, number>();
  const slabs: Uint8Array[] = [];

  /** The kept bytes of a block. */
  function kept(slot: number): Uint8Array {
    const at = (slot % BLOCKS_PER_SLAB) * BASIC_BLOCK;
    return slabs[Math.floor(slot / BLOCKS_PER_SLAB)]!.subarray(at, at + BASIC_BLOCK);
  }

  /** Begins to keep a block, as it is so far. */
  async function keep(block: number): Promise<Uint8Array> {
    const slot = slots.size;
    memory.take(ENTRY_COST, base.where);
    if (slot % BLOCKS_PER_SLAB === 0) {
      memory.take(MIB, base.where);
      slabs.push(new Uint8Array(MIB));
    }
    const start = block * BASIC_BLOCK;
    const bytes = kept(slot);
    bytes.set(await base.read(start, Math.min(BASIC_BLOCK, base.size - start)));
    slots.set(block, slot);
    return bytes;
  }

  const source: ByteSource = {
    size: base.size,
    where: base.where,
    async read(offset, length, signal) {
      assertRange(source, offset, length);
      const bytes = await base.read(offset, length, signal);
      if (slots.size === 0) return bytes;
      let out: Uint8Array | undefined;
      for (const { block, from, to } of blocksOf(offset, length)) {
        const slot = slots.get(block);
        if (slot === undefined) continue;
        // What was read may belong to a cache.
        out ??= Uint8Array.from(bytes);
        const start = block * BASIC_BLOCK;
        out.set(kept(slot).subarray(from - start, to - start), from - offset);
      }
      return out ?? bytes;
    },
  };
  return {
    source,
    async write(offset, bytes) {
      assertRange(source, offset, bytes.length);
      for (const { block, from, to } of blocksOf(offset, bytes.length)) {
        const slot = slots.get(block);
        const into = slot === undefined ? await keep(block) : kept(slot);
        into.set(bytes.subarray(from - offset, to - offset), from - block * BASIC_BLOCK);
      }
    },
    has(offset, length) {
      if (slots.size === 0) return false;
      for (const { block } of blocksOf(offset, length)) if (slots.has(block)) return true;
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
