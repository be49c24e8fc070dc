/**
 * The header of a qcow2 image: docs/interop/qcow2.txt of QEMU. Versions 2 and 3. Big endian.
 *
 * Not supported: encryption, external data files, and features that this list does not have.
 */
import { corrupt, overLimit, unsupported } from "../../base/failure.ts";
import { hex, KIB, MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { bytesField, u32be, u64be, u64beRaw } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { decodeText, latin1 } from "../../bytes/text.ts";

export const QCOW2_MAGIC = "QFI\xfb";

/** Version 2 ends before `incompatible_features`. */
export const qcow2Header = struct("qcow2_header", 72, {
  magic: [0, bytesField(4)],
  version: [4, u32be],
  backing_file_offset: [8, u64be],
  backing_file_size: [16, u32be],
  cluster_bits: [20, u32be],
  size: [24, u64be],
  crypt_method: [32, u32be],
  l1_size: [36, u32be],
  l1_table_offset: [40, u64be],
});

export const qcow2Header3 = struct("qcow2_header_v3", 104, {
  incompatible_features: [72, u64beRaw],
  header_length: [100, u32be],
});
/** Behind the header of 104 bytes, where `header_length` says so. */
const COMPRESSION_TYPE_OFFSET = 104;

export const headerExtension = struct("qcow2_header_extension", 8, {
  type: [0, u32be],
  length: [4, u32be],
});
const EXTENSION_BACKING_FORMAT = 0xe2792aca;

const INCOMPAT_CORRUPT = 0x2n;
const INCOMPAT_EXTERNAL_DATA = 0x4n;
const INCOMPAT_COMPRESSION = 0x8n;
const INCOMPAT_EXTENDED_L2 = 0x10n;
/** Bit 0 says that reference counts may be wrong, which nobody needs for reading. */
const INCOMPAT_KNOWN = 0x1fn;

const MIN_CLUSTER_BITS = 9;
const MAX_CLUSTER_BITS = 21;
/** QEMU's QCOW_MAX_L1_SIZE. */
const MAX_L1_BYTES = 32 * MIB;
/** The specification's limit for the name. */
const MAX_BACKING_NAME_BYTES = 1023;
/** Header, extensions and name lie in the first cluster, and QEMU writes them one right behind the other. */
export const QCOW2_HEAD_BYTES = 64 * KIB;

export type Qcow2Header = {
  readonly version: 2 | 3;
  /** Of the disk. */
  readonly sizeBytes: number;
  readonly clusterBits: number;
  readonly l1: { readonly offset: number; readonly entries: number };
  /** Entries of 16 bytes, with a bitmap of 32 subclusters each. */
  readonly extendedL2: boolean;
  readonly compression: "zlib" | "zstd";
  readonly backing?: { readonly name: string; readonly format: string };
  /** Set by QEMU when it found the tables wrong; it then refuses to open the image for writing. */
  readonly markedCorrupt: boolean;
};

/** `head` has the first QCOW2_HEAD_BYTES of the file, or all of it. */
export function parseQcow2Header(head: Uint8Array, where: Where): Qcow2Header {
  const header = qcow2Header.read(head, 0, where);
  if (latin1(header.magic) !== QCOW2_MAGIC) {
    throw corrupt(where, "a file without the magic of qcow2", "a qcow2 image");
  }
  const { version, cluster_bits: clusterBits, size, l1_size: entries } = header;
  if (version === 1) throw unsupported(where, "the qcow disk format (version 1)");
  if (version !== 2 && version !== 3) throw unsupported(where, `qcow2 version ${version}`);
  if (header.crypt_method !== 0) {
    throw unsupported(where, `encrypted qcow2 images (method ${header.crypt_method})`);
  }
  if (clusterBits < MIN_CLUSTER_BITS || clusterBits > MAX_CLUSTER_BITS) {
    throw corrupt(where, `clusters of 2^${clusterBits} bytes`, "2^9 to 2^21");
  }
  const features = version === 3 ? parseFeatures(head, where) : V2;
  // A subcluster is a thirty-second of a cluster, and at least a sector.
  if (features.extendedL2 && clusterBits < MIN_CLUSTER_BITS + 5) {
    throw corrupt(where, `subclusters in clusters of 2^${clusterBits} bytes`, "at least 2^14");
  }
  const perTable = 2 ** clusterBits / (features.extendedL2 ? 16 : 8);
  const needed = Math.ceil(size / (2 ** clusterBits * perTable));
  if (entries < needed) throw corrupt(where, `an L1 table of ${entries} entries`, `${needed}`);
  if (entries * 8 > MAX_L1_BYTES) {
    throw overLimit(where, `an L1 table of ${entries} entries`, `${MAX_L1_BYTES / 8}`);
  }
  const backing = parseBacking(head, { headerBytes: features.headerBytes, where });
  return {
    version,
    sizeBytes: size,
    clusterBits,
    l1: { offset: header.l1_table_offset, entries },
    extendedL2: features.extendedL2,
    compression: features.compression,
    markedCorrupt: features.markedCorrupt,
    ...(backing && { backing }),
  };
}

type Features = Pick<Qcow2Header, "extendedL2" | "compression" | "markedCorrupt"> & {
  readonly headerBytes: number;
};

const V2: Features = {
  extendedL2: false,
  compression: "zlib",
  markedCorrupt: false,
  headerBytes: qcow2Header.size,
};

function parseFeatures(head: Uint8Array, where: Where): Features {
  const { incompatible_features: bits, header_length: headerBytes } = qcow2Header3.read(
    head,
    0,
    where,
  );
  if ((bits & INCOMPAT_EXTERNAL_DATA) !== 0n) {
    throw unsupported(where, "qcow2 images with an external data file");
  }
  const unknown = bits & ~INCOMPAT_KNOWN;
  if (unknown !== 0n) throw unsupported(where, `qcow2 features ${hex(unknown)}`);
  if (headerBytes < qcow2Header3.size || headerBytes > head.length) {
    throw corrupt(where, `a header of ${headerBytes} bytes`, `${qcow2Header3.size} or more`);
  }
  const type = headerBytes > COMPRESSION_TYPE_OFFSET ? head[COMPRESSION_TYPE_OFFSET]! : 0;
  if (type > 1) throw unsupported(where, `qcow2 compression type ${type}`);
  if ((type === 1) !== ((bits & INCOMPAT_COMPRESSION) !== 0n)) {
    throw corrupt(where, `compression type ${type}`, "one that agrees with the feature bits");
  }
  return {
    extendedL2: (bits & INCOMPAT_EXTENDED_L2) !== 0n,
    compression: type === 1 ? "zstd" : "zlib",
    markedCorrupt: (bits & INCOMPAT_CORRUPT) !== 0n,
    headerBytes,
  };
}

type Place = { readonly headerBytes: number; readonly where: Where };

function parseBacking(
  head: Uint8Array,
  { headerBytes, where }: Place,
): Qcow2Header["backing"] | undefined {
  const { backing_file_offset: offset, backing_file_size: length } = qcow2Header.read(head);
  if (offset === 0 || length === 0) return undefined;
  if (length > MAX_BACKING_NAME_BYTES || offset + length > head.length) {
    const found = `the name of a backing file of ${length} bytes at byte ${offset}`;
    throw corrupt(where, found, `at most ${MAX_BACKING_NAME_BYTES} bytes near the header`);
  }
  const name = decodeText(head.subarray(offset, offset + length));
  return { name, format: backingFormat(head, { headerBytes, where }) };
}

/** Extensions follow the header; each takes at least 8 bytes, so the list ends with the bytes. */
function backingFormat(head: Uint8Array, { headerBytes, where }: Place): string {
  for (let at = headerBytes; at + headerExtension.size <= head.length;) {
    const { type, length } = headerExtension.read(head, at, where);
    at += headerExtension.size;
    if (type === 0 || at + length > head.length) return "";
    if (type === EXTENSION_BACKING_FORMAT) return decodeText(head.subarray(at, at + length));
    at += Math.ceil(length / 8) * 8;
  }
  return "";
}
