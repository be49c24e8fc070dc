/** Contents of files. */
import { corrupt, overLimit, unsupported } from "../../../base/failure.ts";
import { GIB } from "../../../base/units.ts";
import type { InodeDetail } from "./inode.ts";
import type { IsoVolume } from "./volume.ts";

/** More than any caller has a use for at once. */
const MAX_READ_BYTES = GIB;

/** The bytes of a range that is shortened to the file's size. `unsupported` when they are stored in a form of their own. */
export async function readFileData(
  volume: IsoVolume,
  file: InodeDetail,
  range: { readonly offset: number; readonly length: number },
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { inode, where, sections } = file;
  if (inode.kind !== "file") throw corrupt(where, inode.kind, "file");
  if (file.unreadable) throw unsupported(where, file.unreadable);
  const { offset } = range;
  const length = Math.min(range.length, inode.size - offset);
  if (!(length > 0)) return new Uint8Array(0);
  if (length > MAX_READ_BYTES) throw overLimit(where, "read at once", "1 GiB");
  // A file can claim any size: nothing is allocated before it is known to lie on the volume.
  const { size } = volume.source;
  for (const section of sections) {
    if (section.offset + section.length <= size) continue;
    const found = `contents from byte ${section.offset} to ${section.offset + section.length}`;
    throw corrupt(where, found, `inside the ${size} bytes of the volume`);
  }
  const end = offset + length;
  let out: Uint8Array | undefined;
  let start = 0;
  for (const section of sections) {
    const from = Math.max(offset, start);
    const to = Math.min(end, start + section.length);
    if (from < to) {
      const at = section.offset + from - start;
      const part = await volume.source.read(at, to - from, signal);
      // One section has it all: no need to copy.
      if (part.length === length) return part;
      out ??= new Uint8Array(length);
      out.set(part, from - offset);
    }
    start += section.length;
  }
  return out ?? new Uint8Array(0);
}
