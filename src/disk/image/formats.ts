/** Image formats by the first and last bytes of a file: those that are read, and those that are only known. */
import { latin1 } from "../../bytes/text.ts";
import type { ByteSource } from "../source.ts";
import type { DiskImage, ImageOptions } from "./image.ts";
import { openQcow2 } from "./qcow2.ts";
import { openVhd } from "./vhd.ts";

/** A format that `openImage` reads; the words of xl's `format=`. */
export type ImageFormat = "qcow2" | "vhd";

export function openImage(
  format: ImageFormat,
  file: ByteSource,
  options: ImageOptions,
): Promise<DiskImage> {
  return format === "qcow2" ? openQcow2(file, options) : openVhd(file, options);
}

export type SniffedFormat = ImageFormat | "qcow" | "qed" | "vmdk" | "vhdx" | "vdi";

const MAGICS: readonly (readonly [format: SniffedFormat, offset: number, text: string])[] = [
  ["qcow", 0, "QFI\xfb\x00\x00\x00\x01"],
  ["qcow2", 0, "QFI\xfb"],
  ["qed", 0, "QED\x00"],
  ["vhd", 0, "conectix"],
  ["vmdk", 0, "KDMV"],
  ["vmdk", 0, "# Disk DescriptorFile"],
  ["vhdx", 0, "vhdxfile"],
  ["vdi", 64, "\x7f\x10\xda\xbe"],
];
const HEAD_BYTES = 512;

/**
 * The format that a file says it is; `undefined` for a raw disk. A fixed VHD begins like a raw disk and has its cookie
 * at the end.
 */
export async function sniffImage(
  file: ByteSource,
  signal?: AbortSignal,
): Promise<SniffedFormat | undefined> {
  const head = latin1(await file.read(0, Math.min(HEAD_BYTES, file.size), signal));
  const found = MAGICS.find(([, offset, text]) => head.startsWith(text, offset));
  if (found) return found[0];
  if (file.size < HEAD_BYTES) return undefined;
  const tail = latin1(await file.read(file.size - HEAD_BYTES, 8, signal));
  return tail === "conectix" ? "vhd" : undefined;
}
