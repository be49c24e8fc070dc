/**
 * From a kernel file to the ELF inside it: bzImage, raw ELF, gzip of either, or a UKI (PE) with one in `.linux`.
 * What Xen's domain builder makes of the same file: xen: tools/libs/guest/xg_dom_core.c and xg_dom_bzimageloader.c.
 */
import {
  attempt,
  attemptSync,
  corrupt,
  missing,
  unsupported,
  type Failure,
} from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { within, type Where } from "../../base/where.ts";
import { decompress } from "../../bytes/decompress/decompress.ts";
import { sniffCompression, type Compression } from "../../bytes/decompress/format.ts";
import { lzmaDictionaryBytes } from "../../bytes/decompress/lzma.ts";
import { xzDictionaryBytes } from "../../bytes/decompress/xz.ts";
import { detectBzImage, locatePayload, type BzImage } from "./bzimage.ts";
import { isElf } from "./elf.ts";
import type { KernelFacts, Packing } from "./kernel-facts.ts";
import { isPe, parsePeSections } from "./pe.ts";

/**
 * The most that a kernel may unpack to. Xen's own limit is 1 GiB (XC_DOM_DECOMPRESS_MAX), but it is dom0's memory that
 * domus would fill; distribution kernels unpack to 30 to 100 MiB, one with all its debug information to some 400.
 */
const MAX_KERNEL_BYTES = 512 * MIB;

export type KernelImage = Pick<
  KernelFacts,
  "format" | "packing" | "payloadSizeBytes" | "dictionaryBytes"
> & {
  /** The setup header, when there is one. */
  readonly bzImage?: BzImage;
  /** The unpacked kernel, or why there is none. It may be a view into the file. */
  readonly elf: { readonly bytes: Uint8Array } | { readonly failure: Failure };
  /** The place of the ELF. */
  readonly where: Where;
};

export type OpenImageOptions = { readonly where: Where; readonly signal?: AbortSignal };

/** Never fails for what is in the bytes: see `KernelImage.elf`. */
export async function openImage(
  bytes: Uint8Array,
  options: OpenImageOptions,
): Promise<KernelImage> {
  const compression = sniffCompression(bytes);
  if (compression === "gzip") return openGzipped(bytes, options);
  if (!detectBzImage(bytes) && isPe(bytes)) return openUki(bytes, options);
  return openPlain(bytes, options);
}

/** An image without another file format around it. */
async function openPlain(bytes: Uint8Array, options: OpenImageOptions): Promise<KernelImage> {
  const { where } = options;
  // An EFI stub makes most bzImages PE files too; it is as bzImages that Xen and GRUB load them.
  const bzImage = detectBzImage(bytes);
  if (bzImage) return openBzImage(bytes, bzImage, options);
  const plain = { format: "elf", packing: "none", payloadSizeBytes: 0, where } as const;
  if (isElf(bytes)) return { ...plain, elf: { bytes } };
  const compression = sniffCompression(bytes);
  const found = bytes.length === 0 ? "an empty file" : "neither bzImage nor ELF";
  const { failure } = compression
    ? unsupported(where, `a kernel file packed with ${compression} as a whole (gzip only)`)
    : corrupt(where, found, "a Linux kernel");
  return { ...plain, format: "unknown", packing: compression ?? "unknown", elf: { failure } };
}

/** Xen unpacks a kernel file that is gzipped as a whole before it looks at it. */
async function openGzipped(bytes: Uint8Array, options: OpenImageOptions): Promise<KernelImage> {
  const where = within(options.where, "gzip");
  const packed = { packing: "gzip", payloadSizeBytes: bytes.length } as const;
  const inner = await attempt(() => unpack("gzip", bytes, { ...options, where }));
  if (!inner.ok) return { ...packed, format: "unknown", where, elf: { failure: inner.failure } };
  const image = await openPlain(inner.value, { ...options, where });
  return image.format === "bzimage" ? image : { ...image, ...packed };
}

async function openUki(bytes: Uint8Array, options: OpenImageOptions): Promise<KernelImage> {
  const where = within(options.where, ".linux");
  const linux = attemptSync(() => {
    const found = parsePeSections(bytes, options.where).find(({ name }) => name === ".linux");
    if (found) return found.bytes;
    throw missing(options.where, ".linux section: it is an EFI program without a kernel");
  });
  const format = "pe";
  if (linux.ok) return { ...(await openPlain(linux.value, { ...options, where })), format };
  const { failure } = linux;
  return { format, packing: "unknown", payloadSizeBytes: 0, where, elf: { failure } };
}

async function openBzImage(
  bytes: Uint8Array,
  bzImage: BzImage,
  options: OpenImageOptions,
): Promise<KernelImage> {
  const where = within(options.where, "payload");
  const head = bytes.subarray(bzImage.payloadOffset);
  const packing = payloadPacking(head);
  const dictionaryBytes = payloadDictionary(head, packing);
  const elf = await attempt(() => {
    const payload = locatePayload(bytes, bzImage, where);
    return unpackPayload(payload, packing, { ...options, where });
  });
  return {
    format: "bzimage",
    packing,
    payloadSizeBytes: bzImage.payloadLength,
    ...(dictionaryBytes !== undefined && { dictionaryBytes }),
    bzImage,
    elf: elf.ok ? { bytes: elf.value } : { failure: elf.failure },
    where,
  };
}

function payloadPacking(payload: Uint8Array): Packing {
  return isElf(payload) ? "none" : (sniffCompression(payload) ?? "unknown");
}

function payloadDictionary(payload: Uint8Array, packing: Packing): number | undefined {
  if (packing === "xz") return xzDictionaryBytes(payload);
  return packing === "lzma" ? lzmaDictionaryBytes(payload) : undefined;
}

async function unpackPayload(
  payload: Uint8Array,
  packing: Packing,
  options: OpenImageOptions,
): Promise<Uint8Array> {
  const { where } = options;
  if (packing === "none") return payload;
  if (packing === "unknown" || payload.length < 4) {
    const first = Buffer.from(payload.subarray(0, 6)).toString("hex");
    throw unsupported(where, `a packed kernel that begins with ${first || "nothing"}`);
  }
  // The build appends the unpacked size, 32 bits, to every format but gzip, whose own trailer ends with it. Formats
  // without an end mark (lz4) would take it for data.
  const size = payload.length - 4;
  const stated = new DataView(payload.buffer, payload.byteOffset + size, 4).getUint32(0, true);
  const packed = packing === "gzip" ? payload : payload.subarray(0, size);
  const elf = await unpack(packing, packed, options);
  // Xen allocates by the stated size and, in most versions and formats, refuses any other.
  if (stated !== elf.length) {
    throw corrupt(where, `${elf.length} bytes in it`, `${stated}, the size that it ends with`);
  }
  return elf;
}

async function unpack(
  format: Compression,
  bytes: Uint8Array,
  { where, signal }: OpenImageOptions,
): Promise<Uint8Array> {
  const options = { limit: MAX_KERNEL_BYTES, where, ...(signal && { signal }) };
  return (await decompress(format, bytes, options)).bytes;
}
