/** Where version 5 of XFS has checksums: by the magic numbers that its blocks, inodes and log records begin with. */
import { crc32c, crc32cUpdate } from "../../../src/bytes/crc32c.ts";
import { checksumOf } from "../../../src/disk/fs/xfs/checksum.ts";
import { hasText, numberBytes, simpleSeal, viewOf } from "./seal.ts";
import type { Range, Seal } from "./seal.ts";

const BASIC = 512;

/** Of the structures that take a sector: where the checksum is. */
const SECTORS: Readonly<Record<string, number>> = { XFSB: 224, XAGF: 216, XAGI: 312, XAFL: 32 };

/** Of those that take a block. Trees of space and inodes, of extents, directories, symlinks, attributes. */
const BLOCKS: Readonly<Record<string, number>> = {
  AB3B: 52,
  AB3C: 52,
  IAB3: 52,
  FIB3: 52,
  R3FC: 52,
  RMB3: 52,
  BMA3: 64,
  XDB3: 4,
  XDD3: 4,
  XDF3: 4,
  XSLM: 12,
  XARM: 12,
};

/** Nodes and leaves of directories and attributes: their number is at byte 8, after two links. */
const NODE_MAGICS = [0x3ebe, 0x3df1, 0x3dff, 0x3bee];

/** Empty when it is no XFS. */
export function xfsSeals(input: Uint8Array): Seal[] {
  if (!hasText(input, 0, "XFSB")) return [];
  const view = viewOf(input);
  const sector = view.getUint16(102);
  const inodeSize = view.getUint16(104);
  const log = logOf(view);
  const seals: Seal[] = [];
  const add = (at: number, length: number, crcAt: number) => {
    if (at + length > input.length) return;
    seals.push(simpleSeal({ at, length }, at + crcAt, (bytes) => checksumOf(bytes, crcAt)));
  };
  for (let at = 0; at + BASIC <= input.length; at += BASIC) {
    if (at >= log.at && at < log.at + log.length) continue;
    const magic = String.fromCharCode(...input.subarray(at, at + 4));
    if (magic in SECTORS) add(at, sector, SECTORS[magic]!);
    if (view.getUint16(at) === 0x494e) add(at, inodeSize, 100);
    const block = view.getUint32(4);
    if (at % block !== 0) continue;
    if (magic in BLOCKS) add(at, block, BLOCKS[magic]!);
    if (NODE_MAGICS.includes(view.getUint16(at + 8))) add(at, block, 12);
  }
  return [...seals, ...recordsOf(view, log).map((at) => recordSeal(input, at))];
}

/** The log's place in bytes. */
export function logOf(view: DataView): Range {
  const start = Number(view.getBigUint64(48));
  const perGroup = 2 ** view.getUint8(124);
  const block = Math.floor(start / perGroup) * view.getUint32(84) + (start % perGroup);
  return { at: block * view.getUint32(4), length: view.getUint32(96) * view.getUint32(4) };
}

/** Where the log's records begin that hold something. */
export function recordsOf(view: DataView, log: Range): number[] {
  const records = [];
  for (let at = log.at; at < Math.min(log.at + log.length, view.byteLength - BASIC); at += BASIC) {
    if (view.getUint32(at) === 0xfeedbabe && view.getUint32(at + 12) > 0) records.push(at);
  }
  return records;
}

/** Header blocks and bytes of data of a record, as far as there is room for them. */
function recordLengths(view: DataView, at: number): { headers: number; data: number } {
  const size = view.getUint32(at + 320);
  const headers = size > 32_768 && size <= 262_144 ? Math.ceil(size / 32_768) : 1;
  const room = view.byteLength - at - headers * BASIC;
  return { headers, data: Math.max(0, Math.min(view.getUint32(at + 12), room)) };
}

/** The header, the further header blocks that its data needs, and the data: all as long as the damaged header says. */
function recordSeal(input: Uint8Array, at: number): Seal {
  const { headers, data } = recordLengths(viewOf(input), at);
  return {
    covers: [{ at, length: headers * BASIC + data }],
    renew(damaged) {
      const lengths = recordLengths(viewOf(damaged), at);
      const first = damaged.slice(at, at + 328);
      first.fill(0, 32, 36);
      let crc = crc32cUpdate(~0, first);
      const used = Math.ceil(Math.ceil(lengths.data / BASIC) / 64);
      for (let i = 1; i < Math.min(used, lengths.headers); i++) {
        crc = crc32cUpdate(crc, damaged.subarray(at + i * BASIC, at + i * BASIC + 260));
      }
      const from = at + lengths.headers * BASIC;
      const sum = crc32c(damaged.subarray(from, from + lengths.data), crc);
      return [{ at: at + 32, bytes: numberBytes(sum, 4) }];
    },
  };
}
