/** Finds GRUB 2's configuration on a volume. docs/design/grub2.md says what is modelled and what is not. */
import type { BootVolume, Loader, LoaderResult } from "../loader.ts";
import { configPaths } from "./config-paths.ts";
import { evaluateGrub2 } from "./evaluate.ts";
import { topLevelView, topLevelViews } from "./views.ts";

export const grub2Loader: Loader = { name: "grub2", find: findGrub2 };

async function findGrub2(
  volume: BootVolume,
  all: readonly BootVolume[],
  signal?: AbortSignal,
): Promise<LoaderResult | undefined> {
  const view = await topLevelView(volume);
  const volumes = await topLevelViews(all.includes(volume) ? all : [volume, ...all]);
  let empty: LoaderResult | undefined;
  for (const { volume: home, path, platform, variables } of await configPaths(view, signal)) {
    const result = await evaluateGrub2({
      config: { volume: home, path },
      volumes,
      platform: { platform },
      ...(variables && { variables }),
      ...(signal && { signal }),
    });
    // A stub whose root is on another disk, or a leftover, has no entries: the next one may.
    if (result.entries.length > 0) return result;
    empty ??= result;
  }
  return empty;
}
