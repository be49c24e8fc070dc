/** Which image a guest was restored from, where one that waits for it need not be the one. */
import { attempt } from "../../base/failure.ts";
import { fileName } from "../../base/path.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord } from "../../host/records.ts";
import { isAt } from "../lifecycle/image-file.ts";
import { cut } from "./observation.ts";
import type { Tracked } from "./state.ts";

/** Whether the image waits for the guest of that domain, by its uuid or its name. */
export function waitsFor(
  { state, uuid, guest }: ImageRecord,
  tracked: Pick<Tracked, "uuid" | "name">,
): boolean {
  return state === "waiting" && (uuid === tracked.uuid || guest === tracked.name);
}

/** By domid, the ids of images that wait for a domain that was restored from another file. */
export async function findOtherImages(
  host: Host,
  domains: readonly Tracked[],
  images: readonly ImageRecord[],
): Promise<ReadonlyMap<number, ReadonlySet<number>>> {
  const found = new Map<number, Set<number>>();
  for (const domain of domains) {
    const { domid, image: given } = domain;
    if (given === undefined) continue;
    for (const image of images.filter((one) => waitsFor(one, domain)))
      if (!(await isSameImage(host, given, image)))
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
  if (there.value === "missing")
    // Else neither is there any more.
    return (await isAt(host, image, given)) ?? fileName(given) === fileName(path);
  const [one, other] = [
    await attempt(() => host.realPath(given)),
    await attempt(() => host.realPath(path)),
  ];
  return !other.ok || (one.ok && one.value === other.value);
}
