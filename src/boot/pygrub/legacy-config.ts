/**
 * How pygrub reads a menu.lst (GrubConfigFile and GrubImage in tools/pygrub/src/GrubConf.py): the root is ignored, paths
 * are those of the filesystem that has the menu; `module` is ignored, so that of a Xen entry the hypervisor is taken for
 * the kernel; `default saved` is the first entry.
 */
import {
  checkDevice,
  Crash,
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
export function parseLegacyAsPygrub(text: string): PygrubParsed {
  return parsedAsPygrub(() => readLegacy(text));
}

function readLegacy(text: string): Config {
  const images: Image[] = [];
  let chosen = 0;
  let open: { readonly title: string; readonly lines: string[] } | undefined;
  for (const line of pygrubLines(text)) {
    if (line.startsWith("title")) {
      // One without any line counts, unless it is the last.
      if (open) images.push(readImage(open.title, open.lines));
      open = { title: strip(line.slice("title ".length)), lines: [] };
    } else if (open) {
      open.lines.push(line);
    } else {
      const [command, value] = splitDirective(line);
      if (command === "splashimage") pathOf(strip(value));
      if (command === "default") chosen = defaultIndex(strip(value));
    }
  }
  if (open && open.lines.length > 0) images.push(readImage(open.title, open.lines));
  return { images, chosen };
}

function defaultIndex(value: string): number {
  const index = value === "saved" ? 0 : (pythonInt(value) ?? 0);
  if (index < 0) throw new Crash("a default below 0");
  return index;
}

function readImage(title: string, lines: readonly string[]): Image {
  const image: Image = { title };
  for (const line of lines) {
    const [command, raw] = splitDirective(line);
    const value = strip(raw);
    if (command === "root" || command === "rootnoverify") {
      checkDevice(value);
    } else if (command === "kernel") {
      setKernel(image, value);
      image.kernel = pathOf(image.kernel ?? "");
    } else if (command === "initrd") {
      image.ramdisk = pathOf(value);
    }
  }
  return image;
}
