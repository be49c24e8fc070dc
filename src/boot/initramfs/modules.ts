/**
 * The kernel modules in an initramfs: which there are, which are built into the kernel that it was made for, and which
 * modprobe would find there. Packed modules (.gz .xz .zst) count by their names; nothing of them is read.
 */
import { attemptSync } from "../../base/failure.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import type { InitramfsModules } from "./initramfs-facts.ts";
import { parseKmodIndex } from "./kmod-index.ts";
import type { InitramfsTree } from "./tree.ts";

const DIRECTORY = /^(?:usr\/)?lib\/modules\/([^/]+)\/(.+)$/;
const MODULE = /([^/]+)\.ko(?:\.(?:gz|xz|zst|bz2))?$/;

/** `xen-blkfront` of `kernel/drivers/block/xen-blkfront.ko.xz`, as `xen_blkfront`; undefined for other files. */
export function moduleName(path: string): string | undefined {
  return MODULE.exec(path)?.[1]?.replaceAll("-", "_");
}

/** Modules by kernel version. A version whose directory is empty is left out. */
export function readModules(tree: InitramfsTree, where: Where): Map<string, InitramfsModules> {
  const loadable = new Map<string, Set<string>>();
  for (const path of tree.paths()) {
    const [, version, rest] = DIRECTORY.exec(path) ?? [];
    if (version === undefined || rest === undefined) continue;
    let names = loadable.get(version);
    if (!names) loadable.set(version, (names = new Set()));
    const name = moduleName(rest);
    if (name !== undefined) names.add(name);
  }
  const modules = new Map<string, InitramfsModules>();
  for (const [version, names] of loadable) {
    const builtin = moduleList(tree, `${version}/modules.builtin`, where);
    const listed = moduleList(tree, `${version}/modules.dep`, where);
    modules.set(version, {
      loadable: names,
      builtin: builtin ?? new Set(),
      builtinKnown: builtin !== undefined,
      ...(listed && { listed }),
    });
  }
  return modules;
}

function moduleList(tree: InitramfsTree, name: string, where: Where): Set<string> | undefined {
  return (
    readModuleList(tree, `lib/modules/${name}`, where) ??
    readModuleList(tree, `usr/lib/modules/${name}`, where)
  );
}

/** From the binary index, which is what modprobe reads, or else the text. */
function readModuleList(tree: InitramfsTree, path: string, where: Where): Set<string> | undefined {
  const index = tree.bytes(`${path}.bin`);
  if (index) {
    const keys = attemptSync(() => parseKmodIndex(index, within(where, `${path}.bin`)));
    if (keys.ok) return new Set(keys.value);
  }
  const text = tree.text(path);
  if (text === undefined) return undefined;
  const names = new Set<string>();
  for (const line of text.split("\n")) {
    // modules.dep: `kernel/fs/ext4/ext4.ko: kernel/fs/jbd2/jbd2.ko ...`
    const colon = line.indexOf(":");
    const name = moduleName((colon < 0 ? line : line.slice(0, colon)).trimEnd());
    if (name !== undefined) names.add(name);
  }
  return names;
}
