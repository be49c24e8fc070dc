/**
 * A record: what was written to the log at once. Its header keeps what the cycle numbers replaced in the blocks after it;
 * a record of more than 32 KiB has further header blocks for that.
 *
 * Source: Linux fs/xfs/libxfs/xfs_log_format.h `struct xlog_rec_header`, fs/xfs/xfs_log.c (`xlog_pack_data`, `xlog_cksum`),
 * fs/xfs/xfs_log_recover.c (`xlog_valid_rec_header`, `xlog_unpack_data`). Logs written on big-endian machines are not
 * replayed, by Linux on others either.
 */
import { corrupt, unsupported } from "../../../../base/failure.ts";
import { hex, KIB } from "../../../../base/units.ts";
import { bytesField, u32be, u32le, u64beRaw } from "../../../../bytes/fields.ts";
import { crc32c, crc32cUpdate } from "../../../../bytes/crc32c.ts";
import { struct } from "../../../../bytes/struct.ts";
import { assertUuid } from "../checksum.ts";
import { advance, BASIC_BLOCK, logWhere, readBlocks, XLOG_HEADER_MAGIC_NUM } from "./ring.ts";
import type { Log } from "./ring.ts";

/** The first block of a record; `h_cycle_data` is at byte 44. */
export const xlogRecHeader = struct("xlog_rec_header", 328, {
  h_magicno: [0, u32be],
  h_cycle: [4, u32be],
  h_version: [8, u32be],
  h_len: [12, u32be],
  h_lsn: [16, u64beRaw],
  h_tail_lsn: [24, u64beRaw],
  h_crc: [32, u32le],
  h_num_logops: [40, u32be],
  h_fmt: [300, u32be],
  h_fs_uuid: [304, bytesField(16)],
  h_size: [320, u32be],
});
const CRC_AT = 32;
const CYCLE_DATA_AT = 44;
/** Entries in a header block, `XLOG_CYCLE_DATA_SIZE`: for 32 KiB. */
const CYCLES_PER_HEADER = 64;
/** Further header blocks: the cycle, then as many entries. */
const EXT_CYCLE_DATA_AT = 4;
const EXT_SIZE = EXT_CYCLE_DATA_AT + 4 * CYCLES_PER_HEADER;
/** i386 does not count the padding at the end of the header. */
const HEADER_SIZES = [328, 324];

const XLOG_VERSION_2 = 2;
const XLOG_FMT_LINUX_LE = 1;
/** XLOG_MAX_RECORD_BSIZE */
const MAX_RECORD_BYTES = 256 * KIB;

/** What a record's header says. */
export type RecordHeader = {
  /** Where it begins, in basic blocks. */
  readonly block: number;
  readonly lsn: bigint;
  /** Where the oldest record begins that is still needed, as of this one. */
  readonly tailBlock: number;
  readonly headerBlocks: number;
  readonly dataBlocks: number;
  readonly dataBytes: number;
  /** Operations in it. */
  readonly count: number;
};

/** A record with its data as it was before the cycle numbers were put in. */
export type LogRecord = RecordHeader & { readonly data: Uint8Array };

/** Reads and checks a header, without the checksum, which covers the data too. */
export async function readHeader(log: Log, block: number): Promise<RecordHeader> {
  return parseHeader(log, block, await readBlocks(log, block, 1));
}

function parseHeader(log: Log, block: number, bytes: Uint8Array): RecordHeader {
  const where = logWhere(log, block);
  const raw = xlogRecHeader.read(bytes, 0, where);
  if (raw.h_magicno !== XLOG_HEADER_MAGIC_NUM) {
    throw corrupt(where, `magic ${hex(raw.h_magicno)}`, hex(XLOG_HEADER_MAGIC_NUM));
  }
  assertUuid(raw.h_fs_uuid, log.uuidBytes, where);
  const { h_version: version, h_size: size, h_len: dataBytes } = raw;
  if (version < 1 || version > 3) throw unsupported(where, `version ${version} of the log`);
  if (raw.h_fmt !== XLOG_FMT_LINUX_LE) {
    throw unsupported(where, `log format ${raw.h_fmt}, of another kind of machine`);
  }
  const large = (version & XLOG_VERSION_2) !== 0 && size > 32 * KIB;
  if (large && size > MAX_RECORD_BYTES) throw corrupt(where, `h_size ${size}`, "up to 256 KiB");
  const headerBlocks = large ? Math.ceil(size / (32 * KIB)) : 1;
  const dataBlocks = Math.ceil(dataBytes / BASIC_BLOCK);
  if (dataBytes > MAX_RECORD_BYTES || dataBlocks > headerBlocks * CYCLES_PER_HEADER) {
    throw corrupt(where, `h_len ${dataBytes}`, `up to ${headerBlocks * 32} KiB`);
  }
  const tailBlock = Number(raw.h_tail_lsn & 0xffff_ffffn);
  if (headerBlocks + dataBlocks > log.length || tailBlock >= log.length) {
    throw corrupt(where, `a tail at log block ${tailBlock}`, `${log.length} blocks in all`);
  }
  const count = raw.h_num_logops;
  return { block, lsn: raw.h_lsn, tailBlock, headerBlocks, dataBlocks, dataBytes, count };
}

/** Where the data of one record after the other can go: `data` is then good until the next one is read. */
export const recordBuffer = (): Uint8Array => new Uint8Array(MAX_RECORD_BYTES + BASIC_BLOCK);

/** Reads a record, verifies its checksum and puts back what the cycle numbers replaced. */
export async function readRecord(
  log: Log,
  block: number,
  buffer: Uint8Array = recordBuffer(),
): Promise<LogRecord> {
  const header = await readHeader(log, block);
  const { headerBlocks, dataBlocks, dataBytes } = header;
  const bytes = await readBlocks(log, block, headerBlocks + dataBlocks);
  if (log.checksums) assertRecordChecksum(log, header, bytes);
  // A copy: what a source gives may be shared.
  const data = buffer.subarray(0, dataBlocks * BASIC_BLOCK);
  data.set(bytes.subarray(headerBlocks * BASIC_BLOCK));
  for (let i = 0; i < dataBlocks; i++) {
    const which = Math.floor(i / CYCLES_PER_HEADER);
    const table = which === 0 ? CYCLE_DATA_AT : which * BASIC_BLOCK + EXT_CYCLE_DATA_AT;
    const at = table + 4 * (i % CYCLES_PER_HEADER);
    data.set(bytes.subarray(at, at + 4), i * BASIC_BLOCK);
  }
  return { ...header, data: data.subarray(0, dataBytes) };
}

/** The header, of further header blocks those that the data needs, and the data as it is on disk. */
function assertRecordChecksum(log: Log, header: RecordHeader, bytes: Uint8Array): void {
  const { headerBlocks, dataBytes } = header;
  const stored = xlogRecHeader.read(bytes).h_crc;
  const first = Uint8Array.from(bytes.subarray(0, HEADER_SIZES[0]));
  first.fill(0, CRC_AT, CRC_AT + 4);
  const dataAt = headerBlocks * BASIC_BLOCK;
  const headers = Math.ceil(header.dataBlocks / CYCLES_PER_HEADER);
  const computed = HEADER_SIZES.map((size) => {
    let crc = crc32cUpdate(~0, first.subarray(0, size));
    for (let i = 1; i < headers; i++) {
      const at = i * BASIC_BLOCK;
      crc = crc32cUpdate(crc, bytes.subarray(at, at + EXT_SIZE));
    }
    return crc32c(bytes.subarray(dataAt, dataAt + dataBytes), crc);
  });
  if (computed.includes(stored)) return;
  throw corrupt(
    logWhere(log, header.block),
    `checksum ${hex(stored)}`,
    `${hex(computed[0]!)}, computed from the bytes`,
  );
}

/** The block after a record. */
export function afterRecord(log: Log, { block, headerBlocks, dataBlocks }: RecordHeader): number {
  return advance(log, block, headerBlocks + dataBlocks);
}
