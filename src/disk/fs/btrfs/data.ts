/**
 * Data by logical address, each sector checked against its checksum, and read from another copy when it is wrong.
 *
 * Source: Linux fs/btrfs/bio.c (`btrfs_check_read_bio`, `btrfs_repair_io_failure`).
 */
import { attempt, corrupt, FailureError } from "../../../base/failure.ts";
import type { Failure } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { digestText, sameBytes } from "./checksum.ts";
import { placesOf } from "./chunk-map.ts";
import type { LogicalRange } from "./chunk-map.ts";
import { assertAll } from "./data-checksum.ts";
import type { ChecksumSource } from "./data-checksum.ts";
import type { BtrfsVolume } from "./volume.ts";

/** How data is to be read. */
export type DataRequest = LogicalRange & {
  /** In the order of trust, the last one asked first; `undefined` for data without checksums. */
  readonly checksums: readonly ChecksumSource[] | undefined;
  readonly where: Where;
  readonly signal?: AbortSignal;
};

/** The bytes of a range of whole sectors; they may be shared with a cache. */
export async function readData(volume: BtrfsVolume, request: DataRequest): Promise<Uint8Array> {
  const { length, checksums, where, signal } = request;
  const places = placesOf(volume.chunks, request, where);
  if (!checksums) return readAny(volume, places, length, signal);
  const sector = volume.superblock.sectorSizeBytes;
  const sums = Array.from<Uint8Array | undefined>({ length: length / sector });
  for (const source of checksums) await source(request, sums, signal);
  assertAll(sums, request, sector, where);
  const [first, ...others] = places;
  const read = await attempt(() => volume.source.read(first!, length, signal));
  if (!read.ok && others.length === 0) throw new FailureError(read.failure);
  const bytes = read.ok ? read.value : undefined;
  const bad = bytes ? wrongSectors(volume, bytes, sums) : [...sums.keys()];
  if (bytes && bad.length === 0) return bytes;
  const out = bytes ? Uint8Array.from(bytes) : new Uint8Array(length);
  for (const index of bad) {
    signal?.throwIfAborted();
    const failure = read.ok
      ? wrongSum(volume, request, out, { index, sum: sums[index]! })
      : read.failure;
    const good = await readOtherCopy(volume, others, { index, sum: sums[index]! });
    if (!good) throw new FailureError(failure);
    out.set(good, index * sector);
  }
  return out;
}

/** From the first copy that can be read at all. */
async function readAny(
  volume: BtrfsVolume,
  places: readonly number[],
  length: number,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  let failed: Failure | undefined;
  for (const place of places) {
    const read = await attempt(() => volume.source.read(place, length, signal));
    if (read.ok) return read.value;
    failed ??= read.failure;
  }
  throw new FailureError(failed!);
}

function wrongSectors(
  { superblock }: BtrfsVolume,
  bytes: Uint8Array,
  sums: readonly Uint8Array[],
): number[] {
  const { sectorSizeBytes: sector, checksum } = superblock;
  const wrong: number[] = [];
  for (const [index, sum] of sums.entries()) {
    const at = index * sector;
    if (!sameBytes(checksum.compute(bytes.subarray(at, at + sector)), sum)) wrong.push(index);
  }
  return wrong;
}

/** A sector of a range, and what it should have for a checksum. */
type Sector = { readonly index: number; readonly sum: Uint8Array };

/** The sector from the first copy that has it right. */
async function readOtherCopy(
  volume: BtrfsVolume,
  places: readonly number[],
  { index, sum }: Sector,
): Promise<Uint8Array | undefined> {
  const { sectorSizeBytes: sector, checksum } = volume.superblock;
  for (const place of places) {
    const read = await attempt(() => volume.source.read(place + index * sector, sector));
    if (read.ok && sameBytes(checksum.compute(read.value), sum)) return read.value;
  }
  return undefined;
}

function wrongSum(
  { superblock }: BtrfsVolume,
  { bytenr, where }: DataRequest,
  bytes: Uint8Array,
  { index, sum }: Sector,
): Failure {
  const { sectorSizeBytes: sector, checksum } = superblock;
  const at = index * sector;
  const computed = digestText(checksum.compute(bytes.subarray(at, at + sector)));
  const place = within(where, `data at ${bytenr + at}`);
  const found = `${checksum.name} checksum ${computed}, computed from the bytes`;
  return corrupt(place, found, `${digestText(sum)}, as recorded`).failure;
}
