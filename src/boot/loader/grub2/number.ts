/** Numbers as GRUB reads them (grub-core/kern/misc.c grub_strtoull). */

export type ReadNumber = { readonly value: number; readonly rest: string };

const DIGITS = { 8: /^([0-7]+)/, 10: /^([0-9]+)/, 16: /^0x([0-9A-Fa-f]+)/ } as const;

/**
 * The number that `text` begins with, after blanks: `0x` hexadecimal, a leading `0` octal, else decimal. What
 * follows it does not matter, so `2 Debian` is 2. `undefined` when there is none; infinite when it does not fit into
 * 64 bits. Values above 2^53 are rounded.
 */
export function readNumber(text: string): ReadNumber | undefined {
  const body = text.replace(/^[ \t\n\v\f\r]+/, "");
  const base = body.startsWith("0x") ? 16 : /^0[0-7]/.test(body) ? 8 : 10;
  const digits = DIGITS[base].exec(body);
  if (!digits) return undefined;
  let value = 0;
  for (const digit of digits[1]!) value = value * base + Number.parseInt(digit, 16);
  return { value: value < 2 ** 64 ? value : Infinity, rest: body.slice(digits[0].length) };
}

/** As `test` reads its numbers: a sign is possible, what is no number is 0. */
export function readSigned(text: string): number {
  const negative = text.startsWith("-");
  const value = readNumber(negative ? text.slice(1) : text)?.value ?? 0;
  return negative ? 0 - value : value;
}

/** The variable `timeout` in seconds; -1 (wait for ever) when it is not set or no number. */
export function readTimeout(value: string | undefined): number {
  const seconds = value === undefined ? undefined : readNumber(value)?.value;
  // GRUB keeps it in an int: 4294967295 is -1.
  return seconds === undefined || seconds === Infinity ? -1 : seconds | 0;
}
