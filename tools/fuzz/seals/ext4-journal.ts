/**
 * Where ext4's journal has checksums (version 3, and those of fast commits), and which copies of blocks it holds. Written
 * for small images as mkfs makes them: the journal is in one piece, so its superblock is all that has to be found.
 */
import { crc32cUpdate } from "../../../src/bytes/crc32c.ts";
import { checksumWithHole } from "../../../src/disk/fs/ext4/checksum.ts";
import { numberBytes, simpleSeal, viewOf } from "./seal.ts";
import type { Patch, Seal } from "./seal.ts";

const MAGIC = 0xc03b3998;
/** Of blocks of the log. */
export const JOURNAL_TYPE = { descriptor: 1, commit: 2, superblock: 4, revoke: 5 };
const FAST_COMMIT_TAIL = 8;

/** A copy of a filesystem's block in the log. */
export type Copy = {
  /** In the filesystem. */
  readonly block: number;
  /** In the image, in bytes. */
  readonly at: number;
  /** Where its tag is that has its checksum. */
  readonly tagAt: number;
  readonly sequence: number;
};

export type JournalLayout = {
  /** In bytes of the image. */
  readonly at: number;
  readonly blockSize: number;
  readonly seed: number;
  /** Blocks of the log with a header of their own, by type. */
  readonly blocks: readonly { readonly at: number; readonly type: number }[];
  readonly copies: readonly Copy[];
  /** In bytes of the image; equal without fast commits. */
  readonly fastCommits: { readonly from: number; readonly to: number };
};

/** `undefined` when there is no journal. */
export function journalLayout(input: Uint8Array, blockSize: number): JournalLayout | undefined {
  const view = viewOf(input);
  for (let at = 0; at + blockSize <= input.length; at += blockSize) {
    if (view.getUint32(at) !== MAGIC || view.getUint32(at + 4) !== JOURNAL_TYPE.superblock)
      continue;
    const length = view.getUint32(at + 16);
    if (view.getUint32(at + 12) !== blockSize || at + length * blockSize > input.length) continue;
    const fast = (view.getUint32(at + 40) & 0x20) !== 0;
    const last = fast ? length - (view.getUint32(at + 84) || 256) : length;
    const seed = crc32cUpdate(~0, input.subarray(at + 48, at + 64));
    const end = at + length * blockSize;
    const fastCommits = { from: fast ? at + (last + 1) * blockSize : end, to: end };
    return { at, blockSize, seed, fastCommits, ...logBlocks(view, { at, blockSize, last }) };
  }
  return undefined;
}

/** Every block of the log that has a header, and the copies that follow descriptors. */
function logBlocks(view: DataView, log: { at: number; blockSize: number; last: number }) {
  const { at, blockSize, last } = log;
  const blocks: { at: number; type: number }[] = [];
  const copies: Copy[] = [];
  for (let index = 1; index < last; index++) {
    const place = at + index * blockSize;
    if (view.getUint32(place) !== MAGIC) continue;
    const type = view.getUint32(place + 4);
    blocks.push({ at: place, type });
    if (type !== JOURNAL_TYPE.descriptor) continue;
    const sequence = view.getUint32(place + 8);
    const tags = tagsOf(view, place, blockSize);
    for (const [i, { block, tagAt }] of tags.entries()) {
      // A log that goes over its end goes on in its first block.
      const to = index + 1 + i < last ? index + 1 + i : index + 2 + i - last;
      copies.push({ block, tagAt, sequence, at: at + to * blockSize });
    }
  }
  return { blocks, copies };
}

function tagsOf(view: DataView, at: number, blockSize: number) {
  const tags: { block: number; tagAt: number }[] = [];
  for (let tagAt = at + 12; tagAt + 16 <= at + blockSize - 4;) {
    const flags = view.getUint32(tagAt + 4);
    tags.push({ block: view.getUint32(tagAt), tagAt });
    tagAt += flags & 2 ? 16 : 32;
    if (flags & 8) break;
  }
  return tags;
}

export function journalSeals(input: Uint8Array, journal: JournalLayout): Seal[] {
  const { at, blockSize, seed } = journal;
  const superblock = simpleSeal(
    { at, length: 1024 },
    at + 0xfc,
    (bytes) => checksumWithHole(~0, bytes, 0xfc, 4),
    false,
  );
  const copies = journal.copies.map((copy) =>
    simpleSeal(
      { at: copy.at, length: blockSize },
      copy.tagAt + 12,
      (bytes) => crc32cUpdate(crc32cUpdate(seed, numberBytes(copy.sequence, 4, false)), bytes),
      false,
    ),
  );
  const blocks = journal.blocks.map((block) => {
    const own = block.type === JOURNAL_TYPE.commit ? 16 : blockSize - 4;
    return simpleSeal(
      { at: block.at, length: blockSize },
      block.at + own,
      (bytes) => checksumWithHole(seed, bytes, own, 4),
      false,
    );
  });
  return [...copies, ...blocks, superblock, ...fastCommitSeals(input, journal)];
}

/** One for all fast commits: what a tail covers depends on the lengths of all records before it. */
function fastCommitSeals(input: Uint8Array, journal: JournalLayout): Seal[] {
  const { from } = journal.fastCommits;
  const tails = fastCommitTails(input, journal);
  // What is left of earlier ones comes after the last that is whole.
  const stale = tails.findIndex(
    ({ at, bytes }) => !bytes.every((byte, index) => input[at + index] === byte),
  );
  const sound = stale < 0 ? tails : tails.slice(0, stale);
  if (sound.length === 0) return [];
  return [
    {
      covers: [{ at: from, length: sound.at(-1)!.at + 4 - from }],
      renew: (damaged) => fastCommitTails(damaged, journal).slice(0, sound.length),
    },
  ];
}

/** The checksums that the tails should have, as far as records follow each other. */
function fastCommitTails(input: Uint8Array, journal: JournalLayout): Patch[] {
  const { from, to } = journal.fastCommits;
  const view = viewOf(input);
  const patches: Patch[] = [];
  let crc = 0;
  for (let block = from; block < to; block += journal.blockSize) {
    for (let at = block; at + 4 <= block + journal.blockSize;) {
      const tag = view.getUint16(at, true);
      const next = at + 4 + view.getUint16(at + 2, true);
      if (tag === 0 || tag > 9 || next > block + journal.blockSize) return patches;
      if (tag === FAST_COMMIT_TAIL) {
        crc = crc32cUpdate(crc, input.subarray(at, at + 8));
        patches.push({ at: at + 8, bytes: numberBytes(crc, 4) });
        crc = 0;
      } else crc = crc32cUpdate(crc, input.subarray(at, next));
      at = next;
    }
  }
  return patches;
}
