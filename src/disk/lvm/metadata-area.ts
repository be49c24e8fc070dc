/**
 * A metadata area of an LVM2 physical volume: lib/format_text/layout.h and format-text.c of LVM2. It begins with a
 * header of 512 bytes; the rest is a ring buffer of text, into which every change writes the whole description of the
 * group anew, behind the one before. The header says where the last one lies.
 *
 * Not read: a text that was written and not committed (`raw_locns[1]`), and older texts that are left in the ring.
 */
import { corrupt, overLimit } from "../../base/failure.ts";
import { hex, MIB, sizeText } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { crc32Update } from "../../bytes/crc32.ts";
import { bytesField, u32le, u64le } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { latin1 } from "../../bytes/text.ts";
import type { ByteSource } from "../source.ts";
import { INITIAL_CRC } from "./label.ts";
import type { Area } from "./label.ts";

const HEADER_BYTES = 512;
const MAGIC = " LVM2 x[5A%r0N*>";
const RAW_LOCN_IGNORED = 0x1;
/** About 400 bytes describe a logical volume: this is room for ten thousand. */
const MAX_TEXT_BYTES = 4 * MIB;

export const mdaHeader = struct("mda_header", HEADER_BYTES, {
  checksum_xl: [0, u32le],
  magic: [4, bytesField(16)],
  version: [20, u32le],
  start: [24, u64le],
  size: [32, u64le],
});

/** `raw_locns[0]`, which is all that is used of the list. */
export const rawLocn = struct("raw_locn", 24, {
  offset: [0, u64le],
  size: [8, u64le],
  checksum: [16, u32le],
  flags: [20, u32le],
});
const RAW_LOCNS_OFFSET = 40;

/** Where the text lies, in bytes from the start of the area; it may go on at the ring's start. */
export type TextLocation = { readonly offset: number; readonly size: number; readonly crc: number };

export type MetadataHeader = {
  /** Of the whole area, header included. */
  readonly sizeBytes: number;
  /** Set by `pvchange --metadataignore`: what it says is old, and LVM does not look at it. */
  readonly ignored: boolean;
  /** Absent in a volume that belongs to no group. */
  readonly text?: TextLocation;
};

/** `bytes` has the header of the area at `offset` bytes into the volume. */
export function parseMetadataHeader(
  bytes: Uint8Array,
  offset: number,
  where: Where,
): MetadataHeader {
  const header = mdaHeader.read(bytes, 0, where);
  const sum = crc32Update(INITIAL_CRC, bytes.subarray(4, HEADER_BYTES));
  if (sum !== header.checksum_xl) {
    throw corrupt(where, `checksum ${hex(header.checksum_xl, 8)}`, hex(sum, 8));
  }
  if (latin1(header.magic) !== MAGIC) throw corrupt(where, "another magic", `"${MAGIC}"`);
  if (header.version !== 1) throw corrupt(where, `version ${header.version}`, "version 1");
  if (header.start !== offset) {
    throw corrupt(where, `an area that begins at byte ${header.start}`, `byte ${offset}`);
  }
  const locn = rawLocn.read(bytes, RAW_LOCNS_OFFSET, where);
  const ignored = (locn.flags & RAW_LOCN_IGNORED) !== 0;
  const area = { sizeBytes: header.size, ignored };
  if (locn.offset === 0) return area;
  const text = { offset: locn.offset, size: locn.size, crc: locn.checksum };
  // What an ignored area says is not used, so it need not be right.
  if (!ignored) checkLocation(text, header.size, where);
  return { ...area, text };
}

/** After this, the text and what of it wraps around lie in the ring and do not overlap. */
function checkLocation({ offset, size }: TextLocation, areaBytes: number, where: Where): void {
  const room = areaBytes - HEADER_BYTES;
  if (offset < HEADER_BYTES || offset >= areaBytes || size === 0 || size > room) {
    const found = `a text of ${size} bytes at byte ${offset}`;
    throw corrupt(where, found, `one inside the area of ${areaBytes} bytes`);
  }
  if (size > MAX_TEXT_BYTES) {
    throw overLimit(where, `a text of ${sizeText(size)}`, sizeText(MAX_TEXT_BYTES));
  }
}

export type MetadataArea = {
  readonly ignored: boolean;
  /** Checked against its checksum, without the NUL at its end. Absent: no group, or the area is ignored. */
  readonly text?: Uint8Array;
  readonly where: Where;
};

/** Failures: `io`, `corrupt` (also a wrong checksum), `limit` for a text that is too large. */
export async function readMetadataArea(
  source: ByteSource,
  area: Area,
  signal?: AbortSignal,
): Promise<MetadataArea> {
  const where = within(source.where, "LVM2", `metadata area at byte ${area.offset}`);
  const bytes = await source.read(area.offset, HEADER_BYTES, signal);
  const { sizeBytes, ignored, text } = parseMetadataHeader(bytes, area.offset, where);
  if (ignored || !text) return { ignored, where };
  const first = Math.min(text.size, sizeBytes - text.offset);
  const pieces = [
    await source.read(area.offset + text.offset, first, signal),
    await source.read(area.offset + HEADER_BYTES, text.size - first, signal),
  ];
  const sum = pieces.reduce(crc32Update, INITIAL_CRC);
  if (sum !== text.crc) {
    throw corrupt(where, `a text with checksum ${hex(text.crc, 8)}`, hex(sum, 8));
  }
  const whole = new Uint8Array(text.size);
  whole.set(pieces[0]!);
  whole.set(pieces[1]!, first);
  const end = whole.indexOf(0);
  return { ignored, where, text: end < 0 ? whole : whole.subarray(0, end) };
}
