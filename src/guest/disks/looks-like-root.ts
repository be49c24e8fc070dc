/** Whether a filesystem is one that Linux could have for its root. */
import { attempt } from "../../base/failure.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { resolvePath } from "../../disk/fs/resolve.ts";

/** Subvolumes that Ubuntu, Arch, Debian and Fedora install into. */
const ROOT_SUBVOLUMES = ["@", "@rootfs", "root"];

/** In the view that is given: what a kernel needs to find there to start init. Undefined when it could not be read. */
export async function looksLikeRoot(fs: FileSystem): Promise<boolean | undefined> {
  for (const path of ["/sbin/init", "/usr/lib/systemd/systemd", "/etc/inittab", "/bin/sh"]) {
    const found = await attempt(() => resolvePath(fs, path));
    if (found.ok) return true;
    if (found.failure.kind !== "missing") return undefined;
  }
  return false;
}

/** In the view that is given, or in a subvolume that distributions use for it. */
export async function holdsRoot(fs: FileSystem): Promise<boolean | undefined> {
  const own = await looksLikeRoot(fs);
  if (own !== false || !fs.subvolume) return own;
  for (const name of ROOT_SUBVOLUMES) {
    const view = await attempt(() => fs.subvolume!(name));
    if (view.ok && (await looksLikeRoot(view.value))) return true;
  }
  return false;
}
