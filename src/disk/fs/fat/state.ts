/** What a FAT filesystem says about itself: was it unmounted, did the disk have errors. */
import type { Finding } from "../../../base/finding.ts";
import { cutOffNote } from "../cut-off.ts";
import type { FileSystemState } from "../filesystem.ts";
import { shutdownFlags } from "./fat.ts";
import type { FatVolume } from "./volume.ts";

/** Bits of the boot sector's `state`. */
const FAT_STATE_DIRTY = 0x01;
const FAT_STATE_ERRORS = 0x02;

/** Linux marks the boot sector, DOS and Windows the entry of cluster 1. */
export async function readState({ geometry, table }: FatVolume): Promise<FileSystemState> {
  const piece = await table.piece(0);
  const flags = shutdownFlags(geometry.bits, piece.entry(1));
  const said: string[] = [];
  if (geometry.state & FAT_STATE_DIRTY || !flags.clean) said.push("not cleanly unmounted");
  if (geometry.state & FAT_STATE_ERRORS || !flags.sound) said.push("disk errors recorded");
  return said.length === 0
    ? { clean: true, text: "clean" }
    : { clean: false, text: said.join("; ") };
}

/** What an admin should know about the filesystem, as far as it has been read. */
export function describeNotes({ geometry, table, source, where }: FatVolume): Finding[] {
  const notes: Finding[] = [];
  if (table.copyUsed > 0) {
    notes.push({
      code: "fat-copy-used",
      severity: "warning",
      where,
      what: "The first file allocation table could not be read. A copy of it was used.",
      why: "The disk fails there. Linux does not use the copy: the guest gets errors for files in that part.",
      next: "Copy the disk while it can be read, and replace it.",
    });
  }
  if (geometry.sizeBytes > source.size) {
    notes.push(cutOffNote(where, geometry.sizeBytes, source.size));
  }
  return notes;
}
