/** Which image a guest was restored from, where one that waits for it need not be the one. */
import { attempt } from "../../base/failure.ts";
import { fileName } from "../../base/path.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord } from "../../host/records.ts";
import { isFileOf } from "../lifecycle/image-file.ts";
import { cut } from "./observation.ts";
import type { Tracked } from "./state.ts";

/** By domid, the ids of images that wait for a domain that was restored from another file. */
export async function findOtherImages(
  host: Host,
  domains: readonly Tracked[],
  images: readonly ImageRecord[],
): Promise<ReadonlyMap<number, ReadonlySet<number>>> {
  const found = new Map<number, Set<number>>();
  for (const { domid, uuid, name, image: given } of domains)
    for (const image of given === undefined ? [] : images) {
      if (image.state !== "waiting" || (image.uuid !== uuid && image.guest !== name)) continue;
      if (await isSameImage(host, given!, image)) continue;
      found.set(domid, (found.get(domid) ?? new Set()).add(image.id));
    }
  return found;
}

/** xl has gone to / since: of a path that was given from another directory the name is left. */
async function isSameImage(host: Host, given: string, image: ImageRecord): Promise<boolean> {
  const { path } = image;
  if (given === cut(path)) return true;
  if (!given.startsWith("/")) return fileName(given) === fileName(path);
  const there = await attempt(() => host.kind(path));
  if (!there.ok) return true;
  // It may have been moved to where it was restored from.
  if (there.value === "missing") return hasFileOf(host, given, image);
  const [one, other] = [
    await attempt(() => host.realPath(given)),
    await attempt(() => host.realPath(path)),
  ];
  return !other.ok || (one.ok && one.value === other.value);
}

async function hasFileOf(host: Host, path: string, image: ImageRecord): Promise<boolean> {
  const opened = await attempt(() => host.openBlock(path));
  // Neither is there any more.
  if (!opened.ok) return fileName(path) === fileName(image.path);
  await using file = opened.value;
  const { size: sizeBytes, modifiedMs } = file;
  return isFileOf(image, { sizeBytes, ...(modifiedMs !== undefined && { modifiedMs }) });
}
