/**
 * `waiting.json`: the save images that wait to be restored, for whoever is about to boot a guest from its disks and has no
 * time for a database. Docs: docs/design/records.md.
 */
import { corrupt, overLimit } from "../base/failure.ts";
import { MIB } from "../base/units.ts";

export type WaitingImage = {
  readonly guest: string;
  readonly uuid: string;
  /** The image's path in dom0. */
  readonly image: string;
  /** Milliseconds since 1970, of dom0's clock. */
  readonly savedAtMs: number;
  /** What the guest wrote to, as libxl opened it. A disk that it only read is nobody's loss. */
  readonly disks: readonly { readonly path: string }[];
};

/** Of the file, in UTF-16 units: some thousands of images. */
export const MAX_WAITING_LIST_LENGTH = MIB;

const VERSION = 1;
const MAX_IMAGES = 10_000;
const MAX_DISKS = 256;
const MAX_TEXT_LENGTH = 4096;
/** The last moment that a Date has. */
const MAX_TIME_MS = 8.64e15;

/** `limit` for more than `parseWaitingList` would take: what cannot be read again guards nothing. */
export function formatWaitingList(images: readonly WaitingImage[], where = "waiting.json"): string {
  const waiting = images.map(({ guest, uuid, image, savedAtMs, disks }) => ({
    guest,
    uuid,
    image,
    savedAtMs,
    disks: disks.map(({ path }) => ({ path })),
  }));
  const text = `${JSON.stringify({ domus: VERSION, waiting }, undefined, 1)}\n`;
  parseWaitingList(text, where);
  return text;
}

/** Keys that it does not know are passed over. `corrupt`, and `limit` for more than a host can have. */
export function parseWaitingList(text: string, where = "waiting.json"): readonly WaitingImage[] {
  const at = [where];
  if (text.length > MAX_WAITING_LIST_LENGTH)
    throw overLimit(at, "the list", `${MAX_WAITING_LIST_LENGTH} characters`);
  const { domus, waiting } = objectOf(parsedJson(text, at)) ?? {};
  if (domus !== VERSION) throw corrupt(at, "another version, or none", `"domus": ${VERSION}`);
  if (!Array.isArray(waiting)) throw corrupt(at, "no list", `"waiting": [...]`);
  if (waiting.length > MAX_IMAGES) throw overLimit(at, "its length", `${MAX_IMAGES} images`);
  return waiting.map((item, index) => imageOf(item, [...at, `image ${index + 1}`]));
}

function parsedJson(text: string, where: readonly string[]): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    throw corrupt(where, "no JSON", "a list of images");
  }
}

function imageOf(item: unknown, where: readonly string[]): WaitingImage {
  const { guest, uuid, image, savedAtMs, disks } = objectOf(item) ?? {};
  if (typeof savedAtMs !== "number" || !(Math.abs(savedAtMs) <= MAX_TIME_MS))
    throw corrupt(where, "no time", `"savedAtMs": milliseconds`);
  if (!Array.isArray(disks)) throw corrupt(where, "no disks", `"disks": [...]`);
  if (disks.length > MAX_DISKS) throw overLimit(where, "its disks", `${MAX_DISKS}`);
  return {
    guest: textOf(guest, "guest", where),
    uuid: textOf(uuid, "uuid", where),
    image: textOf(image, "image", where),
    savedAtMs,
    disks: disks.map((disk) => ({ path: textOf(objectOf(disk)?.["path"], "path", where) })),
  };
}

function textOf(value: unknown, key: string, where: readonly string[]): string {
  if (typeof value !== "string") throw corrupt(where, `no ${key}`, `"${key}": "..."`);
  if (value.length > MAX_TEXT_LENGTH)
    throw overLimit(where, `its ${key}`, `${MAX_TEXT_LENGTH} characters`);
  return value;
}

function objectOf(value: unknown): Readonly<Record<string, unknown>> | undefined {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Readonly<Record<string, unknown>>)
    : undefined;
}
