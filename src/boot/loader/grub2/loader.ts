/** Finds GRUB 2's configuration on a volume. docs/design/grub2.md says what is modelled and what is not. */
import { attempt, FailureError } from "../../../base/failure.ts";
import type { FileSystem } from "../../../disk/fs/filesystem.ts";
import { findPath } from "../../../disk/fs/resolve.ts";
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
  const efi = (await efiDirectories(fs, signal)).map((name) => ({
    path: `/EFI/${name}/grub.cfg`,
    platform: "efi",
  }));
  const found: Candidate[] = [];
  for (const candidate of [...plain, ...efi]) {
    if (await isFile(fs, candidate.path)) found.push(candidate);
  }
  return found;
}

async function isFile(fs: FileSystem, path: string): Promise<boolean> {
  const found = await attempt(() => findPath(fs, path));
  if (found.ok) return found.value?.inode.kind === "file";
  // A chain of symlinks that is too long leads nowhere in GRUB, too.
  if (found.failure.kind === "limit") return false;
  throw new FailureError(found.failure);
}

async function efiDirectories(fs: FileSystem, signal?: AbortSignal): Promise<string[]> {
  const efi = await findPath(fs, "/EFI");
  if (efi?.inode.kind !== "directory") return [];
  const names: string[] = [];
  for await (const { name } of fs.list(efi.inode, signal)) {
    if (names.length >= MAX_EFI_DIRECTORIES) break;
    names.push(name);
  }
  return names;
}
