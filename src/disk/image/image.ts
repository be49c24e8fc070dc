/** Image formats: files that hold a disk in pieces. Opened, each is a source of the disk's bytes. */
import type { Finding } from "../../base/finding.ts";
import type { Where } from "../../base/where.ts";
import type { ByteSource } from "../source.ts";

export type DiskImage = {
  /** The disk as the guest sees it. */
  readonly source: ByteSource;
  /** What is wrong with the image and did not keep it from being read. */
  readonly findings: readonly Finding[];
};

export type ImageOptions = {
  /** Of the disk; the file has its own in its source. */
  readonly where: Where;
  /**
   * Opens what the image is a difference to. The name comes out of the image, and whoever made that could name any file
   * of this host: so without this function an image that has a backing file is `unsupported`. `format` is the one that
   * the image gives, empty when it gives none. A source that is opened here may have a backing file of its own; how
   * far that goes is the caller's to bound.
   */
  readonly openBacking?: (name: string, format: string) => Promise<ByteSource>;
  readonly signal?: AbortSignal;
};

/** Bytes of a disk that is `size` large, from a backing file that may be smaller: zeroes behind its end. */
export async function readBacking(
  backing: ByteSource,
  { offset, length }: { readonly offset: number; readonly length: number },
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const there = Math.max(0, Math.min(length, backing.size - offset));
  if (there === length) return backing.read(offset, length, signal);
  const out = new Uint8Array(length);
  if (there > 0) out.set(await backing.read(offset, there, signal));
  return out;
}
