/**
 * Block maps of ext2 and ext3: 12 direct blocks, then a single, a double and a triple indirect block.
 *
 * Source: Linux Documentation/filesystems/ext4/blockmap.rst, fs/ext4/indirect.c (`ext4_block_to_path`).
 * Indirect blocks have no checksum in any variant of the format.
 */
import { Budget } from "../../../base/budget.ts";
import { within } from "../../../base/where.ts";
import type { Run } from "./extent.ts";
import type { InodeDetail } from "./inode.ts";
import { assertBlocks, readBlock } from "./volume.ts";
import type { Ext4Volume } from "./volume.ts";

const DIRECT = 12;

/** A table of block pointers, and the range of file blocks that its entries stand for. */
type Table = {
  readonly view: DataView;
  /** 0: entries are data blocks; 1 to 3: entries are tables of that much less. */
  readonly level: number;
  /** The first file block that entry 0 covers. */
  readonly base: number;
  /** How many file blocks one entry covers. */
  readonly span: number;
  readonly count: number;
  next: number;
};

/** As `extentRuns`: the runs among the blocks `from` to `to` (not included), in rising order, clipped; no run is a hole. */
export async function* blockMapRuns(
  volume: Ext4Volume,
  file: InodeDetail,
  from: number,
  to: number,
): AsyncGenerator<Run> {
  const { blockSizeBytes, blockCount } = volume.superblock;
  const perBlock = blockSizeBytes / 4;
  const where = within(file.where, "block map");
  // A sound file has each indirect block once, so there cannot be more of them than blocks in the filesystem.
  const budget = new Budget(blockCount, where, "number of indirect blocks");
  let run: { logical: number; physical: number; length: number } | undefined;
  const stack = rootTables(file.iBlock, perBlock).reverse();
  while (stack.length > 0) {
    const table = stack[stack.length - 1]!;
    table.next = Math.max(table.next, Math.floor((from - table.base) / table.span));
    const logical = table.base + table.next * table.span;
    if (table.next >= table.count || logical >= to) {
      stack.pop();
      continue;
    }
    const physical = table.view.getUint32(4 * table.next++, true);
    if (physical === 0) continue;
    if (table.level > 0) {
      budget.spend();
      const bytes = await readBlock(volume, physical, where);
      const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
      const span = table.span / perBlock;
      stack.push({ view, level: table.level - 1, base: logical, span, count: perBlock, next: 0 });
      continue;
    }
    assertBlocks(volume, physical, 1, where);
    if (run && run.logical + run.length === logical && run.physical + run.length === physical) {
      run.length += 1;
    } else {
      if (run) yield run;
      run = { logical, physical, length: 1 };
    }
  }
  if (run) yield run;
}

/** The direct blocks and the three indirect ones, each as a table of its own, in file order. */
function rootTables(iBlock: Uint8Array, perBlock: number): Table[] {
  const view = new DataView(iBlock.buffer, iBlock.byteOffset, iBlock.byteLength);
  const tables: Table[] = [{ view, level: 0, base: 0, span: 1, count: DIRECT, next: 0 }];
  let base = DIRECT;
  let span = 1;
  for (let level = 1; level <= 3; level++) {
    // At most 16384^3 = 2^42: exact.
    span *= perBlock;
    const slot = new DataView(view.buffer, view.byteOffset + 4 * (DIRECT + level - 1), 4);
    tables.push({ view: slot, level, base, span, count: 1, next: 0 });
    base += span;
  }
  return tables;
}
