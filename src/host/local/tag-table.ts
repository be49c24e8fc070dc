/** The table of a record: a tag of 16 bytes for each segment, at its place in the file; zeroes where none is known. */
import { readSync, writeSync } from "node:fs";
import { TABLE_OFFSET, tagOffset } from "../../sync/record-format.ts";

const TAG_BYTES = 16;
/** 64 KiB of the file, 4 GiB of the device: what is in memory, whatever the size of the device. */
const WINDOW_TAGS = 4096;

/** Reads tags of an earlier run, in any order, fast when it ascends. What cannot be read is not known. */
export class TagReader {
  readonly #fd: number;
  readonly #count: number;
  readonly #window = new Uint8Array(WINDOW_TAGS * TAG_BYTES);
  #first = -1;

  /** `count` segments; whatever lies behind them in the file is not looked at. */
  constructor(fd: number, count: number) {
    this.#fd = fd;
    this.#count = count;
  }

  get(segment: number): Uint8Array | undefined {
    if (!(segment >= 0 && segment < this.#count)) return undefined;
    const first = segment - (segment % WINDOW_TAGS);
    if (first !== this.#first) this.#fill(first);
    const at = (segment - first) * TAG_BYTES;
    const tag = this.#window.subarray(at, at + TAG_BYTES);
    // A real one of zeroes is as likely as a guessed key, and is only read once more.
    return tag.some((byte) => byte !== 0) ? tag.slice() : undefined;
  }

  #fill(first: number): void {
    this.#first = first;
    this.#window.fill(0);
    try {
      for (let done = 0; done < this.#window.length;) {
        const left = this.#window.length - done;
        const got = readSync(this.#fd, this.#window, done, left, tagOffset(first) + done);
        if (got === 0) break;
        done += got;
      }
    } catch {
      this.#window.fill(0);
    }
  }
}

/** Writes tags in ascending order; leaves holes for those that are left out. */
export class TagWriter {
  readonly #fd: number;
  readonly #window = new Uint8Array(WINDOW_TAGS * TAG_BYTES);
  /** Of the segment after the last one that was put. */
  #next = 0;
  #held = 0;
  #count = 0;
  #failed = false;

  constructor(fd: number) {
    this.#fd = fd;
  }

  get next(): number {
    return this.#next;
  }

  put(segment: number, tag: Uint8Array): void {
    if (segment !== this.#next || this.#held === WINDOW_TAGS) this.#write();
    this.#window.set(tag, this.#held * TAG_BYTES);
    this.#held += 1;
    this.#count += 1;
    this.#next = segment + 1;
  }

  /** How many tags the file has now: none when one could not be written, for a copy is not given up for its index. */
  end(): number {
    this.#write();
    return this.#failed ? 0 : this.#count;
  }

  #write(): void {
    const bytes = this.#window.subarray(0, this.#held * TAG_BYTES);
    const at = TABLE_OFFSET + (this.#next - this.#held) * TAG_BYTES;
    this.#held = 0;
    try {
      for (let done = 0; done < bytes.length && !this.#failed;)
        done += writeSync(this.#fd, bytes, done, bytes.length - done, at + done);
    } catch {
      this.#failed = true;
    }
  }
}
