/** Reads the kernel and the initramfs images of a planned boot and says what they are. */
import { attempt, isAbsent, missing } from "../../base/failure.ts";
import type { Result } from "../../base/failure.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { decodeText } from "../../bytes/text.ts";
import type { InitramfsFacts } from "../../boot/initramfs/initramfs-facts.ts";
import { readInitramfs } from "../../boot/initramfs/read-initramfs.ts";
import { kernelConfigPaths } from "../../boot/kernel/kernel-config.ts";
import type { KernelFacts } from "../../boot/kernel/kernel-facts.ts";
import { parsePeSections } from "../../boot/kernel/pe.ts";
import { readKernel } from "../../boot/kernel/read-kernel.ts";
import type { BootFile } from "../../boot/loader/loader.ts";
import type { NeededFile } from "../../check/facts.ts";
import { findFile, readFile, resolvePath } from "../../disk/fs/resolve.ts";
import type { Host } from "../../host/host.ts";
import type { FactInputs, FactsCache, FactSource } from "./facts-cache.ts";
import type { BootSource, FoundBoot } from "./find-boot.ts";

/** Xen's builder takes 1 GiB at most (xen: tools/libs/guest/xg_dom_core.c); real files are a tenth of that. */
const MAX_FILE_BYTES = 512 * MIB;

export type BootFiles = {
  readonly files: readonly NeededFile[];
  readonly kernel?: KernelFacts;
  readonly initramfs: readonly InitramfsFacts[];
};

export type ReadBootOptions = {
  readonly host: Host;
  readonly boot: FoundBoot;
  readonly cache: FactsCache;
  readonly signal?: AbortSignal;
};

export async function readBootFiles(options: ReadBootOptions): Promise<BootFiles> {
  const { boot, signal } = options;
  const files: NeededFile[] = [];
  const initramfs: InitramfsFacts[] = [];
  const config = await kernelConfig(boot.kernel);
  const kernel = await factsOf(options, boot.kernel, {
    inputs: ["kernel", config],
    make: (bytes, path, where) =>
      readKernel(bytes, path, {
        where,
        ...(signal && { signal }),
        ...(config && { configText: decodeText(config) }),
      }),
  });
  files.push(await neededFile("kernel", boot.kernel, kernel));
  for (const source of boot.ramdisks) {
    const image = await factsOf(options, source, {
      inputs: ["initramfs"],
      make: (bytes, path, where) =>
        readInitramfs(bytes, path, { where, ...(signal && { signal }) }),
    });
    files.push(await neededFile("ramdisk", source, image));
    if (image.ok) initramfs.push(image.value);
  }
  return { files, initramfs, ...(kernel.ok && { kernel: kernel.value }) };
}

type Reading<T> = {
  /** What the facts follow from beside the file, its path and its place. */
  readonly inputs: FactInputs;
  readonly make: (bytes: Uint8Array, path: string, where: Where) => Promise<T>;
};

/** A failure when the file could not be had; what is wrong inside it is in the facts. */
function factsOf<T>(
  { host, cache, signal }: ReadBootOptions,
  source: BootSource,
  { inputs, make }: Reading<T>,
): Promise<Result<T>> {
  const path = pathOf(source);
  const where = whereOf(source);
  return attempt(async () => {
    await using file = await openBootFile(host, source, signal);
    return await cache.facts(file, [...inputs, path, where], (bytes) =>
      make(sectionOf(bytes, source), path, where),
    );
  });
}

type OpenBootFile = FactSource & AsyncDisposable;

async function openBootFile(
  host: Host,
  source: BootSource,
  signal?: AbortSignal,
): Promise<OpenBootFile> {
  const path = pathOf(source);
  if (source.from === "host") {
    const file = await host.openBlock(path);
    return {
      sizeBytes: file.size,
      read: (offset, into) => file.read(offset, into.length, signal, into),
      whole: () => host.readFile(path, MAX_FILE_BYTES),
      [Symbol.asyncDispose]: () => file[Symbol.asyncDispose](),
    };
  }
  const { fs } = source.file.volume;
  const inode = await findFile(fs, path, MAX_FILE_BYTES);
  return {
    sizeBytes: inode.size,
    read: (offset, into) =>
      fs.readInto
        ? fs.readInto(inode, offset, into, signal)
        : fs.read(inode, offset, into.length, signal),
    whole: () => fs.read(inode, 0, inode.size, signal),
    async [Symbol.asyncDispose]() {},
  };
}

/** The file, or that section of it. */
function sectionOf(bytes: Uint8Array, source: BootSource): Uint8Array {
  if (source.from === "host" || source.file.section === undefined) return bytes;
  const { volume, path, section } = source.file;
  const where = [...volume.fs.where, path];
  const found = parsePeSections(bytes, where).find(({ name }) => name === section);
  if (found) return found.bytes;
  throw missing(where, `${section} section`);
}

function pathOf(source: BootSource): string {
  return source.from === "host" ? source.path : source.file.path;
}

export function whereOf(source: BootSource): Where {
  return source.from === "host"
    ? [source.path]
    : [
        ...source.file.volume.fs.where,
        source.file.path,
        ...(source.file.section === undefined ? [] : [source.file.section]),
      ];
}

async function neededFile(
  role: NeededFile["role"],
  source: BootSource,
  read: Result<unknown>,
): Promise<NeededFile> {
  const file = { role, where: whereOf(source), path: pathOf(source) };
  if (read.ok) return { ...file, state: "read", alternatives: [] };
  const { failure } = read;
  const alternatives = source.from === "guest" ? await neighbours(source.file) : [];
  return { ...file, state: isAbsent(failure) ? "missing" : "unreadable", failure, alternatives };
}

/** Files beside a missing one whose names begin alike: what the user may have meant. */
async function neighbours({ volume, path }: BootFile): Promise<string[]> {
  const dir = directoryOf(path);
  const stem = /^[a-z]+/i.exec(fileName(path))?.[0] ?? "";
  const found = await attempt(async () => {
    const { inode } = await resolvePath(volume.fs, dir);
    const names: string[] = [];
    for await (const entry of volume.fs.list(inode)) {
      if (entry.name.startsWith(stem)) names.push(`${dir === "/" ? "" : dir}/${entry.name}`);
      if (names.length >= 20) break;
    }
    return names.sort();
  });
  return found.ok ? found.value : [];
}

/** The build configuration of a kernel in the guest, where its distribution has left it. */
async function kernelConfig(source: BootSource): Promise<Uint8Array | undefined> {
  if (source.from === "host") return undefined;
  for (const path of kernelConfigPaths(source.file.path)) {
    const read = await attempt(() => readFile(source.file.volume.fs, path, MIB));
    if (read.ok) return read.value;
  }
  return undefined;
}
