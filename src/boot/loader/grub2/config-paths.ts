/**
 * Where a GRUB that was installed on a volume may have its configuration. The path is in GRUB's own image; it is not
 * read from there, but looked for where distributions put it.
 */
import { decodeText } from "../../../bytes/text.ts";
import { findPath } from "../../../disk/fs/resolve.ts";
import type { FileSystem } from "../../../disk/fs/filesystem.ts";
import { fileNames, isFile } from "../boot-file.ts";
import type { BootVolume } from "../loader.ts";
import { usesRelativePaths } from "./views.ts";

/** In /boot of the root, or at the top of a /boot of its own. */
const PATHS = ["/boot/grub/grub.cfg", "/grub/grub.cfg", "/boot/grub2/grub.cfg", "/grub2/grub.cfg"];
/** Subvolumes that Ubuntu and Arch, Debian and Fedora install into. */
const BTRFS_ROOTS = ["@", "@rootfs", "root"];
/** Directories at the top level of a btrfs that are looked at: a subvolume each, as a rule. */
const MAX_BTRFS_ROOTS = 32;
/** Directories in EFI/ that are looked at: one for each system that ever was installed. */
const MAX_EFI_DIRECTORIES = 16;
/** Where `btrfs_relative_path` is looked for: it is the first thing that grub-mkconfig writes. */
const HEAD_BYTES = 64 * 1024;

export type Candidate = {
  readonly volume: BootVolume;
  readonly path: string;
  readonly platform: string;
  readonly variables?: Readonly<Record<string, string>>;
};

/** Those that are there, the likeliest first. `view` is the volume from its top level. */
export async function configPaths(view: BootVolume, signal?: AbortSignal): Promise<Candidate[]> {
  const { fs, viewOf: mounted } = view;
  const roots = fs.kind === "btrfs" ? ["", ...(await btrfsRoots(fs, signal))] : [""];
  const plain = roots.flatMap((root) => PATHS.map((path) => root + path));
  const options = { limit: MAX_EFI_DIRECTORIES, ...(signal && { signal }) };
  const efi = (await fileNames(fs, "/EFI", options)).map((name) => `/EFI/${name}/grub.cfg`);
  const byDefault = mounted ? await present(mounted, PATHS, "pc") : [];
  const relative: Candidate[] = [];
  const others: Candidate[] = [];
  for (const one of byDefault) {
    const isRelative = usesRelativePaths(await headOf(one, signal));
    // Its image was told the same: otherwise it would not have found the file.
    if (isRelative) relative.push({ ...one, variables: { btrfs_relative_path: "y" } });
    else others.push(one);
  }
  return [
    ...relative,
    ...(await present(view, plain, "pc")),
    // In a subvolume further down than was looked: a snapshot that was made the default.
    ...others,
    // A configuration below EFI/ belongs to a GRUB that UEFI has started.
    ...(await present(view, efi, "efi")),
  ];
}

/** Directories at the top level, those that systems are installed into first. */
async function btrfsRoots(fs: FileSystem, signal?: AbortSignal): Promise<string[]> {
  const options = { limit: MAX_BTRFS_ROOTS, ...(signal && { signal }) };
  const others = (await fileNames(fs, "/", options)).filter((name) => name !== "boot");
  return [...new Set([...BTRFS_ROOTS, ...others.sort()])].map((name) => `/${name}`);
}

async function present(
  volume: BootVolume,
  paths: readonly string[],
  platform: string,
): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const path of paths) {
    if (await isFile(volume.fs, path)) found.push({ volume, path, platform });
  }
  return found;
}

async function headOf({ volume, path }: Candidate, signal?: AbortSignal): Promise<string> {
  const found = await findPath(volume.fs, path);
  if (!found) return "";
  const length = Math.min(found.inode.size, HEAD_BYTES);
  return decodeText(await volume.fs.read(found.inode, 0, length, signal));
}
