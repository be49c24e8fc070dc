/** Finds save images in the places where they usually are, and reads them. */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { directoryOf } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import {
  detectSaveImage,
  IMAGE_HEAD_BYTES,
  readSaveImage,
} from "../../xen/save-image/save-image.ts";
import { AT_A_TIME, pathsIn } from "./directories.ts";
import type { ImageFact } from "./facts.ts";

/** xendomains' own, where its settings name no other. */
const SAVE_DIRECTORY = "/var/lib/xen/save";
/** Where people's own `xl save` puts them, and libvirt. */
const PLACES = ["/var/lib/xen", "/var/lib/libvirt/libxl/save", "/root", "/srv"] as const;
/** Debian and SUSE have them in the first, the others in the second. */
const SETTINGS = ["/etc/default/xendomains", "/etc/sysconfig/xendomains"] as const;
/** Of the names that Xen's script knows (xen: tools/hotplug/Linux/init.d/sysconfig.xendomains.in). */
const SAVE_SETTING = /^\s*XENDOMAINS_SAVE\s*=\s*(["']?)(.*?)\1\s*(?:#.*)?$/gm;

/** `also` are further directories. What could not be read as a whole is told to `failures`. */
export async function readImages(
  host: Host,
  also: readonly string[],
  failures: Failure[],
  signal?: AbortSignal,
): Promise<ImageFact[]> {
  const atBoot = await saveDirectory(host);
  const directories = new Map<string, string>();
  for (const place of [atBoot, SAVE_DIRECTORY, ...PLACES, ...also]) {
    const real = await attempt(() => host.realPath(place));
    if (real.ok && !directories.has(real.value)) directories.set(real.value, place);
  }
  const paths: string[] = [];
  for (const directory of directories.values()) {
    paths.push(...(await pathsIn(host, directory, failures)));
  }
  const images = await mapParallel(paths, AT_A_TIME, (path) =>
    readImage(host, path, { failures, signal }),
  );
  return images.flatMap((image) =>
    image ? [{ ...image, restoredAtBoot: directoryOf(image.path) === atBoot }] : [],
  );
}

/** Empty in the settings: xendomains saves nothing, and restores nothing. */
async function saveDirectory(host: Host): Promise<string> {
  for (const path of SETTINGS) {
    const text = await attempt(async () => decodeText(await host.readFile(path, MIB)));
    if (!text.ok) continue;
    const last = [...text.value.matchAll(SAVE_SETTING)].at(-1)?.[2];
    if (last?.startsWith("/")) return last.replace(/(?<=.)\/+$/, "");
  }
  return SAVE_DIRECTORY;
}

/** Undefined for whatever is no save image. Of what cannot be read at all nobody knows: that is a failure of its own. */
async function readImage(
  host: Host,
  path: string,
  { failures, signal }: { failures: Failure[]; signal: AbortSignal | undefined },
): Promise<Omit<ImageFact, "restoredAtBoot"> | undefined> {
  signal?.throwIfAborted();
  const kind = await attempt(() => host.kind(path));
  if (!kind.ok || kind.value !== "file") return undefined;
  const opened = await attempt(() => host.openBlock(path));
  if (!opened.ok) {
    failures.push(opened.failure);
    return undefined;
  }
  await using file = opened.value;
  const { size, modifiedMs } = file;
  const head = await attempt(() => file.read(0, Math.min(size, IMAGE_HEAD_BYTES), signal));
  if (!head.ok) failures.push(head.failure);
  if (!head.ok || detectSaveImage(head.value) === undefined) return undefined;
  const known = { path, sizeBytes: size, ...(modifiedMs !== undefined && { modifiedMs }) };
  const read = await attempt(() => readSaveImage(file, signal ? { signal } : {}));
  if (!read.ok) return { ...known, failure: read.failure };
  return read.value && { ...known, image: read.value };
}
