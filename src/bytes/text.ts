/**
 * Names and config text on a guest's disk are bytes, mostly UTF-8, sometimes not.
 * They are decoded so that the bytes can be had back: a byte that is not part of valid UTF-8 becomes the lone
 * surrogate U+DC00 + byte (as Python's surrogateescape does). `encodeText(decodeText(b))` equals `b` for every `b`.
 */
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

export function decodeText(bytes: Uint8Array): string {
  try {
    return strict.decode(bytes);
  } catch {
    return decodeEscaping(bytes);
  }
}

function decodeEscaping(bytes: Uint8Array): string {
  let out = "";
  let at = 0;
  while (at < bytes.length) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      out += String.fromCharCode(0xdc00 + bytes[at]!);
      at += 1;
    } else {
      out += strict.decode(bytes.subarray(at, at + length));
      at += length;
    }
  }
  return out;
}

/** Length of the valid UTF-8 sequence at `at` (RFC 3629 section 4), 0 when there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at]!;
  if (first < 0x80) return 1;
  const length =
    first >= 0xc2 && first <= 0xdf
      ? 2
      : (first & 0xf0) === 0xe0
        ? 3
        : first >= 0xf0 && first <= 0xf4
          ? 4
          : 0;
  if (length === 0 || at + length > bytes.length) return 0;
  for (let i = 1; i < length; i++) if ((bytes[at + i]! & 0xc0) !== 0x80) return 0;
  const second = bytes[at + 1]!;
  if (first === 0xe0 && second < 0xa0) return 0; // overlong
  if (first === 0xed && second > 0x9f) return 0; // surrogates
  if (first === 0xf0 && second < 0x90) return 0; // overlong
  if (first === 0xf4 && second > 0x8f) return 0; // above U+10FFFF
  return length;
}

export function encodeText(text: string): Uint8Array {
  if (text.isWellFormed()) return encoder.encode(text);
  const parts: number[] = [];
  for (const char of text) {
    const code = char.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(code - 0xdc00);
    else parts.push(...encoder.encode(char));
  }
  return Uint8Array.from(parts);
}

/** The bytes before the first NUL, decoded; all of them when there is none. */
export function decodeCString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return decodeText(end < 0 ? bytes : bytes.subarray(0, end));
}

/** Byte-for-byte: each byte becomes the character of the same number. For formats that are plain ASCII. */
export function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("latin1");
}
