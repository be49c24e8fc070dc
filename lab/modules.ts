/**
 * Kernel modules of a tree made by a linux-image package: which files a module needs, in the order of loading.
 * The order comes from modules.dep (depmod(8), modules.dep(5)), which packages leave to their postinst.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";

/** A module's name as the kernel says it: `virtio_blk` for `kernel/drivers/block/virtio_blk.ko.xz`. */
export function moduleName(path: string): string {
  return basename(path)
    .replace(/\.ko(\.\w+)?$/, "")
    .replaceAll("-", "_");
}

/**
 * The files to load for `names`, dependencies first, each once; paths as modules.dep has them.
 * Names that the kernel has built in (`builtin`: the text of modules.builtin) need no file. Fails on an unknown name.
 */
export function moduleOrder(dep: string, builtin: string, names: readonly string[]): string[] {
  const needs = new Map<string, readonly string[]>();
  for (const line of dep.split("\n")) {
    const [path, rest] = line.split(":");
    if (path === undefined || rest === undefined) continue;
    // modules.dep lists what a module needs, all levels deep, the last to load first
    needs.set(moduleName(path), [...rest.trim().split(" ").filter(Boolean).reverse(), path]);
  }
  const inKernel = new Set(builtin.split("\n").filter(Boolean).map(moduleName));
  const order = new Set<string>();
  for (const name of names.map((one) => one.replaceAll("-", "_"))) {
    const files = needs.get(name);
    if (files) for (const file of files) order.add(file);
    else if (!inKernel.has(name)) throw new Error(`this kernel has no module ${name}`);
  }
  return [...order];
}

/** Where a linux-image package has its modules: below /usr/lib since Debian 13. */
export function moduleDirectory(root: string, version: string): string {
  const places = ["lib", "usr/lib"].map((lib) => join(root, lib, "modules", version));
  const found = places.find((dir) => existsSync(dir));
  if (!found) throw new Error(`there are no modules of ${version} in ${root}`);
  return found;
}

/** Runs depmod(8) for one kernel's modules, wherever they are: it looks for lib/modules only. */
export function depmod(dir: string): void {
  const base = mkdtempSync(join(tmpdir(), "domus-depmod-"));
  try {
    mkdirSync(join(base, "lib"));
    symlinkSync(dirname(dir), join(base, "lib", "modules"));
    execFileSync("depmod", ["-b", base, basename(dir)], {
      stdio: ["ignore", "ignore", "inherit"],
      env: { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` },
    });
  } finally {
    rmSync(base, { recursive: true, force: true });
  }
}

/** Loading order for `names` in the package tree `root` of kernel `version`; runs depmod there when nobody has. */
export function modulesOf(root: string, version: string, names: readonly string[]): string[] {
  const dir = moduleDirectory(root, version);
  if (!existsSync(join(dir, "modules.dep"))) depmod(dir);
  const read = (file: string) => readFileSync(join(dir, file), "utf8");
  return moduleOrder(read("modules.dep"), read("modules.builtin"), names).map((file) =>
    join(dir, file),
  );
}
