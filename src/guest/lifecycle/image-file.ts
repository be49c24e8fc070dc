/** Save images as files: read, and whether one is what it should be. */
import { attempt, isAbsent, FailureError } from "../../base/failure.ts";
import { failureText } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord } from "../../host/records.ts";
import { readSaveImage } from "../../xen/save-image/save-image.ts";
import type { SaveImage } from "../../xen/save-image/save-image.ts";

export type ImageFile = {
  readonly path: string;
  readonly sizeBytes: number;
  readonly modifiedMs?: number;
  readonly image: SaveImage;
};

/** Undefined when nothing is there, or no save image; `io` when it cannot be read. */
export async function readImageFile(
  host: Host,
  path: string,
  signal?: AbortSignal,
): Promise<ImageFile | undefined> {
  const opened = await attempt(() => host.openBlock(path));
  if (!opened.ok) {
    if (isAbsent(opened.failure)) return undefined;
    throw new FailureError(opened.failure);
  }
  await using file = opened.value;
  const image = await readSaveImage(file, signal ? { signal } : {});
  if (!image) return undefined;
  const { size: sizeBytes, modifiedMs } = file;
  return { path, sizeBytes, image, ...(modifiedMs !== undefined && { modifiedMs }) };
}

/** Of which it is certain that nothing is missing at its end. */
export function isWhole({ image }: ImageFile): boolean {
  return image.end.kind === "complete";
}

/** What is wrong with it: a sentence. Undefined for a whole one, and for a format of which that cannot be told. */
export function imageFlaw({ end }: SaveImage): string | undefined {
  if (end.kind === "cut-off") return `It ends after ${end.atBytes} bytes, inside ${end.what}.`;
  if (end.kind === "unreadable") return `${failureText(end.failure)}.`;
  return undefined;
}

/** The record is written after the file; some filesystems keep times in steps of 2 s. */
const RECORDED_AFTER_MS = 2000;

/** Whether a file at the path of a record is the one that was recorded, and none that has its name since. */
export function isFileOf(
  record: ImageRecord,
  { sizeBytes, modifiedMs = 0 }: Pick<ImageFile, "sizeBytes"> & { readonly modifiedMs?: number },
): boolean {
  if (record.sizeBytes !== undefined && record.sizeBytes !== sizeBytes) return false;
  return modifiedMs <= record.savedAtMs + RECORDED_AFTER_MS;
}

/** Whether the file of a record is there. Not what is in it. */
export async function isThere(host: Host, record: ImageRecord): Promise<boolean> {
  return (await isAt(host, record, record.path)) === true;
}

/** Whether the file at that path is the one of the record; undefined when none can be opened. */
export async function isAt(
  host: Host,
  record: ImageRecord,
  path: string,
): Promise<boolean | undefined> {
  const opened = await attempt(() => host.openBlock(path));
  if (!opened.ok) return undefined;
  await using file = opened.value;
  const { size: sizeBytes, modifiedMs } = file;
  return isFileOf(record, { sizeBytes, ...(modifiedMs !== undefined && { modifiedMs }) });
}
