/**
 * What an image is a difference to. Its name comes out of the image, and whoever made that could name any file of this
 * host: so nothing is opened but what lies in a directory that the person who types has named, after all symlinks.
 */
import { directoryOf } from "../../base/path.ts";
import { overLimit, unsupported } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { cachedSource } from "../../disk/cache.ts";
import { openImage, sniffImage } from "../../disk/image/formats.ts";
import type { ImageOptions } from "../../disk/image/image.ts";
import type { ByteSource } from "../../disk/source.ts";
import type { Host } from "../../host/host.ts";

/** Images on images. A snapshot a day for a month is long; a loop is longer. */
const MAX_CHAIN = 32;

export type BackingOptions = {
  readonly host: Host;
  /** Owns the files that are opened. */
  readonly devices: AsyncDisposableStack;
  /** Directories in which backing files may lie. */
  readonly allowed: readonly string[];
  /** Of the image: relative names begin at its directory. */
  readonly imagePath: string;
  readonly where: Where;
  readonly signal?: AbortSignal | undefined;
};

/** For `ImageOptions`. Failures: `unsupported` for what is not allowed and what is no file, `limit`, and those of files. */
export function backingOpener(
  options: BackingOptions,
  depth = 1,
): NonNullable<ImageOptions["openBacking"]> {
  return async (name, format) => {
    const { host, devices, where, signal } = options;
    if (depth > MAX_CHAIN) throw overLimit(where, "the chain of backing files", `${MAX_CHAIN}`);
    const path = await allowedPath(name, options);
    const file = cachedSource({ ...(await opened(host, devices, path)), where: [...where, path] });
    const kind = await formatOf(file, format, signal);
    if (kind === "raw") return file;
    const inner = backingOpener({ ...options, imagePath: path }, depth + 1);
    const given = { where: file.where, openBacking: inner, ...(signal && { signal }) };
    return (await openImage(kind, file, given)).source;
  };
}

async function opened(
  host: Host,
  devices: AsyncDisposableStack,
  path: string,
): Promise<ByteSource> {
  const device = devices.use(await host.openBlock(path));
  return {
    size: device.size,
    where: device.where,
    read: (offset, length, signal, into) => device.read(offset, length, signal, into),
  };
}

/** The file itself, without symlinks: it is this that has to be in an allowed directory, and this that is opened. */
async function allowedPath(
  name: string,
  { host, allowed, imagePath, where }: BackingOptions,
): Promise<string> {
  const plain = name.replace(/^file:(?!\/\/)/, "");
  // json:{...}, nbd://..., rbd:...: QEMU's other ways to a disk.
  if (plain === "" || plain.includes("\0") || /^[a-z][a-z0-9+-]*:/i.test(plain)) {
    throw unsupported(where, `a backing file that is no plain path (${name})`);
  }
  const path = plain.startsWith("/") ? plain : `${directoryOf(imagePath)}/${plain}`;
  const real = await host.realPath(path);
  for (const directory of allowed) {
    const inside = `${(await host.realPath(directory)).replace(/\/+$/, "")}/`;
    if (real.startsWith(inside)) return real;
  }
  throw unsupported(
    where,
    `a backing file outside of the directories given with --backing (${real})`,
  );
}

/** As the image says; where it says nothing, as QEMU finds out: by looking. */
async function formatOf(
  file: ByteSource,
  format: string,
  signal: AbortSignal | undefined,
): Promise<"raw" | "qcow2" | "vhd"> {
  const said = format === "" ? ((await sniffImage(file, signal)) ?? "raw") : format.toLowerCase();
  if (said === "raw" || said === "qcow2" || said === "vhd") return said;
  if (said === "vpc") return "vhd";
  throw unsupported(file.where, `the ${said} format of a backing file`);
}
