/**
 * The ids by which `root=UUID=` and fstab name a volume, out of its first bytes. Each is what `blkid` prints, and
 * empty when it lies outside of what was read or is all zero.
 */
import { decodeCString } from "../../bytes/text.ts";
import { isNilUuid, uuidText } from "../../bytes/uuid.ts";

type Id = (head: Uint8Array) => string;

/** `length` bytes at `offset`, or none of them. */
function part(head: Uint8Array, offset: number, length: number): Uint8Array | undefined {
  return offset + length <= head.length ? head.subarray(offset, offset + length) : undefined;
}

/** 16 bytes in text order. */
export function binaryUuid(offset: number): Id {
  return (head) => {
    const bytes = part(head, offset, 16);
    const text = bytes ? uuidText(bytes) : "";
    return isNilUuid(text) ? "" : text;
  };
}

/** Up to 40 characters, as LUKS keeps it. Anything that is not a UUID's text is not repeated. */
export function asciiUuid(offset: number): Id {
  return (head) => {
    const bytes = part(head, offset, 40);
    const text = bytes ? decodeCString(bytes) : "";
    return /^[0-9a-fA-F-]{1,40}$/.test(text) ? text : "";
  };
}

/** Four bytes, little endian, as `1234-ABCD`. */
export function fatSerial(offset: number): Id {
  return (head) => {
    const text = reversedHex(part(head, offset, 4));
    return text && `${text.slice(0, 4)}-${text.slice(4)}`;
  };
}

/** Eight bytes, little endian, as 16 hex digits. */
export function ntfsSerial(offset: number): Id {
  return (head) => reversedHex(part(head, offset, 8));
}

function reversedHex(bytes: Uint8Array | undefined): string {
  if (!bytes || bytes.every((byte) => byte === 0)) return "";
  const digits = Array.from(bytes.toReversed(), (byte) => byte.toString(16).padStart(2, "0"));
  return digits.join("").toUpperCase();
}
