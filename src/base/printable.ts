/* oxlint-disable no-control-regex -- finding control characters is what this file is for */
/**
 * Text from a guest (file names, labels, titles, console lines) can carry terminal control sequences.
 * Nothing from a guest reaches a terminal or a log without passing through here.
 */

/** C0 and C1 controls, DEL, lone surrogates (undecodable bytes), bidi and zero-width controls. */
const UNSAFE =
  /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;

/** Replaces every character that is not plainly visible by `\xNN` or `\u{N}`; a backslash stays as it is. */
export function printable(text: string): string {
  return text.replace(UNSAFE, (char) => {
    const code = char.charCodeAt(0);
    // A byte that is not UTF-8, smuggled through a string by bytes/text.ts
    if (code >= 0xdc80 && code <= 0xdcff) return `\\x${(code - 0xdc00).toString(16)}`;
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, "0")}` : `\\u{${code.toString(16)}}`;
  });
}

/** As `printable`, but keeps line feeds. */
export function printableLines(text: string): string {
  return text.split("\n").map(printable).join("\n");
}
