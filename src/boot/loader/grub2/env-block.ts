/**
 * GRUB's environment block (`grubenv`, grub-core/lib/envblk.c): the line `# GRUB Environment Block`, then
 * `name=value` lines, filled up with `#` to 1024 bytes. In a value `\` and a line feed have a `\` before them.
 * grub-editenv adds a comment line since 2.06, which the reader passes over like all that begins with `#`.
 */
import { corrupt } from "../../../base/failure.ts";
import type { Where } from "../../../base/where.ts";
import { decodeText } from "../../../bytes/text.ts";

const SIGNATURE = "# GRUB Environment Block\n";
/** GRUB writes 1 KiB; some installers write more. */
export const ENV_BLOCK_LIMIT = 64 * 1024;

/** In the order of the file. A line that is cut off ends the block, as in GRUB. `corrupt` without the signature. */
export function parseEnvBlock(
  bytes: Uint8Array,
  where: Where,
): readonly (readonly [name: string, value: string])[] {
  const text = decodeText(bytes);
  if (!text.startsWith(SIGNATURE)) {
    throw corrupt(where, "a file that does not begin as an environment block", SIGNATURE.trim());
  }
  const out: [string, string][] = [];
  let at = SIGNATURE.length;
  while (at < text.length) {
    if (text[at] === "#") {
      at = lineEnd(text, at) + 1;
      continue;
    }
    const equals = text.indexOf("=", at);
    const end = equals < 0 ? text.length : lineEnd(text, equals + 1);
    if (end >= text.length) break;
    const value = text.slice(equals + 1, end).replace(/\\(.)/gs, "$1");
    out.push([text.slice(at, equals), value]);
    at = end + 1;
  }
  return out;
}

/** Offset of the line feed that ends the line; an escaped one does not. */
function lineEnd(text: string, from: number): number {
  let at = from;
  while (at < text.length && text[at] !== "\n") at += text[at] === "\\" ? 2 : 1;
  return at;
}
