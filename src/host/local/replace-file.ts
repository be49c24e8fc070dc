/** Puts a new content in place of a file so that a cut at any point leaves the old one or the new one, whole. */
import { constants } from "node:fs";
import { copyFile, open, readFile, rename, rm, stat } from "node:fs/promises";
import { ioFailure, refused } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import type { FileChange } from "../host.ts";
import { errnoOf } from "./errno.ts";

/** What a file is replaced with: one effect each, of which none is durable but by `sync`. */
export type ReplaceFiles = {
  read(path: string): Promise<Uint8Array>;
  /** With its mode. EEXIST where something is at `to`. */
  copyNew(from: string, to: string): Promise<void>;
  /** With owner and mode of the file `like`. EEXIST where something is at the path. */
  writeNew(path: string, bytes: Uint8Array, like: string): Promise<void>;
  /** What is in a file, or which names are in a directory. */
  sync(path: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  /** Nothing where nothing is there. */
  remove(path: string): Promise<void>;
};

/** `path` is the file itself, no link to it. `refused` when it is not what the change was made for. */
export function replaceLocalFile(path: string, change: FileChange): Promise<void> {
  return replaceFileWith(LOCAL, path, change);
}

/** The order of it, on any files. What fails before the new content is in place leaves nothing behind. */
export async function replaceFileWith(
  files: ReplaceFiles,
  path: string,
  { expected, bytes, copyPath, temporaryPath }: FileChange,
): Promise<void> {
  const directory = directoryOf(path);
  const assertExpected = async () => {
    if (Buffer.compare(await files.read(path), expected) !== 0) throw changed(path);
  };
  const begun: string[] = [];
  try {
    await assertExpected();
    await files.copyNew(path, copyPath);
    begun.push(copyPath);
    await files.sync(copyPath);
    await files.remove(temporaryPath);
    begun.push(temporaryPath);
    await files.writeNew(temporaryPath, bytes, path);
    await files.sync(temporaryPath);
    // The name of the copy, too, before there is nothing else that has the old content.
    await files.sync(directory);
    await assertExpected();
    await files.rename(temporaryPath, path);
    begun.length = 0;
    await files.sync(directory);
  } catch (error) {
    for (const one of begun) await files.remove(one).catch(() => {});
    if (!(error instanceof Error) || !("code" in error)) throw error;
    throw ioFailure([path], "replace", errnoOf(error), error);
  }
}

const LOCAL: ReplaceFiles = {
  read: (path) => readFile(path),
  // An older copy is not lost for a newer one.
  copyNew: (from, to) => copyFile(from, to, constants.COPYFILE_EXCL),
  async writeNew(path, bytes, like) {
    const { mode, uid, gid } = await stat(like);
    await opened(path, "wx", async (handle) => {
      await handle.writeFile(bytes);
      await handle.chown(uid, gid);
      await handle.chmod(mode & 0o7777);
    });
  },
  sync: (path) => opened(path, "r", (handle) => handle.sync()),
  rename,
  remove: (path) => rm(path, { force: true }),
};

type Handle = Awaited<ReturnType<typeof open>>;

async function opened(path: string, flags: string, use: (handle: Handle) => Promise<void>) {
  const handle = await open(path, flags, 0o600);
  try {
    await use(handle);
  } finally {
    await handle.close();
  }
}

function changed(path: string) {
  return refused([path], {
    what: `${path} was changed a moment ago.`,
    why: "The change was made for what was in it before; writing it now would lose what somebody else has written.",
    next: "Run the command again.",
  });
}
