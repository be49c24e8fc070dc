/**
 * Where ext4 has checksums: superblock, group descriptors (and in them those of the bitmaps), inodes, directory blocks,
 * extent blocks; the same in the copies that the journal holds of such blocks. Whose a directory or extent block is comes
 * out by trying all inodes, since its checksum begins with the owner's.
 */
import { crc16Update } from "../../../src/bytes/crc16.ts";
import { crc32cUpdate } from "../../../src/bytes/crc32c.ts";
import { checksumOfNumber, checksumWithHole } from "../../../src/disk/fs/ext4/checksum.ts";
import { journalLayout, journalSeals } from "./ext4-journal.ts";
import { holds, numberBytes, simpleSeal, viewOf } from "./seal.ts";
import type { Seal } from "./seal.ts";

const SUPERBLOCK = 1024;
const INCOMPAT_64BIT = 0x80;
const INCOMPAT_CSUM_SEED = 0x2000;

type Layout = {
  readonly input: Uint8Array;
  readonly view: DataView;
  readonly blockSize: number;
  readonly inodeSize: number;
  readonly inodesPerGroup: number;
  readonly descriptorSize: number;
  /** Block of the first descriptor. */
  readonly table: number;
  readonly groups: number;
  readonly seed: number;
};

/** A block, and the place where it or a copy of it is. */
type Place = { readonly block: number; readonly at: number };

/** Empty when it is no ext4, or has no checksums. */
export function ext4Seals(input: Uint8Array): Seal[] {
  if (input.length < 4096 || viewOf(input).getUint16(SUPERBLOCK + 0x38, true) !== 0xef53) return [];
  const layout = layoutOf(input);
  const { blockSize } = layout;
  const journal = journalLayout(input, blockSize);
  const copies = journal?.copies ?? [];
  const blocks = Array.from({ length: Math.floor(input.length / blockSize) }, (_, block) => ({
    block,
    at: block * blockSize,
  }));
  const places = [...blocks, ...copies];
  const tables = places.filter(({ block }) => inodesIn(layout, block) !== undefined);
  const inodes = tables.flatMap((place) => inodeSeals(layout, place));
  const sound = inodes.filter(({ seal }) => holds(input, seal));
  const owners = [...new Set(sound.map(({ owner }) => owner))];
  return [
    ...sound.map(({ seal }) => seal),
    ...places.flatMap((place) => ownedSeals(layout, place, owners)),
    ...places.flatMap((place) => descriptorSeals(layout, place)),
    ...places.flatMap((place) => superblockSeals(layout, place)),
    ...(journal ? journalSeals(input, journal) : []),
  ].filter((seal) => holds(input, seal));
}

function layoutOf(input: Uint8Array): Layout {
  const view = viewOf(input);
  const word = (at: number) => view.getUint32(SUPERBLOCK + at, true);
  const blockSize = 1024 << word(0x18);
  const incompat = word(0x60);
  const uuid = input.subarray(SUPERBLOCK + 0x68, SUPERBLOCK + 0x78);
  return {
    input,
    view,
    blockSize,
    inodeSize: view.getUint16(SUPERBLOCK + 0x58, true),
    inodesPerGroup: word(0x28),
    descriptorSize: incompat & INCOMPAT_64BIT ? view.getUint16(SUPERBLOCK + 0xfe, true) : 32,
    table: word(0x14) + 1,
    groups: Math.ceil((word(0x4) - word(0x14)) / word(0x20)),
    seed: incompat & INCOMPAT_CSUM_SEED ? word(0x270) : crc32cUpdate(~0, uuid),
  };
}

/** The number of the first inode in a block, if it is one of an inode table. */
function inodesIn(layout: Layout, block: number): number | undefined {
  const { view, blockSize, inodeSize, inodesPerGroup } = layout;
  for (let group = 0; group < layout.groups; group++) {
    const at = layout.table * blockSize + group * layout.descriptorSize;
    const first = view.getUint32(at + 8, true);
    const length = Math.ceil((inodesPerGroup * inodeSize) / blockSize);
    if (block < first || block >= first + length) continue;
    return group * inodesPerGroup + ((block - first) * blockSize) / inodeSize + 1;
  }
  return undefined;
}

/** `owner` is the seed of everything that belongs to the inode. */
function inodeSeals(layout: Layout, { block, at }: Place): { seal: Seal; owner: number }[] {
  const { view, inodeSize, blockSize } = layout;
  const found = [];
  for (let i = 0; i < blockSize / inodeSize; i++) {
    const place = at + i * inodeSize;
    if (view.getUint16(place, true) === 0) continue;
    const number = checksumOfNumber(layout.seed, inodesIn(layout, block)! + i);
    const seedOf = (bytes: Uint8Array) =>
      checksumOfNumber(number, viewOf(bytes).getUint32(place + 0x64, true));
    const seal: Seal = {
      covers: [{ at: place, length: inodeSize }],
      renew(input) {
        const bytes = input.slice(place, place + inodeSize);
        const wide = inodeSize > 128 && viewOf(bytes).getUint16(128, true) >= 4;
        bytes.fill(0, 0x7c, 0x7e);
        if (wide) bytes.fill(0, 0x82, 0x84);
        const crc = crc32cUpdate(seedOf(input), bytes);
        const low = { at: place + 0x7c, bytes: numberBytes(crc, 2) };
        return wide ? [low, { at: place + 0x82, bytes: numberBytes(crc >>> 16, 2) }] : [low];
      },
    };
    found.push({ seal, owner: seedOf(layout.input) });
  }
  return found;
}

/** Of a directory block, which has its checksum at its end, or an extent block, where it follows the last entry. */
function ownedSeals(layout: Layout, { at }: Place, owners: readonly number[]): Seal[] {
  const { input, view, blockSize } = layout;
  if (at + blockSize > input.length) return [];
  const tail = blockSize - 12;
  const directory =
    view.getUint32(at + tail, true) === 0 && view.getUint32(at + tail + 4, true) === 0xde00_000c;
  const extents = view.getUint16(at, true) === 0xf30a;
  const room = 12 * (1 + view.getUint16(at + 4, true));
  const covered = directory ? tail : extents && room + 4 <= blockSize ? room : 0;
  if (covered === 0) return [];
  const stored = view.getUint32(at + (directory ? tail + 8 : covered), true);
  const bytes = input.subarray(at, at + covered);
  const owner = owners.find((seed) => crc32cUpdate(seed, bytes) === stored);
  if (owner === undefined) return [];
  return [
    {
      covers: [{ at, length: covered + (directory ? 12 : 4) }],
      renew(damaged) {
        const max = viewOf(damaged).getUint16(at + 4, true);
        const end = directory ? tail : Math.min(blockSize - 4, 12 * (1 + max));
        const crc = crc32cUpdate(owner, damaged.subarray(at, at + end));
        return [{ at: at + end + (directory ? 8 : 0), bytes: numberBytes(crc, 4) }];
      },
    },
  ];
}

/** The descriptors of a block of them: first what they say of their bitmaps, then their own checksum. */
function descriptorSeals(layout: Layout, { block, at }: Place): Seal[] {
  const { view, blockSize, descriptorSize: size, seed } = layout;
  const perBlock = blockSize / size;
  const first = (block - layout.table) * perBlock;
  if (first < 0 || first >= layout.groups) return [];
  const seals: Seal[] = [];
  for (let group = first; group < Math.min(first + perBlock, layout.groups); group++) {
    const place = at + (group - first) * size;
    const bitmap = view.getUint32(place, true) * blockSize;
    const used = Math.floor(view.getUint32(SUPERBLOCK + 0x24, true) / 8);
    seals.push({
      covers: [{ at: bitmap, length: used }],
      renew(input) {
        const crc = crc32cUpdate(seed, input.subarray(bitmap, bitmap + used));
        const low = { at: place + 0x18, bytes: numberBytes(crc, 2) };
        return size < 64 ? [low] : [low, { at: place + 0x38, bytes: numberBytes(crc >>> 16, 2) }];
      },
    });
    const own = (compute: (bytes: Uint8Array) => number): Seal => ({
      covers: [{ at: place, length: size }],
      renew: (input) => [
        { at: place + 0x1e, bytes: numberBytes(compute(input.subarray(place, place + size)), 2) },
      ],
    });
    const number = checksumOfNumber(seed, group);
    seals.push(own((bytes) => checksumWithHole(number, bytes, 0x1e, 2)));
    const uuid = layout.input.slice(SUPERBLOCK + 0x68, SUPERBLOCK + 0x78);
    const start = crc16Update(crc16Update(0xffff, uuid), numberBytes(group, 4));
    seals.push(
      own((bytes) => crc16Update(crc16Update(start, bytes.subarray(0, 0x1e)), bytes.subarray(32))),
    );
  }
  return seals;
}

function superblockSeals({ blockSize, input }: Layout, { block, at }: Place): Seal[] {
  if (block !== Math.floor(SUPERBLOCK / blockSize)) return [];
  const place = at + (SUPERBLOCK % blockSize);
  if (place + 1024 > input.length) return [];
  return [
    simpleSeal({ at: place, length: 0x3fc }, place + 0x3fc, (bytes) => crc32cUpdate(~0, bytes)),
  ];
}
