/**
 * cpio archives as the kernel unpacks them: newc (`070701`) and crc (`070702`), see
 * Documentation/driver-api/early-userspace/buffer-format.rst and Linux init/initramfs.c. A push parser: chunks go in,
 * entries come out, nothing is kept. The odc format (`070707`, also as HP-UX writes it) and the old binary one are
 * recognised and named; the kernel does not read them, and neither does this.
 */
import type { Budget } from "../../base/budget.ts";
import { corrupt, unsupported } from "../../base/failure.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { decodeText, latin1 } from "../../bytes/text.ts";

export type CpioKind = "newc" | "crc" | "odc" | "bin" | "not-cpio";

export type CpioEntry = {
  /** As in the archive: `./usr/lib`, `/etc`, `a//b`. */
  readonly name: string;
  /** st_mode with its type bits. */
  readonly mode: number;
  readonly links: number;
  /** Equal for all names of one file (hard links); only one of them carries the content. */
  readonly inode: string;
  /** Of what follows; 0 for all but one of a file's names. */
  readonly sizeBytes: number;
};

export type CpioSink = {
  /** Every entry but the trailer. True when `content` is to be called for it. */
  entry(entry: CpioEntry): boolean;
  /** The content of the last entry in pieces that are views of what was pushed. */
  content(piece: Uint8Array): void;
};

const HEADER_BYTES = 110;
/** PATH_MAX: the kernel passes over an entry with a longer name, or with none at all. */
const MAX_NAME_BYTES = 4096;

/** The format that `bytes` begin with; six of them are enough. */
export function cpioKind(bytes: Uint8Array): CpioKind {
  switch (latin1(bytes.subarray(0, 6))) {
    case "070701":
      return "newc";
    case "070702":
      return "crc";
    case "070707":
      return "odc";
  }
  const binary =
    (bytes[0] === 0xc7 && bytes[1] === 0x71) || (bytes[0] === 0x71 && bytes[1] === 0xc7);
  return binary ? "bin" : "not-cpio";
}

type Header = {
  readonly inode: string;
  readonly mode: number;
  readonly links: number;
  readonly sizeBytes: number;
  readonly nameBytes: number;
  /** Of a crc archive: the sum of the content's bytes. */
  readonly checksum?: number;
};

type State = "rest" | "header" | "name" | "content" | "padding";

export class CpioReader {
  /** Set by the first header. */
  kind: CpioKind | undefined;
  /** How many entries began, trailers left out. */
  entries = 0;
  /** A trailer was the last thing read. */
  trailer = false;

  readonly #sink: CpioSink;
  readonly #where: Where;
  readonly #budget: Budget;
  #state: State = "rest";
  /** Bytes read, from where the kernel counts for alignment. */
  #position: number;
  /** How many bytes the state still takes. */
  #left = 0;
  /** The beginning of a header or name that a chunk cut in two. */
  readonly #held = new Uint8Array(MAX_NAME_BYTES + 4);
  #heldBytes = 0;
  #header: Header | undefined;
  #wanted = false;
  #sum = 0;

  /**
   * `budget` is spent by one for each entry. `position`: where the archive begins, for the rule that headers lie at
   * multiples of 4.
   */
  constructor(sink: CpioSink, where: Where, options: { budget: Budget; position?: number }) {
    this.#sink = sink;
    this.#where = where;
    this.#budget = options.budget;
    this.#position = options.position ?? 0;
  }

  /**
   * Reads on. Returns the index of the first byte that it did not take: `bytes.length`, or less in front of a byte
   * between entries that is neither NUL nor the `0` of a header; and, with `stopAtTrailer`, behind a trailer.
   */
  push(bytes: Uint8Array, from = 0, stopAtTrailer = false): number {
    let at = from;
    while (at < bytes.length) {
      if (this.#state === "rest") {
        if (stopAtTrailer && this.trailer) return at;
        while (at < bytes.length && bytes[at] === 0) {
          at += 1;
          this.#position += 1;
        }
        if (at >= bytes.length || bytes[at] !== 0x30) return at;
        this.#begin();
      }
      at = this.#step(bytes, at);
    }
    return at;
  }

  /** At the end of the input: a `corrupt` failure when it cuts an entry short. */
  finish(): void {
    if (this.#state === "rest") return;
    throw corrupt(this.#here(), `the end of the data ${this.#left} bytes early`, "a whole entry");
  }

  #here(): Where {
    return within(this.#where, `cpio entry ${this.entries}`);
  }

  #begin(): void {
    if (this.#position % 4 !== 0) {
      throw corrupt(
        this.#here(),
        `a cpio header at byte ${this.#position}`,
        "one at a multiple of 4",
      );
    }
    this.trailer = false;
    this.#enter("header", HEADER_BYTES);
  }

  #enter(state: State, left: number): void {
    this.#state = state;
    this.#left = left;
    this.#heldBytes = 0;
  }

  /** Takes at least one byte, or leaves a state that needs none. */
  #step(bytes: Uint8Array, at: number): number {
    const length = Math.min(this.#left, bytes.length - at);
    const whole = length === this.#left;
    const end = at + length;
    if (this.#state === "content") this.#content(bytes, at, end);
    let field = bytes.subarray(at, end);
    if (this.#state === "header" || this.#state === "name") {
      if (!whole || this.#heldBytes > 0) {
        // Header and name are at most 4098 bytes, which #held is larger than.
        this.#held.set(field, this.#heldBytes);
        this.#heldBytes += length;
        field = this.#held.subarray(0, this.#heldBytes);
      }
      // Small foreign archives may be shorter than a header of this format.
      if (this.#state === "header" && field.length >= 6) this.#checkMagic(field);
    }
    this.#left -= length;
    this.#position += length;
    if (whole) this.#finishState(field);
    return end;
  }

  #finishState(field: Uint8Array): void {
    switch (this.#state) {
      case "header":
        return this.#gotHeader(field);
      case "name":
        return this.#gotName(field);
      case "content":
        return this.#gotContent();
      case "padding":
      case "rest":
        this.#state = "rest";
    }
  }

  #checkMagic(field: Uint8Array): void {
    const kind = cpioKind(field);
    this.kind ??= kind;
    if (kind === "newc" || kind === "crc") return;
    if (kind === "not-cpio") throw corrupt(this.#here(), "no cpio magic", "070701");
    throw unsupported(this.#here(), `the ${kind} cpio format (the kernel reads newc only)`);
  }

  #gotHeader(field: Uint8Array): void {
    this.#budget.spend();
    this.entries += 1;
    const header = this.#parseHeader(field);
    this.#header = header;
    const { nameBytes, sizeBytes } = header;
    if (nameBytes > 0 && nameBytes <= MAX_NAME_BYTES) {
      return this.#enter("name", padded(nameBytes + HEADER_BYTES) - HEADER_BYTES);
    }
    // do_header() jumps over such an entry. At most 2^33: both are 32-bit numbers.
    this.#enter("padding", padded(padded(nameBytes + HEADER_BYTES) + sizeBytes) - HEADER_BYTES);
    if (this.#left === 0) this.#state = "rest";
  }

  #parseHeader(field: Uint8Array): Header {
    const value = (index: number): number => {
      let out = 0;
      for (let at = 6 + index * 8; at < 14 + index * 8; at++) {
        const digit = HEX_DIGITS[field[at]!]!;
        if (digit < 0) {
          const text = latin1(field.subarray(6 + index * 8, 14 + index * 8));
          throw corrupt(this.#here(), `header field ${index} "${text}"`, "8 hexadecimal digits");
        }
        out = out * 16 + digit;
      }
      return out;
    };
    return {
      // Device numbers belong to it: an archive can be of files from several filesystems.
      inode: `${value(7)}:${value(8)}:${value(0)}`,
      mode: value(1),
      links: value(4),
      sizeBytes: value(6),
      nameBytes: value(11),
      ...(cpioKind(field) === "crc" && { checksum: value(12) }),
    };
  }

  #gotName(field: Uint8Array): void {
    const { nameBytes, sizeBytes, mode, links, inode } = this.#header!;
    if (field[nameBytes - 1] !== 0) {
      throw corrupt(this.#here(), "a name without a NUL at its end", "a C string");
    }
    const name = decodeText(cString(field.subarray(0, nameBytes)));
    if (name === "TRAILER!!!") {
      this.trailer = true;
      this.entries -= 1;
      this.#wanted = false;
    } else {
      this.#wanted = this.#sink.entry({ name, mode, links, inode, sizeBytes });
    }
    this.#sum = 0;
    this.#enter("content", sizeBytes);
    if (sizeBytes === 0) this.#state = "rest";
  }

  #content(bytes: Uint8Array, from: number, to: number): void {
    if (this.#wanted) this.#sink.content(bytes.subarray(from, to));
    if (this.#header!.checksum === undefined) return;
    let sum = this.#sum;
    for (let at = from; at < to; at++) sum = (sum + bytes[at]!) >>> 0;
    this.#sum = sum;
  }

  #gotContent(): void {
    const { checksum, mode, sizeBytes } = this.#header!;
    if (checksum !== undefined && isRegular(mode) && this.#sum !== checksum) {
      throw corrupt(this.#here(), `content with the sum ${this.#sum}`, `the sum ${checksum}`);
    }
    this.#enter("padding", padded(sizeBytes) - sizeBytes);
    if (this.#left === 0) this.#state = "rest";
  }
}

/** The value of a hexadecimal digit by its character code, -1 for other bytes. */
const HEX_DIGITS = Int8Array.from({ length: 256 }, (_, code) =>
  "0123456789abcdef".indexOf(String.fromCharCode(code).toLowerCase()),
);

function padded(length: number): number {
  return Math.ceil(length / 4) * 4;
}

function cString(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.indexOf(0));
}

export function isRegular(mode: number): boolean {
  return (mode & 0o170000) === 0o100000;
}

export function isSymlink(mode: number): boolean {
  return (mode & 0o170000) === 0o120000;
}
