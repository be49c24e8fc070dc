/** Who built an initramfs, and what it can do, by the names of the files in it. */
import type { InitramfsFacts, InitramfsGenerator } from "./initramfs-facts.ts";
import type { InitramfsTree } from "./tree.ts";

/**
 * Each by a file that its generator always writes and others do not: initramfs-tools copies its configuration to
 * conf/, mkinitcpio writes config and buildconfig, booster etc/booster.init.yaml, dracut its library.
 * `etc/initrd-release` says nothing: all that use systemd have it.
 */
export function detectGenerator(tree: InitramfsTree): InitramfsGenerator {
  if (tree.has("conf/initramfs.conf") || tree.has("conf/arch.conf")) return "initramfs-tools";
  if (tree.has("etc/booster.init.yaml")) return "booster";
  if (
    tree.has("buildconfig") ||
    tree.has("init_functions") ||
    (tree.has("config") && tree.has("hooks"))
  ) {
    return "mkinitcpio";
  }
  if (
    ["usr/lib/dracut", "lib/dracut", "usr/lib/dracut-lib.sh", "lib/dracut-lib.sh"].some((path) =>
      tree.has(path),
    )
  ) {
    return "dracut";
  }
  return isProgram(tree, "bin/busybox") || isProgram(tree, "usr/bin/busybox")
    ? "busybox"
    : "unknown";
}

/** An /init that the kernel can start: `rdinit=` aside, without it the kernel mounts root= itself. */
export function hasInit(tree: InitramfsTree): boolean {
  return isProgram(tree, "init");
}

/** There, a regular file and executable by root, symlinks followed by name. */
function isProgram(tree: InitramfsTree, path: string): boolean {
  const found = tree.resolve(path);
  return found !== undefined && (found.mode & 0o170000) === 0o100000 && (found.mode & 0o111) !== 0;
}

const PROGRAM_DIRECTORIES = ["sbin", "usr/sbin", "bin", "usr/bin"];

export function detectTools(tree: InitramfsTree): InitramfsFacts["tools"] {
  const there = (...names: string[]): boolean =>
    names.some((name) =>
      PROGRAM_DIRECTORIES.some((directory) => isProgram(tree, `${directory}/${name}`)),
    );
  return {
    lvm: there("lvm"),
    // With systemd as /init, its own helper opens the volume.
    cryptsetup:
      there("cryptsetup") ||
      isProgram(tree, "usr/lib/systemd/systemd-cryptsetup") ||
      isProgram(tree, "lib/systemd/systemd-cryptsetup"),
    mdadm: there("mdadm"),
    btrfs: there("btrfs"),
  };
}
