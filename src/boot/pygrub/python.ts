/**
 * What pygrub's readers of configurations have in common (tools/pygrub/src/GrubConf.py): Python's way with text, and the
 * choice among the entries.
 */

export type PygrubEntry = {
  readonly title: string;
  /** Submenus are flattened for this. */
  readonly index: number;
  /** Empty only in entries that are not chosen. */
  readonly kernelPath: string;
  readonly ramdiskPath?: string;
  readonly args: string;
};

/** `crash`: what ended it, for people. */
export type PygrubParsed =
  | { readonly chosen: PygrubEntry; readonly entries: readonly PygrubEntry[] }
  | { readonly crash: string };

/** As far as it has been read. */
export type Image = {
  readonly title: string;
  kernel?: string;
  ramdisk?: string;
  args?: string;
};

/** A Python exception that pygrub swallows. */
export class Crash extends Error {}

/** What Python's str.strip() and str.split() take for blank. */
const BLANKS =
  "\\t-\\r\\u001c-\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANK = new RegExp(`[${BLANKS}]`);
const FIRST_WORD = new RegExp(`^[${BLANKS}]*([^${BLANKS}]+)[${BLANKS}]*`);

/** `chosen` may be beyond the list. */
export type Config = { readonly images: readonly Image[]; readonly chosen: number };

/** Always finds one or says why not. */
function chooseImage({ images, chosen }: Config): PygrubEntry {
  // One that is beyond the list means the first entry.
  const index = chosen < images.length ? chosen : 0;
  const image = images[index];
  if (!image) throw new Crash("it has no entry that pygrub recognises");
  const entry = entryOf(image, index);
  if (entry.kernelPath === "") {
    throw new Crash(`the entry "${entry.title}" has no line with a kernel that pygrub knows`);
  }
  return entry;
}

function entryOf({ title, kernel = "", ramdisk, args = "" }: Image, index: number): PygrubEntry {
  return {
    title,
    index,
    kernelPath: kernel,
    args,
    ...(ramdisk !== undefined && { ramdiskPath: ramdisk }),
  };
}

/** Splits at `=` when that comes before the first space or tab, else at blanks, at most `times` times. */
export function grubSplit(text: string, times: number): string[] {
  const equals = text.indexOf("=");
  const blank = text.search(/[ \t]/);
  const atEquals = equals >= 0 && (blank < 0 || equals < blank);
  const out: string[] = [];
  let rest = text;
  for (let i = 0; i < times; i++) {
    const [first, more] = atEquals ? splitAtEquals(rest) : splitOnce(rest);
    if (first === undefined) return out;
    out.push(first);
    if (more === undefined) return out;
    rest = more;
  }
  return [...out, rest];
}

function splitAtEquals(text: string): [string, string | undefined] {
  const equals = text.indexOf("=");
  return equals < 0 ? [text, undefined] : [text.slice(0, equals), text.slice(equals + 1)];
}

/** Python's split(None, 1): the first word, and what follows the blanks after it. */
export function splitOnce(text: string): [string | undefined, string | undefined] {
  const first = FIRST_WORD.exec(text);
  if (!first) return [undefined, undefined];
  const rest = text.slice(first[0].length);
  return [first[1]!, rest === "" ? undefined : rest];
}

/** The path after a device in parentheses, which is only looked at for being one. */
export function pathOf(text: string): string {
  if (!text.startsWith("(")) return text;
  const close = text.indexOf(")");
  if (close < 0) throw new Crash(`the path "${text.slice(0, 80)}" has no closing parenthesis`);
  checkDevice(text.slice(0, close));
  return text.slice(close + 1);
}

/** `hd0`, `hd0,msdos1`, `/dev/xvda,1`; with anything else int() raises an exception. */
export function checkDevice(text: string): void {
  const parts = text.split(",");
  const [disk = "", number] = parts.map((part) => part.replace(/[()]/g, ""));
  const isDisk = disk.startsWith("/dev/xvd")
    ? disk.length > "/dev/xvd".length
    : pythonInt(disk.slice(2)) !== undefined;
  const isNumber =
    number === undefined ||
    pythonInt(number.replace(/^msdos/, "").replace(/^gpt/, "")) !== undefined;
  if (parts.length > 2 || !isDisk || !isNumber) {
    throw new Crash(`the device "${text.slice(0, 80)}" is not of the form hd0,1`);
  }
}

/** Python's int() of a text with ASCII digits. */
export function pythonInt(text: string): number | undefined {
  const match = /^([+-]?)([0-9]+(?:_[0-9]+)*)$/.exec(strip(text));
  if (!match) return undefined;
  const value = Number(match[2]!.replaceAll("_", ""));
  return match[1] === "-" ? 0 - value : value;
}

/** By hand, as a regular expression would take the square of the length of a run of blanks. */
export function strip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.test(text[start]!)) start += 1;
  while (end > start && BLANK.test(text[end - 1]!)) end -= 1;
  return text.slice(start, end);
}

/** A kernel line's value: only a space ends the path, after a tab the arguments are taken for a part of it. */
export function setKernel(image: Image, value: string): void {
  const [path, args] = value.includes(" ") ? splitOnce(value) : [value, undefined];
  image.kernel = path ?? "";
  if (args === undefined) delete image.args;
  else image.args = args;
}

/** Runs a reader; what it throws as `Crash` is its result. */
export function parsedAsPygrub(read: () => Config): PygrubParsed {
  try {
    const config = read();
    return { chosen: chooseImage(config), entries: config.images.map(entryOf) };
  } catch (error) {
    if (error instanceof Crash) return { crash: error.message };
    throw error;
  }
}

/** A line's first word and the rest, at `=` or a blank. */
export function splitDirective(line: string): [command: string, value: string] {
  const [command = "", value = ""] = grubSplit(line, 1);
  return [command, value];
}

/** Lines without blanks around them; comments and empty ones are left out. */
export function* pygrubLines(text: string): Generator<string> {
  for (const raw of text.split("\n")) {
    const line = strip(raw);
    if (line !== "" && !line.startsWith("#")) yield line;
  }
}
