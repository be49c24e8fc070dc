/**
 * Names in directories that ignore case (feature casefold, `chattr +F`): two names are the same when they are after
 * decomposition (NFD), without ignorable characters, and with case folded.
 *
 * Source: Linux Documentation/admin-guide/ext4.rst, fs/unicode/utf8-core.c (`utf8_casefold`: NFDICF of Unicode 12.1).
 * Node's tables are newer: characters that Unicode has got since 12.1 are folded here, and not by Linux.
 */
import { decodeText } from "../../../bytes/text.ts";

/** EXT4_ENC_UTF8_12_1, the only one there is. */
export const UTF8_12_1 = 1;

const ASCII = /^[\0-\x7f]*$/;
const IGNORABLE = /\p{Default_Ignorable_Code_Point}/gu;

/** What is equal for names that are the same. Undefined for bytes that are not UTF-8: they are the same as nothing else. */
export function foldName(name: Uint8Array): string | undefined {
  const text = decodeText(name);
  if (ASCII.test(text)) return text.toLowerCase();
  // Bytes that are not UTF-8 were decoded to lone surrogates.
  if (!text.isWellFormed()) return undefined;
  return decompose(foldCase(decompose(text)));
}

function decompose(text: string): string {
  return text.normalize("NFD").replace(IGNORABLE, "");
}

/**
 * Full case folding, by way of upper case and back: twice, for the capital sharp s, which has no upper case but a lower
 * one that has. Character by character, because the lower case of a final sigma depends on what is before it.
 */
function foldCase(text: string): string {
  return throughUpper(throughUpper(text));
}

function throughUpper(text: string): string {
  let out = "";
  for (const char of text) {
    // The dotless i folds to itself, though its upper case is that of the other one.
    if (char === "\u0131") out += char;
    else for (const upper of char.toUpperCase()) out += upper.toLowerCase();
  }
  return out;
}
