/**
 * VHD images, read-only: "Virtual Hard Disk Image Format Specification" 1.0. A fixed one is the disk with a footer
 * behind it; a dynamic one has blocks in any order and a table of them; a differencing one is a dynamic one whose
 * other sectors are in its parent.
 *
 * Not supported: VHDX, which is another format, and parents where the caller does not allow them.
 */
import { corrupt, unsupported } from "../../base/failure.ts";
import { within } from "../../base/where.ts";
import { assertRange, windowSource } from "../source.ts";
import type { ByteSource } from "../source.ts";
import { readBacking } from "./image.ts";
import type { DiskImage, ImageOptions } from "./image.ts";
import { parseVhdFooter, parseVhdHeader, SECTOR_BYTES } from "./vhd-header.ts";
import { VHD_FOOTER_BYTES, VHD_HEADER_BYTES } from "./vhd-header.ts";
import type { VhdFooter, VhdHeader } from "./vhd-header.ts";

const NOT_ALLOCATED = 0xffff_ffff;

/**
 * The disk in an image. `file` should be a cached source: the table is read entry by entry. Failures: `corrupt`,
 * `unsupported` (it names the parent), `limit`.
 */
export async function openVhd(file: ByteSource, options: ImageOptions): Promise<DiskImage> {
  const footer = await readFooter(file, options.signal);
  if (footer.type === "fixed") {
    return { source: fixedSource(file, footer, options), findings: [] };
  }
  const where = within(file.where, "dynamic header");
  const bytes = await file.read(footer.headerOffset, VHD_HEADER_BYTES, options.signal);
  const header = parseVhdHeader(bytes, footer.sizeBytes, where);
  const isDifferencing = footer.type === "differencing";
  const parent = isDifferencing ? await openParent(file, header, options) : undefined;
  const source = new VhdSource(file, { footer, header, parent, where: options.where });
  return { source, findings: [] };
}

/** Dynamic disks have a copy of the footer at their start, and QEMU goes by that. */
async function readFooter(file: ByteSource, signal?: AbortSignal): Promise<VhdFooter> {
  for (const offset of [0, file.size - VHD_FOOTER_BYTES]) {
    if (offset < 0 || offset + VHD_FOOTER_BYTES > file.size) continue;
    const where = within(file.where, `footer at byte ${offset}`);
    const bytes = await file.read(offset, VHD_FOOTER_BYTES, signal);
    const footer = parseVhdFooter(bytes, where);
    if (footer) return footer;
  }
  throw corrupt(file.where, "a file without the footer of a VHD", "a VHD image");
}

function fixedSource(
  file: ByteSource,
  { sizeBytes }: VhdFooter,
  { where }: ImageOptions,
): ByteSource {
  const room = file.size - VHD_FOOTER_BYTES;
  if (sizeBytes > room) {
    throw corrupt(file.where, `a disk of ${sizeBytes} bytes`, `one that fits into ${room}`);
  }
  return { ...windowSource(file, 0, sizeBytes), where };
}

function openParent(
  file: ByteSource,
  { parentName }: VhdHeader,
  { openBacking }: ImageOptions,
): Promise<ByteSource> {
  if (openBacking) return openBacking(parentName, "vhd");
  throw unsupported(file.where, `differencing VHD images (their parent is ${parentName})`);
}

type Parts = {
  readonly footer: VhdFooter;
  readonly header: VhdHeader;
  /** Set in differencing disks only. */
  readonly parent: ByteSource | undefined;
  readonly where: ImageOptions["where"];
};

class VhdSource implements ByteSource {
  readonly size: number;
  readonly where: Parts["where"];
  readonly #file: ByteSource;
  readonly #parts: Parts;

  constructor(file: ByteSource, parts: Parts) {
    this.size = parts.footer.sizeBytes;
    this.where = parts.where;
    this.#file = file;
    this.#parts = parts;
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    assertRange(this, offset, length);
    const { blockBytes } = this.#parts.header;
    const out = new Uint8Array(length);
    for (let done = 0; done < length;) {
      signal?.throwIfAborted();
      const at = offset + done;
      const part = Math.min(length - done, blockBytes - (at % blockBytes));
      await this.#readInBlock(at, out.subarray(done, done + part), signal);
      done += part;
    }
    return out;
  }

  /** `out` is filled with what is at `offset`; it does not go beyond the block. */
  async #readInBlock(offset: number, out: Uint8Array, signal?: AbortSignal): Promise<void> {
    const { header, parent } = this.#parts;
    const block = Math.floor(offset / header.blockBytes);
    const inBlock = offset % header.blockBytes;
    const entry = await this.#file.read(header.tableOffset + block * 4, 4, signal);
    const sector = new DataView(entry.buffer, entry.byteOffset, 4).getUint32(0);
    if (sector === NOT_ALLOCATED) {
      if (parent) out.set(await readBacking(parent, { offset, length: out.length }, signal));
      return;
    }
    const bitmapAt = sector * SECTOR_BYTES;
    const data = bitmapAt + header.bitmapBytes + inBlock;
    // Without a parent the bitmap says nothing: sectors that were never written are zero in the file as well.
    if (!parent) {
      out.set(await this.#file.read(data, out.length, signal));
      return;
    }
    const bitmap = await this.#file.read(bitmapAt, header.bitmapBytes, signal);
    for (const { from, to, own } of ownedRuns(bitmap, inBlock, out.length)) {
      const length = to - from;
      const bytes = own
        ? await this.#file.read(data + from, length, signal)
        : await readBacking(parent, { offset: offset + from, length }, signal);
      out.set(bytes, from);
    }
  }
}

type OwnedRun = { readonly from: number; readonly to: number; readonly own: boolean };

/** Runs of sectors that are in the block (bit set, the highest bit of a byte first) or in the parent. */
function ownedRuns(bitmap: Uint8Array, inBlock: number, length: number): OwnedRun[] {
  const runs: OwnedRun[] = [];
  for (let from = 0; from < length;) {
    const index = Math.floor((inBlock + from) / SECTOR_BYTES);
    const own = ((bitmap[index >>> 3]! >>> (7 - (index & 7))) & 1) === 1;
    const to = Math.min(length, (index + 1) * SECTOR_BYTES - inBlock);
    const last = runs.at(-1);
    if (last?.own === own) runs[runs.length - 1] = { from: last.from, to, own };
    else runs.push({ from, to, own });
    from = to;
  }
  return runs;
}
