/** Small files in the state directory that may be lost: what was seen, what was found. For root and the group of the directory. */
import {
  chmodSync,
  chownSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";

/** As large as one may be. */
const MAX_BYTES = 16 * 1024 * 1024;
const GROUP_READS = 0o040;

/** Undefined when it is not there, may not be read, or is larger than any of ours. */
export function readKeptFile(directory: string, name: string): string | undefined {
  try {
    const path = join(directory, name);
    const stats = statSync(path);
    return stats.isFile() && stats.size <= MAX_BYTES ? readFileSync(path, "utf8") : undefined;
  } catch {
    return undefined;
  }
}

/**
 * The old content or the new one, not flushed: it may be lost with the power. False when there is no such directory, or nothing
 * can be written to it, which is no failure of the command that would have liked to.
 */
export function writeKeptFile(directory: string, name: string, text: string): boolean {
  const path = join(directory, name);
  const temporary = `${path}.${process.pid}`;
  try {
    if (text.length > MAX_BYTES) return false;
    const { gid, mode } = statSync(directory);
    writeFileSync(temporary, text, { flag: "wx", mode: 0o600 });
    if ((mode & GROUP_READS) !== 0) {
      chownSync(temporary, -1, gid);
      chmodSync(temporary, 0o640);
    }
    renameSync(temporary, path);
    return true;
  } catch {
    try {
      rmSync(temporary, { force: true });
    } catch {
      // Nothing can be removed where nothing could be written.
    }
    return false;
  }
}
