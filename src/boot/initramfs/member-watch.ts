/**
 * Looks for a second image in a gzipped initramfs that passes by in chunks. It only sees what may be one: three bytes of
 * gzip's magic can come up in packed data as well, so that a hit has to be looked into.
 */

/** Bytes that belong to two chunks. */
const OVERLAP = 9;
const GZIP = Buffer.from([0x1f, 0x8b, 0x08]);
const CPIO = Buffer.from("07070");

export class MemberWatch {
  #tail: Uint8Array = new Uint8Array(0);
  #position = 0;
  /** Whether something was seen that may be the beginning of another image. */
  found = false;

  /** Keeps nothing of `chunk`. */
  push(chunk: Uint8Array): void {
    if (this.found) return;
    // What lies across the border, then the chunk by itself: it need not be copied.
    const border = Buffer.concat([this.#tail, chunk.subarray(0, OVERLAP)]);
    const bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
    this.found =
      mayBegin(border, this.#position - this.#tail.length) || mayBegin(bytes, this.#position);
    this.#position += chunk.length;
    this.#tail =
      chunk.length < OVERLAP
        ? border.subarray(-OVERLAP)
        : Uint8Array.from(chunk.subarray(-OVERLAP));
  }
}

/** `start`: where `bytes` lie in the file, whose own beginning does not count. */
function mayBegin(bytes: Buffer, start: number): boolean {
  for (const magic of [GZIP, CPIO]) {
    for (let at = bytes.indexOf(magic); at >= 0; at = bytes.indexOf(magic, at + 1)) {
      if (start + at > 0 && (magic === CPIO || isGzipHeader(bytes.subarray(at)))) return true;
    }
  }
  return false;
}

/** RFC 1952, 2.3.1: the flags of gzip have three reserved bits, XFL is 0, 2 or 4, and OS a small number or 255. */
function isGzipHeader(header: Uint8Array): boolean {
  if (header.length < 10) return false;
  const os = header[9]!;
  return (header[3]! & 0xe0) === 0 && [0, 2, 4].includes(header[8]!) && (os <= 13 || os === 255);
}
