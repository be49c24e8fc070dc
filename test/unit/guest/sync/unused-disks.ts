/** Small disks with filesystems put together by hand, in partitions or without. */
import { memorySource } from "../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../src/disk/source.ts";
import type { UnusedViewOptions } from "../../../../src/guest/sync/unused-view.ts";
import { makeImage as makeBtrfs } from "../../disk/fs/btrfs/image.ts";
import { makeImage as makeExt4 } from "../../disk/fs/ext4/image.ts";
import { makeImage as makeFat } from "../../disk/fs/fat/image.ts";
import { makeImage as makeXfs } from "../../disk/fs/xfs/image.ts";
import { gptDisk, mbrSector } from "../../../support/tables.ts";

export const SECTOR = 512;

/** Nobody has it, and nobody will come back. */
export const QUIET: UnusedViewOptions = { mayResume: false, findUsers: async () => [] };

export const ext4 = () => makeExt4().bytes;
export const xfs = () => makeXfs(5).bytes;
export const btrfs = () => makeBtrfs().bytes;
export const fat = () => makeFat(16).bytes;

export function swap(sizeBytes = 512 * 1024, signature = "SWAPSPACE2"): Uint8Array {
  const bytes = new Uint8Array(sizeBytes).fill(0x5a);
  bytes.fill(0, 0, 4096);
  const view = new DataView(bytes.buffer);
  view.setUint32(1024, 1, true);
  view.setUint32(1028, sizeBytes / 4096 - 1, true);
  bytes.set(Buffer.from(signature), 4086);
  return bytes;
}

export type Part = { readonly bytes: Uint8Array; readonly type?: number; readonly room?: number };

const GAP_SECTORS = 64;
const GAP_BYTE = 0xaa;

/** Sectors from the start of the disk: first, count. Between them are gaps that are not empty. */
function layOut(parts: readonly Part[]) {
  let at = GAP_SECTORS;
  return parts.map(({ bytes, room = 0 }) => {
    const sectors = Math.ceil((bytes.length + room) / SECTOR);
    const first = at;
    at += sectors + GAP_SECTORS;
    return { first, sectors };
  });
}

function put(disk: Uint8Array, parts: readonly Part[], places: ReturnType<typeof layOut>): void {
  for (const [i, { first, sectors }] of places.entries()) {
    disk.fill(GAP_BYTE, first * SECTOR, (first + sectors) * SECTOR);
    disk.set(parts[i]!.bytes, first * SECTOR);
  }
}

export function mbrDisk(parts: readonly Part[]): Uint8Array {
  const places = layOut(parts);
  const last = places.at(-1)!;
  const disk = new Uint8Array((last.first + last.sectors + GAP_SECTORS) * SECTOR).fill(GAP_BYTE);
  put(disk, parts, places);
  const entries = places.map(({ first, sectors }, i) => ({
    slot: i + 1,
    type: parts[i]!.type ?? 0x83,
    start: first,
    sectors,
  }));
  disk.set(mbrSector(entries));
  return disk;
}

export function gptWith(parts: readonly (Part & { readonly guid?: Uint8Array })[]): Uint8Array {
  const places = layOut(parts);
  const last = places.at(-1)!;
  const diskSectors = last.first + last.sectors + GAP_SECTORS;
  const disk = gptDisk({
    diskSectors,
    parts: places.map(({ first, sectors }, i) => ({
      first,
      last: first + sectors - 1,
      ...(parts[i]!.guid && { type: parts[i]!.guid }),
    })),
  });
  put(disk, parts, places);
  return disk;
}

/** Where partition `index` begins, in bytes. */
export function startOf(parts: readonly Part[], index: number): number {
  return layOut(parts)[index]!.first * SECTOR;
}

export function sourceOf(bytes: Uint8Array): ByteSource {
  return memorySource(bytes, ["disk"]);
}
