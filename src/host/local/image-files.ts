/** Files that hold the memory of guests: for root alone, and durable before anybody relies on them. */
import { lstat, open, rename, rm, statfs } from "node:fs/promises";
import { ioFailure } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import { errnoOf } from "./errno.ts";
import { makeDirectories } from "./make-directories.ts";

/** Docs: `ImageFiles` in src/guest/lifecycle/ports.ts. */
export const localImageFiles = {
  async makeDirectory(path: string): Promise<void> {
    await told(path, "make", async () => {
      const made = makeDirectories(path, 0o700);
      if (made !== undefined) await sync(directoryOf(made));
    });
  },
  async create(path: string): Promise<void> {
    await told(path, "create", async () => {
      const handle = await open(path, "wx", 0o600);
      await handle.close();
    });
  },
  async sync(path: string): Promise<void> {
    await told(path, "flush", () => sync(path));
  },
  async rename(from: string, to: string): Promise<void> {
    await told(from, `rename it to ${to}`, async () => {
      if (await isThere(to)) throw Object.assign(new Error(), { code: "EEXIST" });
      await rename(from, to);
      await sync(directoryOf(to));
      if (directoryOf(from) !== directoryOf(to)) await sync(directoryOf(from));
    });
  },
  async remove(path: string): Promise<void> {
    await told(path, "remove", async () => {
      if (!(await isThere(path))) return;
      await rm(path, { force: true });
      await sync(directoryOf(path));
    });
  },
  async freeBytes(directory: string): Promise<number> {
    const { bavail, bsize } = await told(directory, "look at", () => statfs(directory));
    return bavail * bsize;
  },
};

async function told<T>(path: string, op: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw ioFailure([path], op, errnoOf(error), error);
  }
}

/** Of a directory: which names are in it. */
async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return false;
    throw error;
  }
}
