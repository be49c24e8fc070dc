/** Save images as files: read, and whether one is what it should be. */
import { attempt, isAbsent, FailureError } from "../../base/failure.ts";
import { failureText } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
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
