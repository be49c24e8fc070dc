/**
 * Where the clusters of a qcow2 image lie: docs/interop/qcow2.txt of QEMU, "Cluster mapping". An L1 table has the
 * places of L2 tables, an L2 table those of clusters.
 *
 * Entries are 64 bits wide and are taken apart as two halves of 32: bit 62 of an entry is bit 30 of `high`.
 */
import { corrupt } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { ByteSource } from "../source.ts";
import type { Qcow2Header } from "./qcow2-header.ts";

/** A run of bytes of the disk. Runs of one read follow each other without gaps. */
export type Run = { readonly length: number } & (
  | { readonly kind: "data"; readonly hostOffset: number }
  | { readonly kind: "zero" }
  /** Not in this image: of the backing file, or zeroes where there is none. */
  | { readonly kind: "backing" }
  /** Part of a cluster that is `hostBytes` of compressed data, from `skip` on. */
  | {
      readonly kind: "compressed";
      readonly hostOffset: number;
      readonly hostBytes: number;
      readonly skip: number;
    }
);

const HIGH_COMPRESSED = 0x4000_0000;
/** Bits 9 to 55 of an entry are an offset. */
const HIGH_OFFSET = 0x00ff_ffff;
const LOW_OFFSET = 0xffff_fe00;
const LOW_ZERO = 0x1;
const SUBCLUSTERS = 32;

export class Qcow2Map {
  readonly #file: ByteSource;
  readonly #header: Qcow2Header;
  readonly #clusterBytes: number;
  readonly #entryBytes: number;
  readonly #perTable: number;

  constructor(file: ByteSource, header: Qcow2Header) {
    this.#file = file;
    this.#header = header;
    this.#clusterBytes = 2 ** header.clusterBits;
    this.#entryBytes = header.extendedL2 ? 16 : 8;
    this.#perTable = this.#clusterBytes / this.#entryBytes;
  }

  /** The runs of a range that is inside the disk. Tables are read as far as the range needs them. */
  async *runs(offset: number, length: number, signal?: AbortSignal): AsyncGenerator<Run> {
    const tableBytes = this.#clusterBytes * this.#perTable;
    const end = offset + length;
    for (let at = offset; at < end;) {
      const tableEnd = (Math.floor(at / tableBytes) + 1) * tableBytes;
      const stop = Math.min(end, tableEnd);
      yield* joined(await this.#runsInTable(at, stop, signal));
      at = stop;
    }
  }

  async #runsInTable(from: number, to: number, signal?: AbortSignal): Promise<Run[]> {
    const tableBytes = this.#clusterBytes * this.#perTable;
    const index = Math.floor(from / tableBytes);
    // `parseQcow2Header` has checked that the L1 table has an entry for every byte of the disk.
    const l1 = await this.#entries(this.#header.l1.offset + index * 8, 8, signal);
    const table = this.#tableOffset(l1);
    if (table === 0) return [{ kind: "backing", length: to - from }];
    const first = Math.floor((from % tableBytes) / this.#clusterBytes);
    const count = Math.floor(((to - 1) % tableBytes) / this.#clusterBytes) - first + 1;
    const l2 = await this.#entries(
      table + first * this.#entryBytes,
      count * this.#entryBytes,
      signal,
    );
    const runs: Run[] = [];
    for (let at = from, entry = 0; at < to; entry++) {
      const inCluster = at % this.#clusterBytes;
      const part = Math.min(to - at, this.#clusterBytes - inCluster);
      runs.push(...this.#runsInCluster(l2, entry * this.#entryBytes, { inCluster, part }));
      at += part;
    }
    return runs;
  }

  async #entries(offset: number, length: number, signal?: AbortSignal): Promise<DataView> {
    const bytes = await this.#file.read(offset, length, signal);
    return new DataView(bytes.buffer, bytes.byteOffset, length);
  }

  #tableOffset(l1: DataView): number {
    const offset = this.#offset(l1.getUint32(0), l1.getUint32(4));
    if (offset % this.#clusterBytes === 0) return offset;
    throw corrupt(this.#where, `an L2 table at byte ${offset}`, "one at the start of a cluster");
  }

  #offset(high: number, low: number): number {
    return (high & HIGH_OFFSET) * 2 ** 32 + ((low & LOW_OFFSET) >>> 0);
  }

  #runsInCluster(
    l2: DataView,
    at: number,
    { inCluster, part }: { readonly inCluster: number; readonly part: number },
  ): Run[] {
    const high = l2.getUint32(at);
    const low = l2.getUint32(at + 4);
    if (high & HIGH_COMPRESSED) {
      return [{ ...this.#compressed(high, low), length: part, skip: inCluster }];
    }
    const hostOffset = this.#offset(high, low);
    if (hostOffset % this.#clusterBytes !== 0) {
      throw corrupt(this.#where, `a cluster at byte ${hostOffset}`, "a multiple of their size");
    }
    if (this.#header.extendedL2) {
      const bits = { zero: l2.getUint32(at + 8), allocated: l2.getUint32(at + 12) };
      return this.#subclusters(hostOffset, bits, { inCluster, part });
    }
    if (this.#header.version >= 3 && low & LOW_ZERO) return [{ kind: "zero", length: part }];
    if (hostOffset === 0) return [{ kind: "backing", length: part }];
    return [{ kind: "data", length: part, hostOffset: hostOffset + inCluster }];
  }

  /** The sectors of 512 bytes that the data is in, the first counted from the one with its first byte. */
  #compressed(high: number, low: number) {
    // Bits 62 - (cluster_bits - 8) to 61 count sectors, those below are the offset: 17 to 29 bits of `high`.
    const highBits = 62 - (this.#header.clusterBits - 8) - 32;
    const hostOffset = (high & (2 ** highBits - 1)) * 2 ** 32 + low;
    const sectors = ((high & (HIGH_COMPRESSED - 1)) >>> highBits) + 1;
    const hostBytes = sectors * 512 - (low & 511);
    return { kind: "compressed", hostOffset, hostBytes } as const;
  }

  #subclusters(
    hostOffset: number,
    bits: { readonly zero: number; readonly allocated: number },
    { inCluster, part }: { readonly inCluster: number; readonly part: number },
  ): Run[] {
    if ((bits.zero & bits.allocated) !== 0 || (hostOffset === 0 && bits.allocated !== 0)) {
      throw corrupt(this.#where, "subclusters that are in two states", "one of them for each");
    }
    const size = this.#clusterBytes / SUBCLUSTERS;
    const runs: Run[] = [];
    for (let at = inCluster; at < inCluster + part;) {
      const index = Math.floor(at / size);
      const length = Math.min(inCluster + part, (index + 1) * size) - at;
      const isSet = (mask: number) => ((mask >>> index) & 1) === 1;
      if (isSet(bits.allocated)) runs.push({ kind: "data", length, hostOffset: hostOffset + at });
      else runs.push({ kind: isSet(bits.zero) ? "zero" : "backing", length });
      at += length;
    }
    return runs;
  }

  get #where(): Where {
    return this.#file.where;
  }
}

/** Clusters that follow each other in the file are read at once. */
function joined(runs: readonly Run[]): Run[] {
  const out: Run[] = [];
  for (const run of runs) {
    const last = out.at(-1);
    const grown = last && join(last, run);
    if (grown) out[out.length - 1] = grown;
    else out.push(run);
  }
  return out;
}

function join(last: Run, next: Run): Run | undefined {
  if (last.kind !== next.kind || last.kind === "compressed") return undefined;
  const length = last.length + next.length;
  if (last.kind !== "data" || next.kind !== "data") return { ...last, length };
  return last.hostOffset + last.length === next.hostOffset ? { ...last, length } : undefined;
}
