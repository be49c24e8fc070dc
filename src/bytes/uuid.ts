const HEX = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, "0"));

/** 16 bytes in text order as `xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx` (RFC 9562 section 4). */
export function uuidText(bytes: Uint8Array): string {
  let out = "";
  for (let i = 0; i < 16; i++) {
    if (i === 4 || i === 6 || i === 8 || i === 10) out += "-";
    out += HEX[bytes[i]!]!;
  }
  return out;
}

/** A GUID as GPT and UEFI store it: the first three groups little endian (UEFI spec 2.10, appendix A). */
export function guidText(bytes: Uint8Array): string {
  const order = [3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15];
  return uuidText(Uint8Array.from(order, (from) => bytes[from]!));
}

/** All zero bytes mean "no uuid" in every format that domus reads. */
export function isNilUuid(text: string): boolean {
  return /^[0-]+$/.test(text);
}

/** Whether it is one as people and programs write it, in either case: 8-4-4-4-12 hexadecimal digits (RFC 9562, section 4). */
export function isUuidText(text: string): boolean {
  return /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text);
}
