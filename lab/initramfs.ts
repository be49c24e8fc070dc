/**
 * Small initramfs images of busybox, some modules and a script: for the lab's hosts and for its guests.
 * They start in a second where Debian's own need ten, which counts in an emulated machine.
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debianPackage } from "./debian.ts";
import { moduleName, modulesOf } from "./modules.ts";

/** The statically linked busybox of Debian's busybox-static. */
export function busybox(): string {
  const root = debianPackage("bookworm", "busybox-static");
  return join(root, "bin", "busybox");
}

export type InitramfsRecipe = {
  /** The tree of a linux-image package, with /lib/modules. */
  readonly kernelRoot: string;
  readonly version: string;
  /** Modules to load, by name; what they need comes along. */
  readonly modules: readonly string[];
  /** The text of /init, run by busybox's sh after `prelude()`. */
  readonly init: string;
};

/** How /init begins: the kernel's filesystems are mounted, the applets are there, the modules loaded. */
function prelude(modules: readonly string[]): string {
  return `#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
${modules.map((file) => `insmod /modules/${file}`).join("\n")}
`;
}

/** A module's bytes, unpacked: the kernels of newer releases have theirs packed by xz, which busybox does not load. */
function moduleBytes(file: string): Uint8Array {
  if (!file.endsWith(".xz")) return readFileSync(file);
  return execFileSync("xz", ["-dc", file], { maxBuffer: 1 << 28 });
}

/** The image: one gzip member around one newc archive. */
export function makeInitramfs(recipe: InitramfsRecipe): Uint8Array {
  const files = modulesOf(recipe.kernelRoot, recipe.version, recipe.modules);
  const tree = mkdtempSync(join(tmpdir(), "domus-initramfs-"));
  try {
    for (const dir of ["bin", "dev", "proc", "sys", "modules", "mnt"]) mkdirSync(join(tree, dir));
    cpSync(busybox(), join(tree, "bin", "busybox"));
    const names = files.map((file) => {
      const name = `${moduleName(file)}.ko`;
      writeFileSync(join(tree, "modules", name), moduleBytes(file));
      return name;
    });
    writeFileSync(join(tree, "init"), prelude(names) + recipe.init);
    chmodSync(join(tree, "init"), 0o755);
    return execFileSync(
      "sh",
      ["-c", "find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible | gzip -9n"],
      { cwd: tree, maxBuffer: 1 << 28 },
    );
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
