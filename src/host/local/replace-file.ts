/** Puts a new content in place of a file so that a cut at any point leaves the old one or the new one, whole. */
import { constants } from "node:fs";
import { copyFile, open, readFile, rename, rm, stat } from "node:fs/promises";
import { ioFailure, refused } from "../../base/failure.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import type { FileChange } from "../host.ts";
import { errnoOf } from "./errno.ts";

/** `path` is the file itself, no link to it. `refused` when it is not what the change was made for. */
export async function replaceLocalFile(path: string, change: FileChange): Promise<void> {
  const temporary = `${directoryOf(path)}/.${fileName(path)}.domus-new`;
  try {
    const { mode, uid, gid } = await stat(path);
    const now = await readFile(path);
    if (Buffer.compare(now, change.expected) !== 0) throw changed(path);
    // COPYFILE_EXCL: an older copy is not lost for a newer one.
    await copyFile(path, change.copyPath, constants.COPYFILE_EXCL);
    await synced(change.copyPath, "r+", async () => {});
    await rm(temporary, { force: true });
    await synced(temporary, "wx", async (handle) => {
      await handle.writeFile(change.bytes);
      await handle.chown(uid, gid);
      await handle.chmod(mode & 0o7777);
    });
    await rename(temporary, path);
    await synced(directoryOf(path), "r", async () => {});
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => {});
    if (!(error instanceof Error) || !("code" in error)) throw error;
    throw ioFailure([path], "replace", errnoOf(error), error);
  }
}

type Handle = Awaited<ReturnType<typeof open>>;

async function synced(path: string, flags: string, use: (handle: Handle) => Promise<void>) {
  const handle = await open(path, flags, 0o600);
  try {
    await use(handle);
    await handle.sync();
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
