/**
 * A kernel file -> what it is. What cannot be read is said in `failure`, and what was found until then is kept: a
 * bzImage that is cut off still has its version.
 */
import { attempt, attemptSync, type Failure } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { within, type Where } from "../../base/where.ts";
import { decompress } from "../../bytes/decompress/decompress.ts";
import { decodeText } from "../../bytes/text.ts";
import type { BzImage } from "./bzimage.ts";
import { parseElfKernel, type ElfKernel } from "./elf-kernel.ts";
import { configDecompressors, parseKernelConfig } from "./kernel-config.ts";
import type { InitramfsDecompressors, KernelFacts, XenRefusal } from "./kernel-facts.ts";
import { openImage, type KernelImage } from "./open-image.ts";
import { knownCompressions, releaseVersion, versionNumbers } from "./version.ts";

export type ReadKernelOptions = {
  /** The file itself: `["xvda", "partition 1", "ext4", "/boot/vmlinuz"]`. */
  readonly where: Where;
  readonly signal?: AbortSignal;
  /** The content of /boot/config-<version>, where there is one. What the kernel itself says goes before it. */
  readonly configText?: string;
};

/** An unpacked configuration is 150 to 300 KiB. */
const MAX_CONFIG_BYTES = 4 * MIB;

/**
 * Says what the kernel image in `bytes` is. Never fails for what is in the bytes. Takes as much memory as the unpacked
 * kernel has (60 to 100 MiB), and lets go of it before it returns: no fact refers to it.
 */
export async function readKernel(
  bytes: Uint8Array,
  path: string,
  options: ReadKernelOptions,
): Promise<KernelFacts> {
  const image = await openImage(bytes, options);
  const header = headerFacts(image.bzImage);
  const elf = elfOf(image, header.version);
  const release = header.release ?? elf.kernel?.release;
  const version = release === undefined ? undefined : releaseVersion(release);
  const config = await readConfig(elf.kernel, options);
  const decompressors = chooseDecompressors(elf.kernel, config, version);
  return {
    path,
    sizeBytes: bytes.length,
    format: image.format,
    packing: image.packing,
    payloadSizeBytes: image.payloadSizeBytes,
    ...(image.dictionaryBytes !== undefined && { dictionaryBytes: image.dictionaryBytes }),
    ...header,
    ...(elf.kernel?.facts ?? UNREAD),
    ...(image.format === "pe" && NOT_LOADED),
    ...(release !== undefined && { release }),
    ...(version !== undefined && { version }),
    ...("bytes" in image.elf && { elfSizeBytes: image.elf.bytes.length }),
    ...(config && { config: config.options }),
    ...(decompressors && { decompressors }),
    ...(elf.failure && { failure: elf.failure }),
  };
}

const UNREAD = {
  segments: [],
  ...refused({ reason: "format", detail: "there is no ELF in it that can be read" }),
};
const NOT_LOADED = refused({
  reason: "format",
  detail: "it is an EFI program (a unified kernel image), which Xen's domain builder does not load",
});

function refused(refusal: XenRefusal) {
  return { pv: false, pvh: false, pvRefusal: refusal, pvhRefusal: refusal } as const;
}

/** The facts of the setup header. Its `bits` are overruled by the ELF's class, when there is an ELF. */
function headerFacts(
  bzImage: BzImage | undefined,
): Pick<KernelFacts, "bootProtocol" | "release" | "version" | "commandLineLimit" | "bits"> {
  if (!bzImage) return {};
  const { bootProtocol, release, commandLineLimit, bits } = bzImage;
  return {
    bootProtocol,
    ...(release !== undefined && { release, version: releaseVersion(release) }),
    ...(commandLineLimit !== undefined && { commandLineLimit }),
    ...(bits !== undefined && { bits }),
  };
}

function elfOf(image: KernelImage, version?: string): { kernel?: ElfKernel; failure?: Failure } {
  if ("failure" in image.elf) return { failure: image.elf.failure };
  const { bytes } = image.elf;
  const parsed = attemptSync(() => parseElfKernel(bytes, within(image.where, "ELF"), version));
  return parsed.ok ? { kernel: parsed.value } : { failure: parsed.failure };
}

type BuildConfig = {
  readonly source: "ikconfig" | "config";
  readonly options: ReadonlyMap<string, string>;
};

async function readConfig(
  kernel: ElfKernel | undefined,
  { where, signal, configText }: ReadKernelOptions,
): Promise<BuildConfig | undefined> {
  const packed = kernel?.ikconfig;
  if (packed) {
    const at = within(where, "IKCONFIG");
    const options = { limit: MAX_CONFIG_BYTES, where: at, ...(signal && { signal }) };
    const text = await attempt(() => decompress("gzip", packed, options));
    // The marks can occur in a kernel without the configuration, so what does not unpack is no failure.
    if (text.ok) {
      return { source: "ikconfig", options: parseKernelConfig(decodeText(text.value.bytes)) };
    }
  }
  if (configText === undefined) return undefined;
  return { source: "config", options: parseKernelConfig(configText) };
}

/** The best source that there is, best first. */
function chooseDecompressors(
  kernel: ElfKernel | undefined,
  config: BuildConfig | undefined,
  version: string | undefined,
): InitramfsDecompressors | undefined {
  if (kernel?.table) return { source: "table", ...kernel.table, initramfs: true };
  const configured = config && configDecompressors(config.options, config.source);
  if (configured) return configured;
  if (version === undefined || !versionNumbers(version)) return undefined;
  const supported = knownCompressions(version);
  return { source: "version", supported, notConfigured: [], initramfs: true };
}
