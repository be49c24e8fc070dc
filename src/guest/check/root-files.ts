/** What the rules want to know from inside the guest's root filesystem: its fstab, and which C library it has. */
import { attempt } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { parseFstab, rootEntry } from "../../boot/fstab.ts";
import { readTextFile } from "../../boot/loader/boot-file.ts";
import { findRoot } from "../../boot/root-device.ts";
import type { RootFiles, VolumeFacts } from "../../check/facts.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { findPath } from "../../disk/fs/resolve.ts";

/** A C library for Xen: libc6-xen of Debian, and what Red Hat has in its glibc. */
const XEN_LIBC = [
  "/lib/i686/nosegneg",
  "/lib/tls/i686/nosegneg",
  "/lib/i386-linux-gnu/i686/nosegneg",
];

export type GuestVolumes = {
  readonly volumes: readonly VolumeFacts[];
  /** Whether they are all there is. */
  readonly complete: boolean;
};

/** What is damaged or not there is left out. */
export async function readRootFiles(fs: FileSystem, guest: GuestVolumes): Promise<RootFiles> {
  const fstabRoot = await readFstabRoot(fs, guest);
  const isDirectory = async (path: string) => {
    const found = await attempt(() => findPath(fs, path));
    return found.ok && found.value?.inode.kind === "directory";
  };
  const tlsLibc = await isDirectory("/lib/tls");
  let xenLibc = false;
  for (const path of tlsLibc ? XEN_LIBC : []) xenLibc ||= await isDirectory(path);
  return { where: fs.where, tlsLibc, xenLibc, ...(fstabRoot && { fstabRoot }) };
}

async function readFstabRoot(
  fs: FileSystem,
  { volumes, complete }: GuestVolumes,
): Promise<RootFiles["fstabRoot"]> {
  const where = [...fs.where, "/etc/fstab"];
  const read = await attempt(async () => {
    const text = await readTextFile(fs, "/etc/fstab", { limitBytes: MIB });
    return text === undefined ? undefined : rootEntry(parseFstab(text, where));
  });
  if (!read.ok || !read.value) return undefined;
  const { device, line } = read.value;
  return { where: [...where, `line ${line}`], device: findRoot(device, volumes, complete) };
}
