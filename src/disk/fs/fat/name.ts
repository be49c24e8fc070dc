/**
 * Names: 8.3 names in an 8-bit code page, and the UTF-16 of long names.
 *
 * Source: Linux fs/fat/dir.c (`fat_parse_short`, `fat_uni_to_x8` with the option utf8, which is Debian's default),
 * fs/nls/nls_cp437.c (the default code page). Which code page a volume was written with is not recorded on it.
 */

/** Bytes 0x80 to 0xff of code page 437. */
const CP437 =
  "ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0";

/** `lcase`: Windows NT marks names that would be all lower case without a long name. */
const CASE_LOWER_BASE = 0x08;
const CASE_LOWER_EXT = 0x10;

const SPACE = 0x20;
const DELETED = 0xe5;

/** The 11 bytes of a short name as `NAME.EXT`; empty when they are blank. */
export function shortName(bytes: Uint8Array, lcase: number): string {
  const raw = Uint8Array.from(bytes);
  // 0xe5 would say "deleted": the byte is stored as 5.
  if (raw[0] === 0x05) raw[0] = DELETED;
  const base = codePageText(raw.subarray(0, 8), (lcase & CASE_LOWER_BASE) !== 0);
  const extension = codePageText(raw.subarray(8, 11), (lcase & CASE_LOWER_EXT) !== 0);
  return extension === "" ? base : `${base}.${extension}`;
}

/** Up to a NUL, without the spaces at the end. */
function codePageText(bytes: Uint8Array, lower: boolean): string {
  const nul = bytes.indexOf(0);
  let end = nul < 0 ? bytes.length : nul;
  while (end > 0 && bytes[end - 1] === SPACE) end -= 1;
  let text = "";
  for (const byte of bytes.subarray(0, end)) {
    const char = byte < 0x80 ? String.fromCharCode(byte) : CP437[byte - 0x80]!;
    text += lower ? lowerCase(char) : char;
  }
  return text;
}

/** Only letters whose lower case the code page has, too. */
function lowerCase(char: string): string {
  const lower = char.toLowerCase();
  return lower < "\x80" || CP437.includes(lower) ? lower : char;
}

/** The checksum by which the slots of a long name know their short one. */
export function shortNameChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (const byte of bytes) sum = (((sum & 1) << 7) + (sum >>> 1) + byte) & 0xff;
  return sum;
}

/** UTF-16 up to a NUL. As in Linux, a surrogate without its other half is left out. */
export function utf16Text(units: Uint16Array): string {
  const nul = units.indexOf(0);
  const text = String.fromCharCode(...units.subarray(0, nul < 0 ? units.length : nul));
  return text.isWellFormed() ? text : text.replaceAll(/\p{Surrogate}/gu, "");
}

/** How names are compared: in the form that this gives. Debian's Linux ignores the case of ASCII only, and dots at the end. */
export function foldedName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
