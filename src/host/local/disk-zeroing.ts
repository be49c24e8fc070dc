/**
 * Makes ranges of an open disk read as zero, and gives their space back where that is known to be the same: a hole in a file; on
 * a device what the kernel promises to read as zero, or a discard that has proved to. What is left is written.
 */
import type { ByteSource } from "../../disk/source.ts";
import { KIB, MIB } from "../../base/units.ts";
import type { DiskWriter } from "./disk-writer.ts";
import type { RangeHelper } from "./range-helper.ts";

/** Shorter ranges are written: a hole costs more than the bytes, and cuts a file into pieces. */
const SMALLEST_HOLE_BYTES = 64 * KIB;
/** The kernel takes ranges of a device in logical blocks, and drops its cache in pages. */
const DEVICE_STEP_BYTES = 4 * KIB;

export type ZeroingOptions = {
  readonly kind: "file" | "block-device";
  /** The disk itself, to read back. */
  readonly disk: ByteSource;
  readonly writer: Pick<DiskWriter, "isPending" | "settled" | "zero">;
  readonly helper: Pick<RangeHelper, "do">;
  /** Whether a discarded range of a device reads as zero as long as nobody writes to it. */
  readonly discardsToZero: boolean;
};

type Way = "punch" | "discard" | "write";

export class DiskZeroing {
  readonly #options: ZeroingOptions;
  #way: Way = "punch";

  constructor(options: ZeroingOptions) {
    this.#options = options;
  }

  /** The range lies inside the disk. As for `DiskWriter.write`, what is only written may fail later. */
  async zero(offset: number, length: number): Promise<void> {
    const step = this.#options.kind === "file" ? 1 : DEVICE_STEP_BYTES;
    const from = Math.ceil(offset / step) * step;
    const to = Math.floor((offset + length) / step) * step;
    if (this.#way === "write" || to - from < SMALLEST_HOLE_BYTES)
      return this.#options.writer.zero(offset, length);
    if (from > offset) await this.#options.writer.zero(offset, from - offset);
    await this.#release(from, to - from);
    if (offset + length > to) await this.#options.writer.zero(to, offset + length - to);
  }

  async #release(offset: number, length: number): Promise<void> {
    const { writer, kind, discardsToZero } = this.#options;
    // What is on its way to the range must not arrive after it.
    if (writer.isPending(offset, length)) await writer.settled();
    while (this.#way !== "write") {
      const way: Way = this.#way;
      if (await this.#done(way, offset, length)) {
        if (kind === "file") return;
        return this.#readBack(offset, length);
      }
      this.#way =
        way === "punch" && kind === "block-device" && discardsToZero ? "discard" : "write";
    }
    await writer.zero(offset, length);
  }

  /** Any refusal is an answer: zeroes are written then, and a disk that fails fails to do that too. */
  async #done(way: "punch" | "discard", offset: number, length: number): Promise<boolean> {
    try {
      return (await this.#options.helper.do(way, offset, length)) === undefined;
    } catch {
      return false;
    }
  }

  /** Writes what does not read as zero: a discard may leave out what is not a whole block of its own to the device. */
  async #readBack(offset: number, length: number): Promise<void> {
    const { disk, writer } = this.#options;
    for (let done = 0; done < length; done += MIB) {
      const at = offset + done;
      const bytes = await disk.read(at, Math.min(MIB, length - done));
      if (isZero(bytes)) continue;
      for (let block = 0; block < bytes.length; block += DEVICE_STEP_BYTES) {
        const end = Math.min(block + DEVICE_STEP_BYTES, bytes.length);
        if (!isZero(bytes.subarray(block, end))) await writer.zero(at + block, end - block);
      }
      // The kernel's promise was broken once: it is not believed again.
      if (this.#way === "punch") this.#way = "write";
    }
  }
}

const ZEROES = Buffer.alloc(MIB);

/** Of at most 1 MiB. */
function isZero(bytes: Uint8Array): boolean {
  return ZEROES.compare(bytes, 0, bytes.length, 0, bytes.length) === 0;
}
