import { lstatSync, readlinkSync, statSync } from "node:fs";
import { join } from "node:path";
import { missing, misuse, overLimit } from "../../base/failure.ts";
import type { Host } from "../host.ts";
import { openLocalBlock } from "./block.ts";
import { listLocal, localKind, localStamp, readLocalFile } from "./files.ts";
import { errnoOf } from "./errno.ts";
import { lookAtTreeDisk } from "./look-at-disk.ts";

/** As many as Linux follows (fs/namei.c MAXSYMLINKS). */
const MAX_LINKS = 40;

/**
 * A dom0's file tree somewhere else: a dead host's disk, a sample (`--root DIR`). Paths are the dom0's own; symlinks
 * are followed inside the tree, so that an absolute link there does not lead to this machine's files. Nothing is run.
 */
export function treeHost(root: string): Host {
  if (!statSync(root, { throwIfNoEntry: false })?.isDirectory()) {
    throw misuse(`There is no directory ${root}.`, "--root names the top of a dom0's file tree.");
  }
  const inside = async <T>(path: string, use: (real: string) => Promise<T>) =>
    use(join(root, resolveInside(root, path)));
  return {
    name: root,
    live: false,
    run: (argv) =>
      Promise.reject(missing([root], `running host to run ${argv[0] ?? "a program"} on`)),
    openBlock: (path) => inside(path, (real) => openLocalBlock(real, [path])),
    readFile: (path, limitBytes) => inside(path, (real) => readLocalFile(real, limitBytes)),
    list: (path) => inside(path, listLocal),
    kind: async (path) => {
      try {
        return await inside(path, localKind);
      } catch {
        return "missing";
      }
    },
    realPath: async (path) => resolveInside(root, path),
    stampOf: (path) => inside(path, async (real) => localStamp(real)),
    lookAtDisk: (path) => inside(path, async (real) => lookAtTreeDisk(real)),
  };
}

/** The path inside the tree after following its symlinks; components that do not exist stay as they are. */
function resolveInside(root: string, path: string): string {
  const todo = path.split("/").reverse();
  const done: string[] = [];
  let links = 0;
  while (todo.length > 0) {
    const step = todo.pop()!;
    if (step === "" || step === ".") continue;
    if (step === "..") {
      done.pop();
      continue;
    }
    const target = linkTarget(join(root, ...done, step));
    if (target === undefined) {
      done.push(step);
      continue;
    }
    links += 1;
    if (links > MAX_LINKS) throw overLimit([path], "a chain of symlinks", String(MAX_LINKS));
    if (target.startsWith("/")) done.length = 0;
    todo.push(...target.split("/").reverse());
  }
  return `/${done.join("/")}`;
}

/**
 * Not by promises: every path has several steps, each of them a look into what the kernel has in memory, and the way to
 * another thread and back costs ten times as much (measured with the configs of 500 guests).
 */
function linkTarget(path: string): string | undefined {
  try {
    const stats = lstatSync(path, { throwIfNoEntry: false });
    return stats?.isSymbolicLink() ? readlinkSync(path) : undefined;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return undefined;
    throw error;
  }
}
