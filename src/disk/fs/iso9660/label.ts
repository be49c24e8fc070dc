/**
 * The label, as `blkid` prints it. Joliet's has all characters, but only 16 of them; that of ISO 9660 itself has 32, with
 * `_` for what is not in its alphabet. Where the two agree they are put together.
 *
 * Source: util-linux 2.38 libblkid/src/superblocks/iso9660.c (`merge_utf16be_ascii`).
 */
import { decodeText } from "../../../bytes/text.ts";
import type { Descriptors } from "./volume-descriptor.ts";

const UNDERSCORE = 0x5f;

/** Without the spaces at its end. */
export function volumeLabel({ primary, joliet }: Descriptors): string {
  const plain = primary.volumeId;
  if (!joliet) return trimmed(decodeText(plain));
  const units = utf16Units(joliet.volumeId);
  return trimmed(decodeUnits(merged(units, plain) ?? units));
}

function utf16Units(bytes: Uint8Array): number[] {
  const units: number[] = [];
  for (let at = 0; at + 1 < bytes.length; at += 2) units.push((bytes[at]! << 8) | bytes[at + 1]!);
  return units;
}

/** `undefined` when one is not the beginning of the other. */
function merged(units: readonly number[], plain: Uint8Array): number[] | undefined {
  const out: number[] = [];
  let at = 0;
  let byte = 0;
  for (; at < units.length && byte < plain.length; at++, byte++) {
    let unit = units[at]!;
    // A character of two units is one `_`.
    if (
      (unit & 0xfc00) === 0xd800 &&
      at + 1 < units.length &&
      (units[at + 1]! & 0xfc00) === 0xdc00
    ) {
      out.push(unit);
      at += 1;
      unit = units[at]!;
    }
    const char = plain[byte]!;
    if (char === UNDERSCORE) out.push(unit);
    else if (unit === UNDERSCORE) out.push(char);
    else if (upperCase(unit) === upperCase(char)) out.push(isUpper(char) ? unit : char);
    else return undefined;
  }
  return [...out, ...plain.subarray(byte)];
}

function isUpper(char: number): boolean {
  return char >= 0x41 && char <= 0x5a;
}

function upperCase(char: number): number {
  return char >= 0x61 && char <= 0x7a ? char - 0x20 : char;
}

function decodeUnits(units: readonly number[]): string {
  return String.fromCharCode(...units).replaceAll(/\p{Surrogate}/gu, "");
}

/** Up to a NUL, without white space at the end. */
function trimmed(text: string): string {
  const [before] = text.split("\0", 1);
  return before!.replace(/[ \t\n\v\f\r]+$/, "");
}
