import { constants, readdir, realpath, stat, statSync } from "node:fs";
import { promisify } from "node:util";
import { ioFailure, misuse, overLimit } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import type { PathKind } from "../host.ts";
import { openDescriptor } from "./descriptor.ts";
import { errnoOf } from "./errno.ts";

const DEFAULT_LIMIT_BYTES = 16 * MIB;

export async function readLocalFile(
  path: string,
  limitBytes = DEFAULT_LIMIT_BYTES,
): Promise<Uint8Array> {
  // A FIFO that somebody left among the configs would be waited for without end. What the shell hands over as
  // /dev/fd/63 (`<(xl info)`) is one too, with a writer at its other end.
  const handedOver = /^\/(dev\/(fd\/|stdin$)|proc\/self\/fd\/)/.test(path);
  const flags = constants.O_RDONLY | (handedOver ? 0 : constants.O_NONBLOCK);
  const handle = await openDescriptor(path, flags).catch((error) => fail(path, "open", error));
  try {
    const stats = await handle.stat();
    if (stats.isDirectory()) throw ioFailure([path], "read", "EISDIR");
    if (stats.isFIFO() && !handedOver)
      throw misuse(`${path} is a FIFO, not a file.`, "Name a file.");
    if (stats.size > limitBytes) throw overLimit([path], "the file", `${limitBytes} bytes`);
    // Read by hand, not by size: files in /proc say 0.
    const parts: Uint8Array[] = [];
    let total = 0;
    for (;;) {
      const chunk = new Uint8Array(Math.min(limitBytes + 1, Math.max(65_536, stats.size)));
      const { bytesRead } = await handle
        .read(chunk, 0, chunk.length, null)
        .catch((error) => fail(path, "read", error));
      if (bytesRead === 0) break;
      total += bytesRead;
      if (total > limitBytes) throw overLimit([path], "the file", `${limitBytes} bytes`);
      parts.push(chunk.subarray(0, bytesRead));
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  } finally {
    await handle.close();
  }
}

export async function listLocal(path: string): Promise<readonly string[]> {
  const names = await promisify(readdir)(path).catch((error) => fail(path, "list", error));
  return names.sort();
}

export async function localKind(path: string): Promise<PathKind> {
  try {
    const stats = await promisify(stat)(path);
    if (stats.isFile()) return "file";
    if (stats.isBlockDevice()) return "block-device";
    return stats.isDirectory() ? "directory" : "other";
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT" || errno === "ENOTDIR") return "missing";
    throw ioFailure([path], "look at", errno, error);
  }
}

/** Clocks of filesystems advance in ticks; FAT's in two seconds. */
const SETTLED_MS = 3000;

/** See `Host.stampOf`. At once, like all looks at what the kernel has in memory: a thread costs ten times as much. */
export function localStamp(path: string): string | undefined {
  try {
    const stats = statSync(path, { bigint: true });
    const { dev, ino, size, mtimeNs, ctimeNs } = stats;
    const newest = mtimeNs > ctimeNs ? mtimeNs : ctimeNs;
    // Also undefined for times of the future: the next write may have the same.
    const isSettled = Date.now() - Number(newest / 1_000_000n) > SETTLED_MS;
    return stats.isFile() && isSettled ? `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}` : undefined;
  } catch {
    return undefined;
  }
}

export function localRealPath(path: string): Promise<string> {
  return promisify(realpath.native)(path).catch((error) => fail(path, "follow", error));
}

function fail(path: string, op: string, error: unknown): never {
  throw ioFailure([path], op, errnoOf(error), error);
}
