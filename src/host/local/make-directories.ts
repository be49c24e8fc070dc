/**
 * A directory and those above it. Node's own recursive mkdir never ends where the system says ENOENT for a name in a directory that
 * is there, as /proc does.
 */
import { mkdirSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";

/** The first one that was made; undefined when all were there. Fails as mkdir(2) does. */
export function makeDirectories(path: string, mode: number): string | undefined {
  const missing: string[] = [];
  // Ends at the root, at the latest, which is a directory.
  for (let at = resolve(path); !isDirectory(at); at = dirname(at)) missing.push(at);
  for (const directory of missing.toReversed()) {
    try {
      mkdirSync(directory, { mode });
    } catch (error) {
      // Made by somebody else in between.
      if (!isDirectory(directory)) throw error;
    }
  }
  return missing.at(-1);
}

function isDirectory(path: string): boolean {
  try {
    return statSync(path).isDirectory();
  } catch {
    // The attempt to make it says what is wrong with it.
    return path === "/";
  }
}
