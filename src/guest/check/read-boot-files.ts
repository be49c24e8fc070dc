/** Reads the kernel and the initramfs images of a planned boot and says what they are. */
import { attempt, isAbsent, missing } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { decodeText } from "../../bytes/text.ts";
import type { InitramfsFacts } from "../../boot/initramfs/initramfs-facts.ts";
import { readInitramfs } from "../../boot/initramfs/read-initramfs.ts";
import type { KernelFacts } from "../../boot/kernel/kernel-facts.ts";
import { parsePeSections } from "../../boot/kernel/pe.ts";
import { readKernel } from "../../boot/kernel/read-kernel.ts";
import type { BootFile } from "../../boot/loader/loader.ts";
import type { NeededFile } from "../../check/facts.ts";
import { readFile, resolvePath } from "../../disk/fs/resolve.ts";
import type { Host } from "../../host/host.ts";
import type { BootSource, FoundBoot } from "./find-boot.ts";

/** Xen's builder takes 1 GiB at most (xen: tools/libs/guest/xg_dom_core.c); real files are a tenth of that. */
const MAX_FILE_BYTES = 512 * MIB;

export type BootFiles = {
  readonly files: readonly NeededFile[];
  readonly kernel?: KernelFacts;
  readonly initramfs: readonly InitramfsFacts[];
};

export async function readBootFiles(
  host: Host,
  boot: FoundBoot,
  signal?: AbortSignal,
): Promise<BootFiles> {
  const files: NeededFile[] = [];
  const initramfs: InitramfsFacts[] = [];
  const fetched = await fetch(host, boot.kernel, signal);
  const where = whereOf(boot.kernel);
  const { path } = fetched;
  let kernel: KernelFacts | undefined;
  if (fetched.bytes) {
    const configText = await kernelConfig(boot.kernel);
    kernel = await readKernel(fetched.bytes, path, {
      where,
      ...(signal && { signal }),
      ...(configText !== undefined && { configText }),
    });
  }
  files.push({ role: "kernel", where, path, ...(await stateOf(fetched, boot.kernel)) });
  for (const source of boot.ramdisks) {
    const image = await fetch(host, source, signal);
    const at = whereOf(source);
    files.push({ role: "ramdisk", where: at, path: image.path, ...(await stateOf(image, source)) });
    if (!image.bytes) continue;
    initramfs.push(
      await readInitramfs(image.bytes, image.path, { where: at, ...(signal && { signal }) }),
    );
  }
  return { files, initramfs, ...(kernel && { kernel }) };
}

type Fetched = { readonly path: string; readonly bytes?: Uint8Array; readonly failure?: Failure };

async function fetch(host: Host, source: BootSource, signal?: AbortSignal): Promise<Fetched> {
  const path = source.from === "host" ? source.path : source.file.path;
  const read = await attempt(() =>
    source.from === "host"
      ? host.readFile(path, MAX_FILE_BYTES)
      : readGuestFile(source.file, signal),
  );
  return read.ok ? { path, bytes: read.value } : { path, failure: read.failure };
}

/** The file, or that section of it. */
async function readGuestFile(
  { volume, path, section }: BootFile,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const bytes = await readFile(volume.fs, path, MAX_FILE_BYTES, signal);
  if (section === undefined) return bytes;
  const where = [...volume.fs.where, path];
  const found = parsePeSections(bytes, where).find(({ name }) => name === section);
  if (found) return found.bytes;
  throw missing(where, `${section} section`);
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

async function stateOf(
  fetched: Fetched,
  source: BootSource,
): Promise<Pick<NeededFile, "state" | "failure" | "alternatives">> {
  if (!fetched.failure) return { state: "read", alternatives: [] };
  const alternatives = source.from === "guest" ? await neighbours(source.file) : [];
  const state = isAbsent(fetched.failure) ? "missing" : "unreadable";
  return { state, failure: fetched.failure, alternatives };
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

/** Distributions put the build configuration beside the kernel: config-6.1.0-50-amd64. */
async function kernelConfig(source: BootSource): Promise<string | undefined> {
  if (source.from === "host") return undefined;
  const match = /^(.*\/)(?:vmlinuz|vmlinux|kernel|bzImage)-(.+)$/.exec(source.file.path);
  if (!match) return undefined;
  const path = `${match[1]}config-${match[2]}`;
  const read = await attempt(() => readFile(source.file.volume.fs, path, MIB));
  return read.ok ? decodeText(read.value) : undefined;
}
