/** How the initramfs of a boot entry is handed over: its compression against what the kernel and the builder unpack. */
import { attempt } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { findMainImage } from "../../boot/initramfs/main-image.ts";
import { configDecompressors, parseKernelConfig } from "../../boot/kernel/kernel-config.ts";
import type { InitramfsDecompressors } from "../../boot/kernel/kernel-facts.ts";
import { readKernel } from "../../boot/kernel/read-kernel.ts";
import { releaseVersion } from "../../boot/kernel/version.ts";
import type { BootFile } from "../../boot/loader/loader.ts";
import type { Compression } from "../../bytes/decompress/format.ts";
import { sniffCompression } from "../../bytes/decompress/format.ts";
import { decodeText } from "../../bytes/text.ts";
import { xzCheck } from "../../bytes/decompress/xz.ts";
import { zstdWindowBytes } from "../../bytes/decompress/zstd.ts";
import { readFile } from "../../disk/fs/resolve.ts";
import type { GuestFile } from "./guest-file.ts";
import type { HandoverContext, KernelHead, Remark } from "./plan-handover.ts";

export type RamdiskPlan = {
  /** Handed over one after the other. */
  readonly files: readonly GuestFile[];
  /** `gzip`, `plain`: every compressed image in them is unpacked and packed anew, or left plain. */
  readonly as: "it is" | "gzip" | "plain";
  /** An empty archive goes first, so that the builder leaves the rest as it is. */
  readonly lead: boolean;
  /** The builder will inflate the first gzip member: `lead` is needed after all when there is another. */
  readonly watchMembers: boolean;
};

/** The kernel that is to unpack it. */
export type ForKernel = {
  readonly entry: { readonly kernel: BootFile };
  readonly kernel: GuestFile;
  readonly head: KernelHead;
};

/** Linux lib/decompress_unzstd.c: 1 << ZSTD_WINDOWLOG_MAX of its build. */
const MAX_ZSTD_WINDOW_BYTES = 128 * MIB;

export async function planRamdisk(
  files: readonly GuestFile[],
  forKernel: ForKernel,
  context: HandoverContext,
): Promise<{ plan: RamdiskPlan; remarks: Remark[] }> {
  const images = await Promise.all(files.map(lookAt));
  const decompressors = new Decompressors(forKernel, context);
  const remarks: Remark[] = [];
  let converts = false;
  for (const image of images) {
    const trouble = await troubleOf(image, decompressors);
    if (!trouble) continue;
    const { what, hopeless = false } = trouble;
    converts ||= !hopeless;
    remarks.push({
      what: `${what} Xen gets it ${hopeless ? "as it is: domus does not unpack that either" : "repacked"}.`,
      next: REBUILD,
    });
  }
  const gzipFirst = images[0]?.compression === "gzip" && images[0].offset === 0;
  const known = converts ? await decompressors.all() : undefined;
  const as = !converts ? "it is" : known?.supported.includes("gzip") === false ? "plain" : "gzip";
  // Where nobody knows which Xen it is, the empty archive does no harm.
  const inflates = async () => (await context.xen())?.inflatesRamdisk ?? true;
  const beginsWithGzip = converts ? as === "gzip" : gzipFirst;
  const several = converts || files.length > 1;
  const lead = beginsWithGzip && several && (await inflates());
  if (lead && !converts) {
    remarks.push({
      what: `The entry has ${files.length} initramfs files. An empty archive goes in front of them, because this Xen would unpack the first and drop the rest.`,
    });
  }
  const watchMembers = beginsWithGzip && !several && (await inflates());
  return { plan: { files, as, lead, watchMembers }, remarks };
}

const REBUILD =
  'For good, in the guest: have it packed with gzip (COMPRESS=gzip in /etc/initramfs-tools/initramfs.conf, COMPRESSION="gzip" in /etc/mkinitcpio.conf, compress="gzip" in /etc/dracut.conf.d/) and build it again.';

type Image = {
  readonly file: GuestFile;
  readonly offset: number;
  readonly head: Uint8Array;
  /** Undefined where there is no compressed image, or none that domus knows. */
  readonly compression?: Compression;
};

async function lookAt(file: GuestFile): Promise<Image> {
  const main = await findMainImage(
    (at, length) => file.readAt(at, length),
    file.sizeBytes,
    file.where,
  );
  if (!main) return { file, offset: 0, head: new Uint8Array() };
  const compression = sniffCompression(main.head);
  return { file, ...main, ...(compression !== undefined && { compression }) };
}

type Trouble = {
  readonly what: string;
  /** What domus cannot unpack it cannot repack. */
  readonly hopeless?: true;
};

/** Why the kernel is certain not to unpack it. */
async function troubleOf(
  { file, head, compression }: Image,
  decompressors: Decompressors,
): Promise<Trouble | undefined> {
  if (compression === undefined) return undefined;
  const the = `The initramfs ${file.path}`;
  if (compression === "lz4-frame") {
    return {
      what: `${the} is in the lz4 frame format, and the kernel reads the legacy one only.`,
    };
  }
  const check = compression === "xz" ? xzCheck(head) : undefined;
  if (check !== undefined && check !== "none" && check !== "crc32") {
    return { what: `${the} is packed by xz with ${check}, and the kernel checks crc32 only.` };
  }
  const window = compression === "zstd" ? zstdWindowBytes(head) : undefined;
  if (window !== undefined && window > MAX_ZSTD_WINDOW_BYTES) {
    const asked = Math.round(window / MIB);
    return {
      what: `${the} is packed by zstd with a window of ${asked} MiB, and the kernel takes 128 MiB at most.`,
      hopeless: true,
    };
  }
  if (await decompressors.has(compression)) return undefined;
  return {
    what: `${the} is compressed with ${compression}, which the kernel ${decompressors.kernelName} cannot unpack.`,
  };
}

/** What the kernel unpacks: from its configuration file where that suffices, else from the kernel itself. */
class Decompressors {
  readonly kernelName: string;
  readonly #for: ForKernel;
  readonly #context: HandoverContext;
  #config: Promise<InitramfsDecompressors | undefined> | undefined;
  #kernel: Promise<InitramfsDecompressors | undefined> | undefined;

  constructor(forKernel: ForKernel, context: HandoverContext) {
    this.#for = forKernel;
    this.#context = context;
    const { release } = forKernel.head.bzImage ?? {};
    const { path } = forKernel.kernel;
    this.kernelName = release === undefined ? path : `${releaseVersion(release)} (${path})`;
  }

  /** False only where it is certain. */
  async has(compression: Compression): Promise<boolean> {
    this.#config ??= readConfig(this.#for);
    const config = await this.#config;
    if (config?.supported.includes(compression)) return true;
    // gzip is in every kernel but those whose configuration says otherwise.
    if (!config && compression === "gzip") return true;
    const known = await this.all();
    return !known || known.supported.includes(compression);
  }

  /** Undefined when the kernel says nothing. */
  all(): Promise<InitramfsDecompressors | undefined> {
    this.#kernel ??= readDecompressors(this.#for, this.#context);
    return this.#kernel;
  }
}

/** `/boot/config-VERSION`, by the version that the kernel itself has. */
async function readConfig({ entry, head }: ForKernel): Promise<InitramfsDecompressors | undefined> {
  const release = head.bzImage?.release;
  if (release === undefined) return undefined;
  const { volume, path } = entry.kernel;
  const directory = directoryOf(path);
  const file = `${directory === "/" ? "" : directory}/config-${releaseVersion(release)}`;
  const read = await attempt(() => readFile(volume.fs, file, MIB));
  if (!read.ok) return undefined;
  return configDecompressors(parseKernelConfig(decodeText(read.value)), "config");
}

async function readDecompressors(
  { kernel }: ForKernel,
  { signal }: HandoverContext,
): Promise<InitramfsDecompressors | undefined> {
  const read = await attempt(async () => {
    const bytes = await kernel.whole();
    return readKernel(bytes, kernel.path, { where: kernel.where, ...(signal && { signal }) });
  });
  return read.ok ? read.value.decompressors : undefined;
}
