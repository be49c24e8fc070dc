/**
 * Filesystems with several roots as GRUB sees them. GRUB's paths begin at the top level of a btrfs, whatever its default
 * subvolume is (grub-core/fs/btrfs.c). The GRUB of openSUSE and Fedora begins at the default subvolume once the variable
 * `btrfs_relative_path` says so. Its `btrfs_subvol` and `btrfs_subvolid`, which menus of snapshots set, are not followed.
 */
import { attempt } from "../../../base/failure.ts";
import type { BootVolume } from "../loader.ts";

/** One view for each volume, so that a file in it is the same file, whoever led to it. */
const views = new WeakMap<BootVolume, BootVolume>();

/** The volume from its top level; itself where that is all there is. Fails as the filesystem does. */
export async function topLevelView(volume: BootVolume): Promise<BootVolume> {
  const known = views.get(volume);
  if (known) return known;
  const top = await volume.fs.topLevel?.();
  const isSame = !top || top.where.length === volume.fs.where.length;
  const view = isSame ? volume : { ...volume, fs: top, viewOf: volume };
  views.set(volume, view);
  return view;
}

/** All that GRUB can read: what is too damaged for it is left out. */
export async function topLevelViews(volumes: readonly BootVolume[]): Promise<BootVolume[]> {
  const all: BootVolume[] = [];
  for (const volume of volumes) {
    const view = await attempt(() => topLevelView(volume));
    if (view.ok) all.push(view.value);
  }
  return all;
}

/** What a path begins at while `btrfs_relative_path` has this value. */
export function viewFor(volume: BootVolume, relativePath: string | undefined): BootVolume {
  return volume.viewOf && /^[1y]/.test(relativePath ?? "") ? volume.viewOf : volume;
}

/** Whether a configuration was made for the GRUB that begins at the default subvolume. */
export function usesRelativePaths(config: string): boolean {
  return /^[ \t]*set[ \t]+btrfs_relative_path=["']?[1y]/m.test(config);
}
