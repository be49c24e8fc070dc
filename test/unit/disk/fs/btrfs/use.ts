/** Looks at everything that can be reached in a filesystem, as any command could. */
import { FailureError } from "../../../../../src/base/failure.ts";
import { openBtrfs } from "../../../../../src/disk/fs/btrfs/btrfs.ts";
import { walk } from "../../../../../src/disk/fs/walk.ts";
import type { ByteSource } from "../../../../../src/disk/source.ts";

/** How many files there are. */
export async function useEverything(source: ByteSource): Promise<number> {
  const fs = await openBtrfs(source);
  let files = 0;
  for await (const { inode } of walk(fs)) {
    files += 1;
    if (inode.kind === "file") {
      await fs.read(inode, 0, 150_000);
      await fs.read(inode, Math.max(0, inode.size - 5000), 5000);
    }
    if (inode.kind === "symlink") await fs.readLink(inode);
    if (inode.kind === "directory") await fs.lookup(inode, "leaf");
  }
  const root = await fs.root();
  for (const name of ["file", "big", "sub", "absent"]) {
    const entry = await fs.lookup(root, name);
    if (entry) await fs.inode(entry);
  }
  for await (const _ of fs.usedExtents());
  await fs.topLevel?.();
  return files;
}

/** `corrupt: image > btrfs > ...`, or `no failure`. */
export async function failureOf(source: ByteSource): Promise<string> {
  try {
    await useEverything(source);
    return "no failure";
  } catch (error) {
    if (!(error instanceof FailureError)) throw error;
    return `${error.failure.kind}: ${error.message}`;
  }
}
