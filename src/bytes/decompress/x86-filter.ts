/**
 * The x86 branch filter of xz (filter id 4), which the kernel's build uses: before compression the relative targets
 * of CALL (E8) and JMP (E9) are made absolute, so that calls of one function look alike. This undoes it.
 * Facts: linux: lib/xz/xz_dec_bcj.c, Bra86.c of the LZMA SDK (public domain).
 */

/** An opcode and its operand. */
const INSTRUCTION = 5;

/**
 * How far before an opcode another one lies that was left alone, by the mask of the last three bytes (bit 0: the
 * byte before). Masks with two bits, where the encoder leaves the operand alone, are absent.
 */
const OVERLAP: readonly (number | undefined)[] = [0, 1, 2, undefined, 3];

/** Undoes the filter in a stream that comes in chunks; at most 4 bytes are held back between them. */
export class X86Filter {
  #held: Uint8Array = new Uint8Array(0);
  /** Offset of `#held` in the stream, 32 bits. */
  #offset: number;
  /** Bit n: the byte n + 1 before `#held` is an opcode that was left alone. */
  #mask = 0;

  constructor(startOffset = 0) {
    this.#offset = startOffset | 0;
  }

  /** The next bytes that are certain: may be fewer than came in, or more. */
  push(chunk: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(this.#held.length + chunk.length);
    bytes.set(this.#held);
    bytes.set(chunk, this.#held.length);
    const end = this.#undo(bytes);
    this.#held = bytes.slice(end);
    this.#offset = (this.#offset + end) | 0;
    return bytes.subarray(0, end);
  }

  /** What is held back at the end of the stream; no whole instruction fits into it, so it stays as it is. */
  finish(): Uint8Array {
    return this.#held;
  }

  /** Works in place; returns how many bytes are done. */
  #undo(bytes: Uint8Array): number {
    let mask = this.#mask;
    let last = -1; // the last byte that `mask` is about
    let i = 0;
    while (i + INSTRUCTION <= bytes.length) {
      if ((bytes[i]! & 0xfe) !== 0xe8) {
        i += 1;
        continue;
      }
      const distance = i - last - 1;
      mask = distance > 2 ? 0 : (mask << distance) & 7;
      const overlap = OVERLAP[mask];
      if (
        overlap === undefined ||
        !isSignByte(bytes[i + 4]!) ||
        (overlap > 0 && isSignByte(bytes[i + 4 - overlap]!))
      ) {
        mask = (mask << 1) | 1;
        last = i;
        i += 1;
        continue;
      }
      relate(bytes, i, this.#offset + i + INSTRUCTION, overlap);
      mask = 0;
      i += INSTRUCTION;
      last = i - 1;
    }
    const passed = i - last - 1;
    this.#mask = passed > 2 ? 0 : (mask << passed) & 7;
    return i;
  }
}

/** The operand is 32 bits of which the top byte only extends the sign: the target is within 16 MiB. */
function isSignByte(byte: number): boolean {
  return byte === 0 || byte === 0xff;
}

/** Makes the operand of the opcode at `i` relative to `next`, the offset of the instruction after it. */
function relate(bytes: Uint8Array, i: number, next: number, overlap: number): void {
  const absolute =
    bytes[i + 1]! | (bytes[i + 2]! << 8) | (bytes[i + 3]! << 16) | (bytes[i + 4]! << 24);
  let relative = (absolute - next) | 0;
  if (overlap > 0) {
    // The encoder saw to it that the byte which stopped the earlier opcode's conversion does not look like a sign
    const shift = 24 - 8 * overlap;
    if (isSignByte((relative >>> shift) & 0xff)) {
      relative = ((relative ^ ((0x100 << shift) - 1)) - next) | 0;
    }
  }
  bytes[i + 1] = relative;
  bytes[i + 2] = relative >> 8;
  bytes[i + 3] = relative >> 16;
  bytes[i + 4] = (relative >> 24) & 1 ? 0xff : 0;
}
