/** What libxl (simple0) and others read: the answer in pygrub's three formats. */
import { corrupt } from "../base/failure.ts";
import type { OutputFormat } from "./options.ts";

export type Answer = {
  /** Paths in dom0. */
  readonly kernel: string;
  readonly ramdisk?: string;
  /** Left out when empty. */
  readonly args: string;
};

/**
 * `corrupt` when a value has the format's separator in it: it would be read as another item, and libxl would take a
 * file of dom0 that the guest has named (XSA-198).
 */
export function formatAnswer(answer: Answer, format: OutputFormat): string {
  if (format === "sxp") return sxp(answer);
  const separator = format === "simple" ? "\n" : "\0";
  for (const [name, value] of Object.entries(answer)) {
    if (value.includes(separator)) {
      const what = separator === "\n" ? "a line end" : "a NUL";
      throw corrupt(["the answer"], `${what} in ${name}`, `${name} without one`);
    }
  }
  const { kernel, ramdisk, args } = answer;
  return [
    `kernel ${kernel}`,
    ...(ramdisk === undefined ? [] : [`ramdisk ${ramdisk}`]),
    ...(args === "" ? [] : [`args ${args}`]),
    "",
  ]
    .map((item) => item + separator)
    .join("");
}

function sxp({ kernel, ramdisk, args }: Answer): string {
  const parts = [`(kernel ${pythonRepr(kernel)})`];
  if (ramdisk !== undefined) parts.push(`(ramdisk ${pythonRepr(ramdisk)})`);
  if (args !== "") parts.push(`(args ${pythonRepr(args)})`);
  return `linux ${parts.join("")}`;
}

const ESCAPES: Readonly<Record<string, string>> = {
  "\\": "\\\\",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
};

/** Python's repr() of a text: single quotes, or double ones where only they spare an escape. */
export function pythonRepr(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const char of text) {
    if (char === quote) out += `\\${char}`;
    else out += ESCAPES[char] ?? escaped(char);
  }
  return out + quote;
}

/** What Python prints as it is: not controls, separators but the space, surrogates, and what is not assigned. */
function escaped(char: string): string {
  if (!/[\p{C}\p{Z}]/u.test(char) || char === " ") return char;
  const code = char.codePointAt(0)!;
  if (code <= 0xff) return `\\x${code.toString(16).padStart(2, "0")}`;
  if (code <= 0xffff) return `\\u${code.toString(16).padStart(4, "0")}`;
  return `\\U${code.toString(16).padStart(8, "0")}`;
}
