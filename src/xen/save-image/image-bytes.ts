/** How the bytes of a save image are had: small pieces far apart, for what lies between are gigabytes of pages. */
import type { Where } from "../../base/where.ts";

/** A file, as far as its reader needs it; every byte source is one. */
export type ImageBytes = {
  /** In bytes. */
  readonly size: number;
  readonly where: Where;
  /** Exactly `length` bytes from `offset`, or a failure; into `into` where it can be used and has that length. */
  read(
    offset: number,
    length: number,
    signal?: AbortSignal,
    into?: Uint8Array,
  ): Promise<Uint8Array>;
};

/** Thrown and caught in this folder: the file ends inside of something. */
export class CutOff extends Error {
  readonly offset: number;
  readonly what: string;

  constructor(offset: number, what: string) {
    super(`the file ends inside ${what}`);
    this.offset = offset;
    this.what = what;
  }
}

/** One block: headers of small records stand side by side, behind that of pages come the pages. */
const CHUNK_BYTES = 4096;

/** Reads ahead by a block, so that many small records cost one read. */
export class ImageWindow {
  readonly #bytes: ImageBytes;
  readonly #signal: AbortSignal | undefined;
  /** One for all reads: an image of 64 GiB has 16,000. */
  readonly #own = new Uint8Array(CHUNK_BYTES);
  #chunk: Uint8Array = new Uint8Array(0);
  #chunkAt = 0;

  constructor(bytes: ImageBytes, signal?: AbortSignal) {
    this.#bytes = bytes;
    this.#signal = signal;
  }

  get size(): number {
    return this.#bytes.size;
  }

  get where(): Where {
    return this.#bytes.where;
  }

  /** `CutOff` when the file ends before `endBytes`. */
  assertHolds(endBytes: number, what: string): void {
    if (endBytes > this.size) throw new CutOff(this.size, what);
  }

  /**
   * `length` bytes from `offset`, good until the next call; `CutOff` when the file ends before. The caller bounds `length`.
   */
  async take(offset: number, length: number, what: string): Promise<Uint8Array> {
    // A sum of sizes from the file stays below 2^53: each is below 2^32, and their number is bounded.
    this.assertHolds(offset + length, what);
    const inside = offset - this.#chunkAt;
    if (inside < 0 || inside + length > this.#chunk.length) {
      const ahead = Math.min(Math.max(length, CHUNK_BYTES), this.size - offset);
      this.#chunk = await this.#bytes.read(offset, ahead, this.#signal, this.#own);
      this.#chunkAt = offset;
      return this.#chunk.subarray(0, length);
    }
    return this.#chunk.subarray(inside, inside + length);
  }
}
