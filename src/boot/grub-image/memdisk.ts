/** GRUB's disk in memory as a filesystem. */
import { missing } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { FileSystem, Inode } from "../../disk/fs/filesystem.ts";

/** Inode 0 is the root; the others follow in the order of their names. */
export function memdiskFileSystem(
  files: ReadonlyMap<string, Uint8Array>,
  where: Where,
): FileSystem {
  const paths = allPaths(files);
  const inode = (number: number): Inode => {
    const path = paths[number];
    if (path === undefined) throw missing(where, `inode ${number}`);
    const content = files.get(path);
    const kind = content ? "file" : "directory";
    const mode = content ? 0o644 : 0o755;
    const size = content?.length ?? 0;
    return { number, kind, mode, size, uid: 0, gid: 0, links: 1, mtime: 0 };
  };
  const childrenOf = (directory: Inode) => {
    const parent = paths[directory.number]!;
    const start = parent === "" ? "" : `${parent}/`;
    return paths.flatMap((path, number) => {
      const name = path.slice(start.length);
      const isChild = path !== "" && path.startsWith(start) && name !== "" && !name.includes("/");
      return isChild ? [{ name, number, kind: inode(number).kind }] : [];
    });
  };
  return {
    kind: "tarfs",
    where,
    label: "",
    uuid: "",
    blockSizeBytes: 512,
    sizeBytes: 0,
    state: { clean: true, text: "clean" },
    notes: [],
    root: async () => inode(0),
    inode: async ({ number }) => inode(number),
    lookup: async (directory, name) => childrenOf(directory).find((one) => one.name === name),
    async *list(directory) {
      yield* childrenOf(directory);
    },
    read: async (file, offset, length) =>
      (files.get(paths[file.number]!) ?? new Uint8Array(0)).subarray(offset, offset + length),
    readLink: async () => {
      throw missing(where, "symlink");
    },
    async *usedExtents() {},
  };
}

function allPaths(files: ReadonlyMap<string, Uint8Array>): string[] {
  const paths = new Set([""]);
  for (const path of files.keys()) {
    const steps = path.split("/");
    for (let count = 1; count <= steps.length; count++) paths.add(steps.slice(0, count).join("/"));
  }
  return [...paths].sort();
}
