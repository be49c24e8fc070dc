/**
 * Names: those of ISO 9660 itself as Linux maps them (`map=normal`), and those of Joliet.
 *
 * Source: Linux fs/isofs/dir.c (`isofs_name_translate`), fs/isofs/joliet.c (with the option utf8: Debian's default would
 * show characters beyond UCS-2 as two question marks).
 */
import { decodeText, latin1 } from "../../../bytes/text.ts";

/** `README.TXT;1` as `readme.txt`. */
export function plainName(name: Uint8Array): string {
  const nul = name.indexOf(0);
  const text = latin1(nul < 0 ? name : name.subarray(0, nul))
    .replace(/\.?;1$/, "")
    .replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())
    .replaceAll(/[;/]/g, ".");
  return decodeText(Uint8Array.from(text, (char) => char.charCodeAt(0)));
}

/** UTF-16, big endian, up to a NUL. A surrogate without its other half is left out; so are dots at the end. */
export function jolietName(name: Uint8Array): string {
  const units: number[] = [];
  for (let at = 0; at + 1 < name.length; at += 2) {
    const unit = (name[at]! << 8) | name[at + 1]!;
    if (unit === 0) break;
    units.push(unit);
  }
  const text = String.fromCharCode(...units).replaceAll(/\p{Surrogate}/gu, "");
  return text.replace(/(?<=.);1$/s, "").replace(/(?<=.)\.+$/s, "");
}

/** How Joliet names are compared: without regard to the case of ASCII and to dots at the end. */
export function foldedJolietName(name: string): string {
  return name.replace(/\.+$/, "").replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase());
}
