/** The one list of loaders, and the search for all of them on a guest's volumes. */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { extlinuxLoader } from "./extlinux/loader.ts";
import { grubLegacyLoader } from "./grub-legacy/loader.ts";
import { grub2Loader } from "./grub2/loader.ts";
import { linksLoader } from "./links.ts";
import type { BootVolume, Loader, LoaderResult } from "./loader.ts";
import { systemdBootLoader } from "./systemd-boot/loader.ts";

/** In the order of preference on one volume: what is newer and more likely in use comes first. */
export const loaders: readonly Loader[] = [
  grub2Loader,
  extlinuxLoader,
  grubLegacyLoader,
  systemdBootLoader,
  linksLoader,
];

export type LoaderSearch = {
  /**
   * In the order of the volumes. A configuration that several lead to is there once; those that only UEFI would
   * find, on an EFI system partition, come after the others.
   */
  readonly results: readonly LoaderResult[];
  /** Volumes that gave no result; without a failure there was nothing to find on them. */
  readonly tried: readonly { readonly where: Where; readonly failure?: Failure }[];
};

export async function findLoaders(
  volumes: readonly BootVolume[],
  signal?: AbortSignal,
): Promise<LoaderSearch> {
  const found: Found[] = [];
  const tried: { where: Where; failure?: Failure }[] = [];
  for (const volume of volumes) {
    const answers: Found[] = [];
    let failed = false;
    for (const loader of loaders.filter(({ yieldsTo }) => yieldsTo !== "all others")) {
      if (loader.yieldsTo && answers.some(hasChoice)) continue;
      const answer = await attempt(() => loader.find(volume, volumes, signal));
      if (!answer.ok) {
        tried.push({ where: answer.failure.where, failure: answer.failure });
        failed = true;
      } else if (answer.value) {
        answers.push(placed(answer.value, volume));
      }
    }
    found.push(...answers);
    if (answers.length === 0 && !failed) tried.push({ where: volume.fs.where });
  }
  if (!found.some(hasChoice)) found.push(...(await lastResorts(volumes, signal)));
  const ordered = [...found.filter((one) => !one.last), ...found.filter((one) => one.last)];
  return { results: withoutRepeats(ordered.map((one) => one.result)), tried };
}

type Found = {
  readonly result: LoaderResult;
  /** Comes after the others. */
  readonly last: boolean;
};

function placed(result: LoaderResult, volume: BootVolume): Found {
  // A stub on another volume has led here, or the path is below EFI/.
  const isElsewhere = (result.volume.viewOf ?? result.volume) !== volume;
  return { result, last: isElsewhere || /^\/EFI\//i.test(result.configPath) };
}

function hasChoice({ result }: Found): boolean {
  return result.chosen !== undefined;
}

/** What only counts when there is nothing else. Volumes that cannot be read have been told about before. */
async function lastResorts(
  volumes: readonly BootVolume[],
  signal: AbortSignal | undefined,
): Promise<Found[]> {
  const found: Found[] = [];
  for (const loader of loaders.filter(({ yieldsTo }) => yieldsTo === "all others")) {
    for (const volume of volumes) {
      const answer = await attempt(() => loader.find(volume, volumes, signal));
      if (answer.ok && answer.value) found.push({ result: answer.value, last: true });
    }
  }
  return found;
}

function withoutRepeats(results: readonly LoaderResult[]): LoaderResult[] {
  return results.filter(
    (result, i) =>
      i ===
      results.findIndex(
        (other) => other.volume === result.volume && other.configPath === result.configPath,
      ),
  );
}
