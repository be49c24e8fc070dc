import { assertRange } from "./source.ts";
import type { ByteSource } from "./source.ts";

export type CacheOptions = {
  /** The unit of reading, in bytes; a power of two. */
  readonly blockSize?: number;
  /** What the cache may hold, in bytes. */
  readonly capacity?: number;
};

/** So that a cache is not put over a cache. */
const caches = new WeakSet<ByteSource>();

/**
 * Remembers recently read blocks (least recently used go first). Metadata is read in small pieces that lie together,
 * so a block is much larger than a sector. A read of several blocks or more passes by: file contents would only
 * push the metadata out. A source that is a cache already is returned as it is.
 */
export function cachedSource(source: ByteSource, options: CacheOptions = {}): ByteSource {
  if (caches.has(source)) return source;
  const blockSize = options.blockSize ?? 32 * 1024;
  const capacity = Math.max(4, Math.floor((options.capacity ?? 32 * 1024 * 1024) / blockSize));
  const blocks = new Map<number, Promise<Uint8Array>>();

  function block(index: number): Promise<Uint8Array> {
    const hit = blocks.get(index);
    if (hit) {
      // Map keeps insertion order: taking it out and in again makes it the youngest.
      blocks.delete(index);
      blocks.set(index, hit);
      return hit;
    }
    const offset = index * blockSize;
    // No signal here: the block is shared by readers, and one of them giving up must not fail the others.
    const read = source.read(offset, Math.min(blockSize, source.size - offset));
    read.catch(() => blocks.delete(index));
    blocks.set(index, read);
    if (blocks.size > capacity) blocks.delete(blocks.keys().next().value as number);
    return read;
  }

  const cached: ByteSource = {
    size: source.size,
    where: source.where,
    async read(offset, length, signal, into) {
      assertRange(cached, offset, length);
      signal?.throwIfAborted();
      if (length === 0) return new Uint8Array(0);
      if (length >= 4 * blockSize) return source.read(offset, length, signal, into);
      const first = Math.floor(offset / blockSize);
      const last = Math.floor((offset + length - 1) / blockSize);
      if (first === last) {
        const bytes = await block(first);
        const from = offset - first * blockSize;
        return bytes.subarray(from, from + length);
      }
      const out = new Uint8Array(length);
      for (let index = first; index <= last; index++) {
        const bytes = await block(index);
        const start = index * blockSize;
        const from = Math.max(offset, start);
        const to = Math.min(offset + length, start + bytes.length);
        out.set(bytes.subarray(from - start, to - start), from - offset);
      }
      return out;
    },
  };
  caches.add(cached);
  return cached;
}
