/** Finds GRUB 2's configuration on a volume. docs/design/grub2.md says what is modelled and what is not. */
import type { FileSystem } from "../../../disk/fs/filesystem.ts";
import { fileNames, isFile } from "../boot-file.ts";
import type { BootVolume, Loader, LoaderResult } from "../loader.ts";
import { evaluateGrub2 } from "./evaluate.ts";

/** As distributions install it: in /boot of the root, or at the top of a /boot of its own. */
const PATHS = ["/boot/grub/grub.cfg", "/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub2/grub.cfg"];
/** Subvolumes that Ubuntu and Debian install into. */
const BTRFS_ROOTS = ["/@", "/@rootfs"];
/** Directories in EFI/ that are looked at: one for each system that ever was installed. */
const MAX_EFI_DIRECTORIES = 16;

export const grub2Loader: Loader = { name: "grub2", find: findGrub2 };

async function findGrub2(
  volume: BootVolume,
  all: readonly BootVolume[],
  signal?: AbortSignal,
): Promise<LoaderResult | undefined> {
  const volumes = all.includes(volume) ? all : [volume, ...all];
  let empty: LoaderResult | undefined;
  for (const { path, platform } of await configPaths(volume.fs, signal)) {
    const result = await evaluateGrub2({
      config: { volume, path },
      volumes,
      platform: { platform },
      ...(signal && { signal }),
    });
    // A stub whose root is on another disk, or a leftover, has no entries: the next one may.
    if (result.entries.length > 0) return result;
    empty ??= result;
  }
  return empty;
}

type Candidate = { readonly path: string; readonly platform: string };

/** Those that are there. A configuration below EFI/ belongs to a GRUB that UEFI has started. */
async function configPaths(fs: FileSystem, signal?: AbortSignal): Promise<Candidate[]> {
  const roots = fs.kind === "btrfs" ? ["", ...BTRFS_ROOTS] : [""];
  const plain = roots.flatMap((root) =>
    PATHS.map((path) => ({ path: root + path, platform: "pc" })),
  );
  const options = { limit: MAX_EFI_DIRECTORIES, ...(signal && { signal }) };
  const efi = (await fileNames(fs, "/EFI", options)).map((name) => ({
    path: `/EFI/${name}/grub.cfg`,
    platform: "efi",
  }));
  const found: Candidate[] = [];
  for (const candidate of [...plain, ...efi]) {
    if (await isFile(fs, candidate.path)) found.push(candidate);
  }
  return found;
}
