/** Contents of files. FAT has no holes: a chain that is shorter than the file is damage. */
import { corrupt, overLimit } from "../../../base/failure.ts";
import { GIB } from "../../../base/units.ts";
import { FIRST_CLUSTER } from "./boot-sector.ts";
import { chainRuns } from "./chain.ts";
import type { InodeDetail } from "./inode.ts";
import { clusterOffset } from "./volume.ts";
import type { FatVolume } from "./volume.ts";

/** More than any caller has a use for at once. */
const MAX_READ_BYTES = GIB;

/** The bytes of a range that is shortened to the file's size. */
export async function readFileData(
  volume: FatVolume,
  file: InodeDetail,
  range: { readonly offset: number; readonly length: number },
  signal?: AbortSignal,
): Promise<Uint8Array> {
  const { inode, chain, where } = file;
  if (inode.kind !== "file") throw corrupt(where, inode.kind, "file");
  const { offset } = range;
  const length = Math.min(range.length, inode.size - offset);
  if (!(length > 0)) return new Uint8Array(0);
  if (length > MAX_READ_BYTES) throw overLimit(where, "read at once", "1 GiB");
  const { clusterSizeBytes: size, clusterEnd } = volume.geometry;
  // A file can claim any size: what is allocated below stays in proportion to the volume.
  const capacity = (clusterEnd - FIRST_CLUSTER) * size;
  if (inode.size > capacity) throw corrupt(where, `${inode.size} bytes`, `at most ${capacity}`);
  const end = offset + length;
  const clusters = { from: Math.floor(offset / size), to: Math.ceil(end / size) };
  let out: Uint8Array | undefined;
  let done = 0;
  for await (const run of chainRuns(volume, chain, clusters, signal)) {
    const from = Math.max(offset, run.index * size);
    const to = Math.min(end, (run.index + run.length) * size);
    const at = clusterOffset(volume.geometry, run.cluster) + from - run.index * size;
    const part = await volume.source.read(at, to - from, signal);
    // One run has it all: no need to copy.
    if (part.length === length) return part;
    out ??= new Uint8Array(length);
    out.set(part, from - offset);
    done += part.length;
  }
  if (done < length || !out) {
    throw corrupt(where, `a chain that ends at byte ${offset + done}`, `${inode.size} bytes`);
  }
  return out;
}
