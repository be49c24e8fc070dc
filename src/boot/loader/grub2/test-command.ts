/**
 * `test` and `[` (grub-core/commands/test.c). What differs from a shell: there is no precedence to speak of, words
 * are taken from left to right, everything between two `-o` must be true, an unknown word is true when it is not
 * empty, and `<`, `>` compare texts.
 */
import { encodeText } from "../../../bytes/text.ts";
import { readNumber, readSigned } from "./number.ts";

export type FileInfo = {
  readonly directory: boolean;
  readonly sizeBytes: number;
  /** Seconds since 1970. */
  readonly mtime: number;
};

/** What a path, with or without a device, leads to. */
export type FileLookup = (path: string) => Promise<FileInfo | undefined>;

const NUMBERS: Record<string, (a: number, b: number) => boolean> = {
  "-eq": (a, b) => a === b,
  "-ne": (a, b) => a !== b,
  "-lt": (a, b) => a < b,
  "-le": (a, b) => a <= b,
  "-gt": (a, b) => a > b,
  "-ge": (a, b) => a >= b,
};

const TEXTS: Record<string, (order: number) => boolean> = {
  "=": (order) => order === 0,
  "==": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

const FILES: Record<string, (info: FileInfo | undefined) => boolean> = {
  "-d": (info) => info?.directory === true,
  "-e": (info) => info !== undefined,
  "-f": (info) => info?.directory === false,
  "-s": (info) => info?.directory === false && info.sizeBytes > 0,
};

/** One pair of parentheses, or the whole. */
type Level = { any: boolean; all: boolean; invert: boolean };

function settle(level: Level, value: boolean): void {
  level.all &&= level.invert ? !value : value;
  level.invert = false;
}

/** `args` without the final `]`. */
export async function evaluateTest(args: readonly string[], lookup: FileLookup): Promise<boolean> {
  const levels: Level[] = [{ any: false, all: true, invert: false }];
  let at = 0;
  while (at < args.length) {
    const level = levels.at(-1)!;
    const [a, b, c] = [args[at]!, args[at + 1], args[at + 2]];
    const binary =
      b !== undefined && c !== undefined ? await testTwo(a, b, { c, lookup }) : undefined;
    if (binary !== undefined) {
      settle(level, binary);
      at += 3;
      continue;
    }
    const unary = b !== undefined ? await testOne(a, b, lookup) : undefined;
    if (unary !== undefined) {
      settle(level, unary);
      at += 2;
      continue;
    }
    at += 1;
    if (a === "(") {
      levels.push({ any: false, all: true, invert: false });
    } else if (a === ")") {
      levels.pop();
      const value = level.any || level.all;
      const outer = levels.at(-1);
      // What follows one `)` too many is not looked at.
      if (!outer) return value;
      settle(outer, value);
    } else if (a === "!") {
      level.invert = !level.invert;
    } else if (a === "-o") {
      level.any ||= level.all;
      level.all = true;
    } else if (a !== "-a") {
      settle(level, a !== "");
    }
  }
  for (;;) {
    const level = levels.pop()!;
    const value = level.any || level.all;
    const outer = levels.at(-1);
    if (!outer) return value;
    settle(outer, value);
  }
}

async function testTwo(
  a: string,
  operator: string,
  { c, lookup }: { c: string; lookup: FileLookup },
): Promise<boolean | undefined> {
  if (Object.hasOwn(TEXTS, operator)) return TEXTS[operator]!(compareBytes(a, c));
  if (Object.hasOwn(NUMBERS, operator)) return NUMBERS[operator]!(readSigned(a), readSigned(c));
  if (operator === "-pgt" || operator === "-plt") {
    const [first, second] = numbersAfterPrefix(a, c);
    return operator === "-pgt" ? first > second : first < second;
  }
  if (!/^-[no]t/.test(operator)) return undefined;
  const bias = operator.length > 3 ? readSigned(operator.slice(3)) : 0;
  const [first, second] = [await lookup(a), await lookup(c)];
  if (first && second) {
    return operator[1] === "n"
      ? first.mtime + bias > second.mtime
      : first.mtime + bias < second.mtime;
  }
  return operator[1] === "n" ? first !== undefined && !second : !first && second !== undefined;
}

async function testOne(a: string, b: string, lookup: FileLookup): Promise<boolean | undefined> {
  if (Object.hasOwn(FILES, a)) return FILES[a]!(await lookup(b));
  if (a === "-n") return b !== "";
  if (a === "-z") return b === "";
  return undefined;
}

/** As strcmp does: byte by byte. */
function compareBytes(a: string, b: string): number {
  const [left, right] = [encodeText(a), encodeText(b)];
  for (const [i, byte] of left.entries()) {
    const order = byte - (right[i] ?? -1);
    if (order !== 0) return order;
  }
  return left.length - right.length;
}

/** `vmlinuz-2`, `vmlinuz-11`: 2 and 11. The common beginning is passed over, but not digits at its end. */
function numbersAfterPrefix(a: string, b: string): [number, number] {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at += 1;
  at -= 1;
  while (at > 0 && /[0-9]/.test(a[at]!)) at -= 1;
  at += 1;
  return [readNumber(a.slice(at))?.value ?? 0, readNumber(b.slice(at))?.value ?? 0];
}
