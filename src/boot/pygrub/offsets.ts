/**
 * Where pygrub thinks filesystems begin (get_partition_offsets in tools/pygrub/src/pygrub): the four entries of the
 * MBR in order (the active flag changes nothing under Python 3), and for a protective entry whatever lies where GPT
 * entries usually are. Signatures and checksums are not looked at.
 */
import { assertRange } from "../../disk/source.ts";
import type { ByteSource } from "../../disk/source.ts";

export type PygrubOffsets = {
  /** In bytes, in the order in which pygrub tries them. */
  readonly offsets: readonly number[];
  /** Set when it ends with a Python exception before it has any. */
  readonly problem?: string;
};

const SECTOR = 512;
/** Solaris, and Linux swap, which once was Solaris: passed over unless a Solaris disk label is there. */
const SOLARIS = new Set([0xbf, 0x82]);
const GPT = 0xee;
/** What pygrub itself has no bound for: it would read entries until the disk ends. */
const MAX_ENTRIES = 16_384;

export async function pygrubOffsets(
  disk: ByteSource,
  signal?: AbortSignal,
): Promise<PygrubOffsets> {
  if (disk.size < SECTOR) return { offsets: [0] };
  const sector = await disk.read(0, SECTOR, signal);
  const view = new DataView(sector.buffer, sector.byteOffset, SECTOR);
  if (view.getUint16(0x1fe, true) !== 0xaa55) return { offsets: [0] };
  const offsets: number[] = [];
  for (const entry of [446, 462, 478, 494]) {
    const start = view.getUint32(entry + 8, true) * SECTOR;
    const type = view.getUint8(entry + 4);
    // Swap has no Solaris label; a Solaris slice is nothing that domus looks at.
    if (start === 0 || SOLARIS.has(type)) continue;
    if (type === GPT) {
      const found = await gptOffsets(disk, signal);
      if (typeof found === "string") return { offsets: [], problem: found };
      offsets.push(...found);
      break;
    }
    offsets.push(start);
  }
  return { offsets: offsets.length > 0 ? offsets : [0] };
}

async function gptOffsets(disk: ByteSource, signal?: AbortSignal): Promise<number[] | string> {
  const ends = "pygrub ends with a Python exception over the partition table";
  if (disk.size < 2 * SECTOR) return ends;
  const header = await disk.read(SECTOR, SECTOR, signal);
  const view = new DataView(header.buffer, header.byteOffset, SECTOR);
  const count = view.getUint32(80, true);
  const size = view.getUint32(84, true);
  if (count === 0) return [];
  // An entry shorter than its fields, or beyond the end of the disk.
  if (size < 40 || 2 * SECTOR + count * size > disk.size) return ends;
  if (count > MAX_ENTRIES || count * size > MAX_ENTRIES * 1024) {
    return `its partition table claims ${count} entries, which pygrub would all read`;
  }
  assertRange(disk, 2 * SECTOR, count * size);
  const entries = await disk.read(2 * SECTOR, count * size, signal);
  const table = new DataView(entries.buffer, entries.byteOffset, entries.byteLength);
  return Array.from({ length: count }, (_, i) =>
    // Rounded above 2^53, where no disk reaches.
    Number(table.getBigUint64(i * size + 32, true) * BigInt(SECTOR)),
  );
}
