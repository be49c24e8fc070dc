/** Finds save images in the places where they usually are and where domus has put them, and reads them. */
import { attempt, isAbsent, missing } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import { STATE_DIRECTORY } from "../../base/state-directory.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord } from "../../host/records.ts";
import {
  detectSaveImage,
  IMAGE_HEAD_BYTES,
  readSaveImage,
} from "../../xen/save-image/save-image.ts";
import type { SaveImage } from "../../xen/save-image/save-image.ts";
import { isFileOf } from "../lifecycle/image-file.ts";
import { AT_A_TIME, pathsIn } from "./directories.ts";
import type { ImageFact, KnownImage, LostImage } from "./facts.ts";
import type { KnownFiles } from "./known-files.ts";

/** xendomains' own, where its settings name no other. */
const SAVE_DIRECTORY = "/var/lib/xen/save";
/** Where people's own `xl save` puts them, and libvirt. */
const PLACES = ["/var/lib/xen", "/var/lib/libvirt/libxl/save", "/root", "/srv"] as const;
/** What libxl keeps of each domain lies in /var/lib/xen, too, for root alone (libxl: userdata_path). */
const OF_LIBXL = /^userdata-[dns]\./;
/** Where domus save puts them. */
const OWN_DIRECTORY = `${STATE_DIRECTORY}/images`;
/** Debian and SUSE have them in the first, the others in the second. */
const SETTINGS = ["/etc/default/xendomains", "/etc/sysconfig/xendomains"] as const;
/** Of the names that Xen's script knows (xen: tools/hotplug/Linux/init.d/sysconfig.xendomains.in). */
const SAVE_SETTING = /^\s*XENDOMAINS_SAVE\s*=\s*(["']?)(.*?)\1\s*(?:#.*)?$/gm;

/** Records of images whose file should be there. */
const KEPT: ReadonlySet<ImageRecord["state"]> = new Set(["waiting", "aside"]);
/** Between the last write to an image and what its record says: the fingerprints are taken in between. */
const RECORDED_WITHIN_MS = 15 * 60_000;

export type ImagesOptions = {
  /** Further directories. */
  readonly also: readonly string[];
  readonly records: readonly ImageRecord[];
  /** Told what could not be read as a whole. */
  readonly failures: Failure[];
  readonly known: KnownFiles;
  readonly signal?: AbortSignal | undefined;
};

export type ImagesRead = {
  readonly images: readonly ImageFact[];
  readonly lost: readonly LostImage[];
};

export async function readImages(
  host: Host,
  { also, records, failures, known, signal }: ImagesOptions,
): Promise<ImagesRead> {
  const atBoot = await saveDirectory(host);
  for (const place of also) {
    const kind = await attempt(() => host.kind(place));
    if (!kind.ok) failures.push(kind.failure);
    else if (kind.value !== "directory") failures.push(missing([place], "such directory").failure);
  }
  const directories = new Map<string, string>();
  for (const place of [atBoot, SAVE_DIRECTORY, ...PLACES, ...also]) {
    const real = await attempt(() => host.realPath(place));
    if (real.ok && !directories.has(real.value)) directories.set(real.value, place);
  }
  const paths: string[] = [];
  for (const directory of directories.values()) {
    const there = await pathsIn(host, directory, failures);
    paths.push(...there.filter((path) => !OF_LIBXL.test(fileName(path))));
  }
  const reading = { failures, known, signal };
  paths.push(...(await unrecorded(host, records)));
  const found = await mapParallel(paths, AT_A_TIME, (path) => readImage(host, path, reading));
  const kept = records.filter(({ state }) => KEPT.has(state)).slice(0, MAX_RECORDED);
  const elsewhere = kept.filter(({ path }) => !paths.includes(path));
  const recorded = await mapParallel(elsewhere, AT_A_TIME, (record) =>
    readRecorded(host, record, reading),
  );
  const images = [...found, ...recorded].flatMap((image) =>
    image ? [{ ...image, restoredAtBoot: directoryOf(image.path) === atBoot }] : [],
  );
  return join(images, records);
}

/** Images of domus's own of which it knows nothing any more, since its records were lost; others are known by their rows. */
async function unrecorded(host: Host, records: readonly ImageRecord[]): Promise<readonly string[]> {
  const recorded = new Set(records.map(({ path }) => path));
  // Only root may look into it; the others know of the rows, and that they are not all is no news to them.
  const paths = await pathsIn(host, OWN_DIRECTORY, []);
  // With a dot in front they are being written.
  return paths.filter((path) => !recorded.has(path) && !fileName(path).startsWith("."));
}

/** Guests that are saved at one time: more than a host has. */
const MAX_RECORDED = 4096;

/** A file that may not be looked at is believed to be what the record says; one that is not there is none. */
async function readRecorded(
  host: Host,
  record: ImageRecord,
  reading: Reading,
): Promise<Found | undefined> {
  const { path, sizeBytes = 0, savedAtMs: modifiedMs } = record;
  const failures: Failure[] = [];
  const image = await readImage(host, path, { ...reading, failures });
  const [failure] = failures;
  if (image || !failure || isAbsent(failure)) return image;
  return { path, sizeBytes, modifiedMs, failure };
}

/** Which record speaks of which file: one at its path, else one that was moved. */
function join(images: readonly ImageFact[], records: readonly ImageRecord[]): ImagesRead {
  const recordOf = new Map<ImageFact, ImageRecord>();
  const lost: LostImage[] = [];
  const isFree = (image: ImageFact) => !recordOf.has(image);
  const atPath = (record: ImageRecord) => images.find(({ path }) => path === record.path);
  // Those at their path first: what is left may have been moved.
  for (const record of records) {
    const image = atPath(record);
    if (record.state !== "missing" && image && isFree(image) && isOf(image, record))
      recordOf.set(image, record);
  }
  const taken = new Set(recordOf.values());
  for (const record of records) {
    if (taken.has(record) || !KEPT.has(record.state)) continue;
    const moved = images.find((image) => isFree(image) && wasMoved(image, record));
    if (moved) recordOf.set(moved, record);
    else lost.push({ record, replaced: atPath(record) !== undefined });
  }
  const joined = images.map((image) => {
    const record = recordOf.get(image);
    return record ? { ...image, record } : image;
  });
  return { images: joined, lost };
}

/** Of one that is being written nothing is known yet. */
function isOf(image: ImageFact, record: ImageRecord): boolean {
  return record.state === "saving" || isFileOf(record, image);
}

/** A copy that has kept neither size nor times is not taken for it. */
function wasMoved(image: ImageFact, record: ImageRecord): boolean {
  const { modifiedMs, sizeBytes } = image;
  if (image.image?.config?.guest?.uuid !== record.uuid || record.sizeBytes !== sizeBytes)
    return false;
  return modifiedMs !== undefined && Math.abs(modifiedMs - record.savedAtMs) <= RECORDED_WITHIN_MS;
}

/** Where xendomains restores from, whatever lies there. Empty in the settings: it saves nothing, and restores nothing. */
export async function saveDirectory(host: Host): Promise<string> {
  for (const path of SETTINGS) {
    const text = await attempt(async () => decodeText(await host.readFile(path, MIB)));
    if (!text.ok) continue;
    const last = [...text.value.matchAll(SAVE_SETTING)].at(-1)?.[2];
    if (last?.startsWith("/")) return last.replace(/(?<=.)\/+$/, "");
  }
  return SAVE_DIRECTORY;
}

type Found = Omit<ImageFact, "restoredAtBoot">;
type Reading = {
  readonly failures: Failure[];
  readonly known: KnownFiles;
  readonly signal: AbortSignal | undefined;
};

/** Undefined for whatever is no save image. Of what cannot be read at all nobody knows: that is a failure of its own. */
async function readImage(host: Host, path: string, reading: Reading): Promise<Found | undefined> {
  reading.signal?.throwIfAborted();
  const kind = await attempt(() => host.kind(path));
  if (!kind.ok) reading.failures.push(kind.failure);
  if (!kind.ok || kind.value !== "file") return undefined;
  return reading.known.facts("image", path, async () => {
    const value = await openImage(host, path, reading);
    const end = value?.image?.end.kind;
    return { value, keep: end !== undefined && end !== "unreadable" };
  });
}

async function openImage(
  host: Host,
  path: string,
  { failures, signal }: Reading,
): Promise<Found | undefined> {
  const opened = await attempt(() => host.openBlock(path));
  if (!opened.ok) {
    // libxl has locks there that come and go.
    if (!isAbsent(opened.failure)) failures.push(opened.failure);
    return undefined;
  }
  await using file = opened.value;
  const { size, modifiedMs } = file;
  const head = await attempt(() => file.read(0, Math.min(size, IMAGE_HEAD_BYTES), signal));
  if (!head.ok) failures.push(head.failure);
  if (!head.ok || detectSaveImage(head.value) === undefined) return undefined;
  const found = { path, sizeBytes: size, ...(modifiedMs !== undefined && { modifiedMs }) };
  const read = await attempt(() => readSaveImage(file, signal ? { signal } : {}));
  if (!read.ok) return { ...found, failure: read.failure };
  return read.value && { ...found, image: withoutText(read.value) };
}

/** The text of the config has passwords in it; and there are many images. */
function withoutText({ config, ...image }: SaveImage): KnownImage {
  if (!config) return image;
  const { text: _, ...rest } = config;
  return { ...image, config: rest };
}
