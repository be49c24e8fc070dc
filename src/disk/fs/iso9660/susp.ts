/**
 * The System Use Sharing Protocol: entries behind the name in a directory record, which may go on elsewhere (CE).
 *
 * Source: IEEE P1281 draft 1.12; Linux fs/isofs/rock.c (`rock_continue`).
 */
import { corrupt, overLimit } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import { bytesField, u32le, u8 } from "../../../bytes/fields.ts";
import { struct } from "../../../bytes/struct.ts";
import { latin1 } from "../../../bytes/text.ts";
import type { IsoVolume } from "./volume.ts";

/** What every entry begins with. */
export const suspHeader = struct("SUSP entry", 4, { signature: [0, bytesField(2)], len: [2, u8] });

/** CE: where the entries go on. */
export const suspContinuation = struct("SUSP CE", 28, {
  extent: [4, u32le],
  offset: [12, u32le],
  size: [20, u32le],
});

/** SP: says that the protocol is used, and how many bytes of each system use part belong to others. */
export const suspPresence = struct("SUSP SP", 7, { magic: [4, bytesField(2)], skip: [6, u8] });

/** RR_MAX_CE_ENTRIES */
const MAX_CONTINUATIONS = 32;
/** CD-ROM XA puts 14 bytes of its own before. */
const XA_BYTES = 14;

/** An entry, header included: at least 4 bytes. */
export type SuspEntry = { readonly signature: string; readonly bytes: Uint8Array };

/**
 * How many bytes to skip in each record, by the SP entry of the root's `.`; `undefined` when there is none: the
 * protocol is not used.
 */
export function parsePresence(systemUse: Uint8Array, where: Where): number | undefined {
  for (const at of [0, XA_BYTES]) {
    const bytes = systemUse.subarray(at);
    if (latin1(bytes.subarray(0, 2)) !== "SP" || bytes.length < suspPresence.size) continue;
    const { magic, skip } = suspPresence.read(bytes, 0, where);
    if (latin1(magic) === "\xbe\xef") return skip;
  }
  return undefined;
}

/** All entries of a system use part, continuations included: at most 33 pieces of a block each. */
export async function readSystemUse(
  volume: IsoVolume,
  systemUse: Uint8Array,
  where: Where,
): Promise<SuspEntry[]> {
  const entries: SuspEntry[] = [];
  let area = systemUse;
  for (let count = 0; ; count++) {
    const next = parseArea(area, where, entries);
    if (!next) return entries;
    if (count === MAX_CONTINUATIONS) {
      throw overLimit(where, "the number of continuations (CE)", String(MAX_CONTINUATIONS));
    }
    area = await readContinuation(volume, next, where);
  }
}

/** Adds the entries of one piece, and gives its CE entry. What is left at the end without room for an entry is padding. */
function parseArea(area: Uint8Array, where: Where, entries: SuspEntry[]): Uint8Array | undefined {
  let next: Uint8Array | undefined;
  for (let at = 0; at + suspHeader.size <= area.length;) {
    const { signature, len } = suspHeader.read(area, at, where);
    const name = latin1(signature);
    if (name === "ST" || name === "\0\0") break;
    if (len < suspHeader.size || at + len > area.length) {
      const found = `a system use entry ${JSON.stringify(name)} of ${len} bytes`;
      throw corrupt(where, found, `4 to ${area.length - at}`);
    }
    const bytes = area.subarray(at, at + len);
    if (name === "CE") next = bytes;
    else entries.push({ signature: name, bytes });
    at += len;
  }
  return next;
}

async function readContinuation(
  volume: IsoVolume,
  entry: Uint8Array,
  where: Where,
): Promise<Uint8Array> {
  const at = within(where, "CE");
  const { extent, offset, size } = suspContinuation.read(entry, 0, at);
  const { blockSizeBytes } = volume;
  // Both are below 2^32: the sum is exact.
  if (offset + size > blockSizeBytes) {
    throw corrupt(
      at,
      `${size} bytes from byte ${offset} on`,
      `inside a block of ${blockSizeBytes}`,
    );
  }
  return volume.source.read(extent * blockSizeBytes + offset, size);
}
