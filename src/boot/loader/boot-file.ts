/** Files that a loader's configuration names, looked up on the filesystem that they should be on. */
import { attempt, FailureError } from "../../base/failure.ts";
import { decodeText } from "../../bytes/text.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { findPath, readFile } from "../../disk/fs/resolve.ts";

/** Whether `path` leads to a regular file. Damage on the way is a failure. */
export async function isFile(fs: FileSystem, path: string): Promise<boolean> {
  return (await fileSize(fs, path)) !== undefined;
}

/** In bytes; `undefined` when there is no such file. */
async function fileSize(fs: FileSystem, path: string): Promise<number | undefined> {
  const found = await attempt(() => findPath(fs, path));
  if (found.ok) return found.value?.inode.kind === "file" ? found.value.inode.size : undefined;
  // A chain of symlinks that is too long, or a name that no filesystem could hold, leads nowhere in a loader, too.
  if (found.failure.kind === "limit") return undefined;
  throw new FailureError(found.failure);
}

/** A whole text file; `undefined` when there is none, `limit` when it has more than `limitBytes`. */
export async function readTextFile(
  fs: FileSystem,
  path: string,
  { limitBytes, signal }: { readonly limitBytes: number; readonly signal?: AbortSignal },
): Promise<string | undefined> {
  if (!(await isFile(fs, path))) return undefined;
  return decodeText(await readFile(fs, path, limitBytes, signal));
}

/** The names in a directory, at most `limit`; none when there is no such directory. */
export async function fileNames(
  fs: FileSystem,
  directory: string,
  { limit, signal }: { readonly limit: number; readonly signal?: AbortSignal },
): Promise<string[]> {
  const found = await findPath(fs, directory);
  if (found?.inode.kind !== "directory") return [];
  const names: string[] = [];
  for await (const { name } of fs.list(found.inode, signal)) {
    if (names.length >= limit) break;
    names.push(name);
  }
  return names;
}

/** A part of a guest's text, for a sentence. */
export function quoted(text: string, limit = 200): string {
  return text.length > limit ? `"${text.slice(0, limit)}..."` : `"${text}"`;
}
