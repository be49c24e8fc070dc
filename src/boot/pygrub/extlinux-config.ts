/**
 * How pygrub reads an extlinux.conf (tools/pygrub/src/ExtLinuxConf.py): LABEL, KERNEL and APPEND, of which the latter
 * has to come after KERNEL; neither LINUX and INITRD, nor INCLUDE, nor MENU DEFAULT; names are not taken as relative to
 * the configuration.
 */
import { parsedAsPygrub, pygrubLines, setKernel, splitDirective, strip } from "./python.ts";
import type { Config, Image, PygrubParsed } from "./python.ts";

/** The entry that pygrub takes; always finds one or says why not. Linear in the length of the text. */
export function parseExtlinuxAsPygrub(text: string): PygrubParsed {
  return parsedAsPygrub(() => readExtlinux(text));
}

type OpenImage = Image & { title: string };

function readExtlinux(text: string): Config {
  const images: OpenImage[] = [];
  let wanted: string | undefined;
  for (const line of pygrubLines(text)) {
    const [word, value] = splitDirective(line);
    const command = word.toLowerCase();
    if (line.toLowerCase().startsWith("label")) images.push({ title: "", args: "" });
    const image = images.at(-1);
    if (image) readImageLine(image, command, value);
    else if (command === "default") wanted = strip(value);
  }
  const found = images.findIndex(({ title }) => title === wanted);
  return { images, chosen: Math.max(found, 0) };
}

function readImageLine(image: OpenImage, command: string, value: string): void {
  if (command === "label") {
    image.title = unquoted(value);
  } else if (command === "kernel") {
    setKernel(image, unquoted(value));
  } else if (command === "append") {
    if (image.kernel?.endsWith("mboot.c32")) readModules(image, value);
    else image.args = unquoted(image.kernel === undefined ? value : withoutRamdisk(image, value));
  }
}

/** Of `xen.gz --- vmlinuz args --- initrd` the last two parts. */
function readModules(image: OpenImage, value: string): void {
  const modules = value.split("---");
  if (modules.length !== 2 && modules.length !== 3) return;
  const [kernel = "", ramdisk = ""] = modules.slice(-2);
  if (kernel !== "") setKernel(image, strip(kernel));
  if (ramdisk !== "") image.ramdisk = strip(ramdisk);
}

/** Takes initrd= out of the arguments. A word is taken out wherever it occurs, even inside another. */
function withoutRamdisk(image: OpenImage, value: string): string {
  if (!value.includes("initrd=")) return value;
  const words = strip(value).split(" ");
  const named = words.filter((word) => word.toLowerCase().startsWith("initrd="));
  const last = named.at(-1);
  if (last !== undefined) image.ramdisk = last.replaceAll("initrd=", "");
  return [...new Set(named)]
    .slice(0, MAX_WORDS)
    .reduce((args, word) => args.replaceAll(word, ""), value);
}

/** pygrub has no bound for this; with one the time is linear in the length of the line. */
const MAX_WORDS = 100;

function unquoted(value: string): string {
  return strip(value).replace(/^"([^\n]+)"$/, "$1");
}
