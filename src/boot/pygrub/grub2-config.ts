/**
 * How pygrub reads a grub.cfg (Grub2ConfigFile in tools/pygrub/src/GrubConf.py): line by line, with no idea of
 * conditions, variables or quotes. What Python makes of a line is part of it: where a value cannot be unpacked or is no
 * number, an exception ends the reading, and pygrub says only that it found no kernel.
 */

export type PygrubEntry = {
  readonly title: string;
  /** Submenus are flattened for this. */
  readonly index: number;
  readonly kernelPath: string;
  readonly ramdiskPath?: string;
  readonly args: string;
};

/** `crash`: what ended it, for people. */
export type PygrubParsed = { readonly chosen: PygrubEntry } | { readonly crash: string };

type Image = {
  readonly title: string;
  kernel?: string;
  ramdisk?: string;
  args?: string;
};

/** A Python exception that pygrub swallows. */
class Crash extends Error {}

/** What Python's str.strip() and str.split() take for blank. */
const BLANKS =
  "\\t-\\r\\u001c-\\u0020\\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000";
const BLANK = new RegExp(`[${BLANKS}]`);
const FIRST_WORD = new RegExp(`^[${BLANKS}]*([^${BLANKS}]+)[${BLANKS}]*`);

/** The entry that pygrub takes; always finds one or says why not. Linear in the length of the text. */
export function parseGrub2AsPygrub(text: string): PygrubParsed {
  try {
    return { chosen: choose(new ConfigReader().read(text)) };
  } catch (error) {
    if (error instanceof Crash) return { crash: error.message };
    throw error;
  }
}

type Config = { readonly images: readonly Image[]; readonly chosen: number };

function choose({ images, chosen }: Config): PygrubEntry {
  // One that is beyond the list means the first entry.
  const index = chosen < images.length ? chosen : 0;
  const image = images[index];
  if (!image) throw new Crash("it has no menuentry that pygrub recognises");
  const { title, kernel, ramdisk, args = "" } = image;
  if (kernel === undefined || kernel === "") {
    throw new Crash(`the entry "${title}" has no line that begins with linux or linux16`);
  }
  return {
    title,
    index,
    kernelPath: kernel,
    args,
    ...(ramdisk !== undefined && { ramdiskPath: ramdisk }),
  };
}

class ConfigReader {
  readonly #images: Image[] = [];
  #chosen = 0;
  #image: { readonly title: string; readonly lines: string[] } | undefined;
  #submenus = 0;
  #inFunction = false;

  read(text: string): Config {
    for (const raw of text.split("\n")) {
      const line = strip(raw);
      if (line !== "" && !line.startsWith("#")) this.#line(line);
    }
    if (this.#image)
      throw new Crash(`the entry "${this.#image.title}" is not closed by a line with }`);
    return { images: this.#images, chosen: this.#chosen };
  }

  #line(line: string): void {
    if (line.startsWith("function")) {
      this.#inFunction = true;
      return;
    }
    if (this.#inFunction) {
      if (line.startsWith("}")) this.#inFunction = false;
      return;
    }
    const title = entryTitle(line);
    if (title !== undefined) {
      if (this.#image) throw new Crash(`an entry inside the entry "${this.#image.title}"`);
      this.#image = { title: strip(title), lines: [] };
    } else if (line.startsWith("submenu")) {
      this.#submenus += 1;
    } else if (line.startsWith("}")) {
      this.#close();
    } else if (this.#image) {
      this.#image.lines.push(line);
    } else {
      this.#setting(line);
    }
  }

  #close(): void {
    if (this.#image) {
      this.#images.push(readImage(this.#image.title, this.#image.lines));
      this.#image = undefined;
    } else if (this.#submenus > 0) {
      this.#submenus -= 1;
    } else {
      throw new Crash("a line with } that closes no entry pygrub has seen the beginning of");
    }
  }

  #setting(line: string): void {
    const [command, value] = directive(line);
    if (command !== "set:default") return;
    const text = strip(value);
    if (text === "${saved_entry}" || text === "${next_entry}") this.#chosen = 0;
    else this.#chosen = pythonInt(text) ?? 0;
    if (this.#chosen < 0) throw new Crash("a default below 0");
  }
}

/**
 * The title in a line like `menuentry 'title' --class x {`: it ends at the first quote of either kind with a space
 * after it, and there has to be a brace later in the line.
 */
function entryTitle(line: string): string | undefined {
  const start = "menuentry '".length;
  if (!/^menuentry ["']/.test(line)) return undefined;
  const length = line.slice(start).search(/["'] /);
  if (length < 0 || !line.includes("{", start + length + 2)) return undefined;
  return line.slice(start, start + length);
}

function readImage(title: string, lines: readonly string[]): Image {
  const image: Image = { title };
  for (const line of lines) {
    const [command, raw] = directive(line);
    const value = strip(raw);
    if (command === "set:root") {
      checkDevice(value);
    } else if (command === "linux" || command === "linux16") {
      // Only a space ends the path: after a tab the arguments are taken for a part of it.
      const [path, args] = value.includes(" ") ? splitOnce(value) : [value, undefined];
      image.kernel = pathOf(path ?? "");
      if (args === undefined) delete image.args;
      else image.args = args;
    } else if (command === "initrd" || command === "initrd16") {
      image.ramdisk = pathOf(value);
    }
  }
  return image;
}

/** A line's first word and the rest; `set name=value` becomes `set:name`. */
function directive(line: string): [command: string, value: string] {
  const [command = "", value = ""] = grubSplit(line, 1);
  if (command !== "set") return [command, value];
  const parts = grubSplit(value, 2);
  if (parts.length !== 2) {
    const why = parts.length > 2 ? "more than one = or word in its value" : "no value";
    throw new Crash(`the line "set ${value.slice(0, 80)}" has ${why}`);
  }
  const quoted = /^(["'])([^\n]*)\1/.exec(parts[1]!);
  return [`set:${parts[0]!}`, quoted ? quoted[2]! : parts[1]!];
}

/** Splits at `=` when that comes before the first space or tab, else at blanks, at most `times` times. */
function grubSplit(text: string, times: number): string[] {
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
function splitOnce(text: string): [string | undefined, string | undefined] {
  const first = FIRST_WORD.exec(text);
  if (!first) return [undefined, undefined];
  const rest = text.slice(first[0].length);
  return [first[1]!, rest === "" ? undefined : rest];
}

/** The path after a device in parentheses, which is only looked at for being one. */
function pathOf(text: string): string {
  if (!text.startsWith("(")) return text;
  const close = text.indexOf(")");
  if (close < 0) throw new Crash(`the path "${text.slice(0, 80)}" has no closing parenthesis`);
  checkDevice(text.slice(0, close));
  return text.slice(close + 1);
}

/** `hd0`, `hd0,msdos1`, `/dev/xvda,1`; with anything else int() raises an exception. */
function checkDevice(text: string): void {
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
function pythonInt(text: string): number | undefined {
  const match = /^([+-]?)([0-9]+(?:_[0-9]+)*)$/.exec(strip(text));
  if (!match) return undefined;
  const value = Number(match[2]!.replaceAll("_", ""));
  return match[1] === "-" ? 0 - value : value;
}

/** By hand, as a regular expression would take the square of the length of a run of blanks. */
function strip(text: string): string {
  let start = 0;
  let end = text.length;
  while (start < end && BLANK.test(text[start]!)) start += 1;
  while (end > start && BLANK.test(text[end - 1]!)) end -= 1;
  return text.slice(start, end);
}
