/**
 * How pygrub reads a grub.cfg (Grub2ConfigFile in tools/pygrub/src/GrubConf.py): line by line, with no idea of
 * conditions, variables or quotes. What Python makes of a line is part of it: where a value cannot be unpacked or is no
 * number, an exception ends the reading, and pygrub says only that it found no kernel.
 */
import {
  checkDevice,
  Crash,
  grubSplit,
  parsedAsPygrub,
  pathOf,
  pygrubLines,
  pythonInt,
  setKernel,
  splitDirective,
  strip,
} from "./python.ts";
import type { Config, Image, PygrubParsed } from "./python.ts";

/** The entry that pygrub takes; always finds one or says why not. Linear in the length of the text. */
export function parseGrub2AsPygrub(text: string): PygrubParsed {
  return parsedAsPygrub(() => new ConfigReader().read(text));
}

class ConfigReader {
  readonly #images: Image[] = [];
  #chosen = 0;
  #image: { readonly title: string; readonly lines: string[] } | undefined;
  #submenus = 0;
  #inFunction = false;

  read(text: string): Config {
    for (const line of pygrubLines(text)) this.#line(line);
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
      setKernel(image, value);
      image.kernel = pathOf(image.kernel ?? "");
    } else if (command === "initrd" || command === "initrd16") {
      image.ramdisk = pathOf(value);
    }
  }
  return image;
}

/** A line's first word and the rest; `set name=value` becomes `set:name`. */
function directive(line: string): [command: string, value: string] {
  const [command, value] = splitDirective(line);
  if (command !== "set") return [command, value];
  const parts = grubSplit(value, 2);
  if (parts.length !== 2) {
    const why = parts.length > 2 ? "more than one = or word in its value" : "no value";
    throw new Crash(`the line "set ${value.slice(0, 80)}" has ${why}`);
  }
  const quoted = /^(["'])([^\n]*)\1/.exec(parts[1]!);
  return [`set:${parts[0]!}`, quoted ? quoted[2]! : parts[1]!];
}
