/** Directories for what is thrown away again, each of them for one piece of work, in one place. */
import { mkdir, open, readdir, rm } from "node:fs/promises";
import { ioFailure } from "../../base/failure.ts";
import { errnoOf } from "./errno.ts";
import { makeDirectories } from "./make-directories.ts";

export type WorkDirectories = {
  readonly path: (name: string) => string;
  /** Makes the directory, for its owner alone, with one file in it. `io` when it is there already. */
  readonly make: (name: string, fileName: string, text: string) => Promise<void>;
  readonly list: () => Promise<readonly string[]>;
  /** With all that is in it; nothing where it is not there. */
  readonly remove: (name: string) => Promise<void>;
};

/** All below `top`, which is made when it is needed. Names are plain ones, no paths. */
export function workDirectories(top: string): WorkDirectories {
  const path = (name: string) => `${top}/${name}`;
  return {
    path,
    async make(name, fileName, text) {
      try {
        makeDirectories(top, 0o700);
        await mkdir(path(name), { mode: 0o700 });
        await using file = await open(`${path(name)}/${fileName}`, "wx", 0o600);
        await file.writeFile(text);
      } catch (error) {
        throw ioFailure([path(name)], "make", errnoOf(error), error);
      }
    },
    async list() {
      try {
        return (await readdir(top)).toSorted();
      } catch (error) {
        if (errnoOf(error) === "ENOENT") return [];
        throw ioFailure([top], "list", errnoOf(error), error);
      }
    },
    async remove(name) {
      try {
        await rm(path(name), { recursive: true, force: true });
      } catch (error) {
        throw ioFailure([path(name)], "remove", errnoOf(error), error);
      }
    },
  };
}
