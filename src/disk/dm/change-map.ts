import { corrupt } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { Extent } from "../source.ts";

/** 16 MiB. */
const MAX_BITS = 2 ** 27;

export type ChangeMapOptions = {
  /** In bytes. */
  readonly deviceBytes: number;
  /** In what units changes are told: chunks or blocks. */
  readonly chunkBytes: number;
  readonly where: Where;
  /** More chunks than these share a bit. For tests. */
  readonly maxBits?: number;
};

/**
 * Which chunks of a device changed, told in any order, some of them twice. A bitmap, so that memory does not depend on how
 * much changed; of a device with very many chunks a bit stands for several, and what is told too much is only read in vain.
 */
export class ChangeMap {
  readonly #bits: Uint8Array;
  readonly #chunkCount: number;
  readonly #chunksPerBit: number;
  readonly #bitBytes: number;
  readonly #options: ChangeMapOptions;

  constructor(options: ChangeMapOptions) {
    const { deviceBytes, chunkBytes, maxBits = MAX_BITS } = options;
    this.#options = options;
    this.#chunkCount = Math.ceil(deviceBytes / chunkBytes);
    this.#chunksPerBit = 1;
    while (this.#chunkCount / this.#chunksPerBit > maxBits) this.#chunksPerBit *= 2;
    this.#bitBytes = this.#chunksPerBit * chunkBytes;
    this.#bits = new Uint8Array(Math.ceil(this.#chunkCount / this.#chunksPerBit / 8));
  }

  /** A `corrupt` failure when the device has no such chunk. */
  add(chunk: number): void {
    if (!(chunk < this.#chunkCount)) {
      throw corrupt(
        this.#options.where,
        `a change of chunk ${chunk}`,
        `a chunk below ${this.#chunkCount}`,
      );
    }
    const bit = Math.floor(chunk / this.#chunksPerBit);
    this.#bits[bit >>> 3]! |= 1 << (bit & 7);
  }

  /** Everything from that byte on. */
  addFrom(offset: number): void {
    const { deviceBytes, chunkBytes } = this.#options;
    for (let at = offset; at < deviceBytes; at += this.#bitBytes) {
      this.add(Math.floor(at / chunkBytes));
    }
    if (offset < deviceBytes) this.add(this.#chunkCount - 1);
  }

  /** What was added, ascending, in whole chunks that end with the device. */
  extents(): Extent[] {
    const extents: Extent[] = [];
    const bitCount = Math.ceil(this.#chunkCount / this.#chunksPerBit);
    let start = -1;
    for (let bit = 0; bit <= bitCount; bit++) {
      // Most bytes of a large map are empty: they are stepped over whole.
      if (start < 0 && (bit & 7) === 0 && this.#bits[bit >>> 3] === 0) {
        bit += 7;
        continue;
      }
      const isSet = bit < bitCount && (this.#bits[bit >>> 3]! & (1 << (bit & 7))) !== 0;
      if (isSet && start < 0) start = bit;
      if (isSet || start < 0) continue;
      const offset = start * this.#bitBytes;
      const end = Math.min(bit * this.#bitBytes, this.#options.deviceBytes);
      extents.push({ offset, length: end - offset });
      start = -1;
    }
    return extents;
  }
}
