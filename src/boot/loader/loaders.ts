/** The one list of loaders, and the search for all of them on a guest's volumes. */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { extlinuxLoader } from "./extlinux/loader.ts";
import { grubLegacyLoader } from "./grub-legacy/loader.ts";
import { grub2Loader } from "./grub2/loader.ts";
import type { BootVolume, Loader, LoaderResult } from "./loader.ts";

/** In the order of preference on one volume: what is newer and more likely in use comes first. */
export const loaders: readonly Loader[] = [grub2Loader, extlinuxLoader, grubLegacyLoader];

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
  const found: { result: LoaderResult; last: boolean }[] = [];
  const tried: { where: Where; failure?: Failure }[] = [];
  for (const volume of volumes) {
    let answers = 0;
    for (const loader of loaders) {
      const answer = await attempt(() => loader.find(volume, volumes, signal));
      if (!answer.ok) {
        tried.push({ where: answer.failure.where, failure: answer.failure });
        answers += 1;
      } else if (answer.value) {
        const result = answer.value;
        // A stub on another volume has led here, or the path is below EFI/.
        const last = result.volume !== volume || /^\/EFI\//i.test(result.configPath);
        found.push({ result, last });
        answers += 1;
      }
    }
    if (answers === 0) tried.push({ where: volume.fs.where });
  }
  const ordered = [...found.filter((one) => !one.last), ...found.filter((one) => one.last)];
  return { results: withoutRepeats(ordered.map((one) => one.result)), tried };
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
