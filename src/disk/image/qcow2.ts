/**
 * qcow2 images, versions 2 and 3, read-only: docs/interop/qcow2.txt of QEMU. Compressed clusters (zlib, zstd) and
 * subclusters are read; snapshots inside the image and reference counts are of no concern to a reader.
 *
 * Not supported: what qcow2-header.ts says, and backing files where the caller does not allow them.
 */
import { corrupt, unsupported } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { MIB } from "../../base/units.ts";
import { decompress } from "../../bytes/decompress/decompress.ts";
import { unpackDeflate } from "../../bytes/decompress/deflate.ts";
import { assertRange } from "../source.ts";
import type { ByteSource } from "../source.ts";
import { readBacking } from "./image.ts";
import type { DiskImage, ImageOptions } from "./image.ts";
import { markedCorrupt } from "./findings.ts";
import { parseQcow2Header, QCOW2_HEAD_BYTES } from "./qcow2-header.ts";
import type { Qcow2Header } from "./qcow2-header.ts";
import { Qcow2Map } from "./qcow2-map.ts";
import type { Run } from "./qcow2-map.ts";

/** A file system reads its blocks one by one: a cluster is unpacked once for all of them. */
const UNPACKED_BYTES = 4 * MIB;
const UNPACKED_CLUSTERS = 64;

/**
 * The disk in an image. `file` should be a cached source: tables are read in small pieces. Failures: `corrupt`,
 * `unsupported` (it names the feature, or the backing file), `limit`.
 */
export async function openQcow2(file: ByteSource, options: ImageOptions): Promise<DiskImage> {
  const length = Math.min(QCOW2_HEAD_BYTES, file.size);
  const header = parseQcow2Header(await file.read(0, length, options.signal), file.where);
  const backing = header.backing && (await openBackingOf(file, header.backing, options));
  const findings: Finding[] = header.markedCorrupt ? [markedCorrupt(file.where)] : [];
  return { source: new Qcow2Source(file, { header, backing, where: options.where }), findings };
}

function openBackingOf(
  file: ByteSource,
  { name, format }: NonNullable<Qcow2Header["backing"]>,
  { openBacking }: ImageOptions,
): Promise<ByteSource> {
  if (openBacking) return openBacking(name, format);
  throw unsupported(file.where, `qcow2 images with a backing file (${name})`);
}

type Parts = {
  readonly header: Qcow2Header;
  readonly backing: ByteSource | undefined;
  readonly where: ImageOptions["where"];
};

class Qcow2Source implements ByteSource {
  readonly size: number;
  readonly where: Parts["where"];
  readonly #file: ByteSource;
  readonly #parts: Parts;
  readonly #map: Qcow2Map;
  /** By place in the file, the least recently used first. */
  readonly #unpacked = new Map<number, Promise<Uint8Array>>();

  constructor(file: ByteSource, parts: Parts) {
    this.size = parts.header.sizeBytes;
    this.where = parts.where;
    this.#file = file;
    this.#parts = parts;
    this.#map = new Qcow2Map(file, parts.header);
  }

  async read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    assertRange(this, offset, length);
    const out = new Uint8Array(length);
    let done = 0;
    for await (const run of this.#map.runs(offset, length, signal)) {
      signal?.throwIfAborted();
      const bytes = await this.#bytesOf(run, offset + done, signal);
      if (bytes) out.set(bytes, done);
      done += run.length;
    }
    return out;
  }

  /** `undefined` for zeroes. */
  async #bytesOf(run: Run, offset: number, signal?: AbortSignal): Promise<Uint8Array | undefined> {
    const { length } = run;
    const { backing } = this.#parts;
    switch (run.kind) {
      case "data":
        return this.#data(run.hostOffset, length, signal);
      case "compressed": {
        const cluster = await this.#cluster(run.hostOffset, run.hostBytes);
        return cluster.subarray(run.skip, run.skip + length);
      }
      case "backing":
        return backing && readBacking(backing, { offset, length }, signal);
      case "zero":
        return undefined;
    }
  }

  /** The last cluster of a file may end early: the rest of it is zero. One that begins behind the end is damage. */
  async #data(hostOffset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    const clusterBytes = 2 ** this.#parts.header.clusterBits;
    const end = hostOffset + length;
    const lastCluster = Math.floor((end - 1) / clusterBytes) * clusterBytes;
    const { size } = this.#file;
    if (end <= size || lastCluster >= size) return this.#file.read(hostOffset, length, signal);
    const out = new Uint8Array(length);
    if (hostOffset < size) out.set(await this.#file.read(hostOffset, size - hostOffset, signal));
    return out;
  }

  /** Without a signal: it is shared by readers, and one of them giving up must not fail the others. */
  #cluster(hostOffset: number, hostBytes: number): Promise<Uint8Array> {
    const cluster = this.#unpacked.get(hostOffset) ?? this.#unpack(hostOffset, hostBytes);
    this.#unpacked.delete(hostOffset);
    this.#unpacked.set(hostOffset, cluster);
    cluster.catch(() => this.#unpacked.delete(hostOffset));
    const clusterBytes = 2 ** this.#parts.header.clusterBits;
    const room = Math.min(UNPACKED_CLUSTERS, Math.max(2, UNPACKED_BYTES / clusterBytes));
    if (this.#unpacked.size > room) this.#unpacked.delete(this.#unpacked.keys().next().value!);
    return cluster;
  }

  /** The count of sectors is rounded up: the data may end earlier, and the file may, too. */
  async #unpack(hostOffset: number, hostBytes: number): Promise<Uint8Array> {
    const { clusterBits, compression } = this.#parts.header;
    const { where, size } = this.#file;
    const there = Math.min(hostBytes, Math.max(0, size - hostOffset));
    const packed = await this.#file.read(hostOffset, there);
    const limit = 2 ** clusterBits;
    const bytes =
      compression === "zlib"
        ? unpackDeflate(packed, limit, where)
        : (await decompress("zstd", packed, { limit, where })).bytes;
    if (bytes.length === limit) return bytes;
    throw corrupt(where, `a cluster that unpacks to ${bytes.length} bytes`, `${limit}`);
  }
}
