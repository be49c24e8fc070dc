/** What FAT changes with every write: its tables, or the time in a directory. It has no journal. */
import { attempt, failureText } from "../../base/failure.ts";
import { within } from "../../base/where.ts";
import { encodeText } from "../../bytes/text.ts";
import { BOOT_SECTOR_BYTES, parseBootSector } from "../../disk/fs/fat/boot-sector.ts";
import { openVfat } from "../../disk/fs/fat/vfat.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { walk } from "../../disk/fs/walk.ts";
import { memorySource } from "../../disk/source.ts";
import type { ByteSource } from "../../disk/source.ts";
import { clip, countedSource, SEARCH_BYTES, wholeOrSamples } from "./region-reader.ts";
import type { PlanOptions, VolumePlan } from "./volume-plan.ts";

/** Boot partitions have hundreds. */
const MAX_FILES = 20_000;
/** Of their names together. */
const MAX_LIST_LENGTH = 8_000_000;

/** Failures are those of the boot sector: then it is nothing that can be planned for. */
export async function planFat(source: ByteSource, options: PlanOptions): Promise<VolumePlan> {
  const { signal, limitBytes } = options;
  const head = await source.read(0, BOOT_SECTOR_BYTES, signal);
  const { dataOffset } = parseBootSector(head, within(source.where, "vfat", "boot sector"));
  const size = Math.min(dataOffset, source.size);
  const listed = await attempt(async () => {
    const fs = await openVfat(countedSource(source, SEARCH_BYTES), signal ? { signal } : {});
    return listFiles(fs, signal);
  });
  const list = memorySource(encodeText(listed.ok ? listed.value.text : ""));
  const complete = size <= limitBytes && listed.ok && listed.value.complete;
  return {
    format: "vfat",
    depth: complete ? "commits" : "sample",
    regions: [
      { name: "allocation tables", source, ranges: wholeOrSamples(size, limitBytes) },
      { name: "directories", source: list, ranges: clip(0, list.size, list.size) },
    ],
    ...(!listed.ok && { note: failureText(listed.failure) }),
  };
}

/** A line for each file: what a write to it changes. */
async function listFiles(fs: FileSystem, signal?: AbortSignal) {
  let text = "";
  let count = 0;
  // What cannot be read is the same the next time.
  const onFailure = (path: string) => void (text += `${path}\0unreadable\n`);
  for await (const { path, inode } of walk(fs, { onFailure, ...(signal && { signal }) })) {
    text += `${path}\0${inode.kind}\0${inode.number}\0${inode.size}\0${inode.mtime}\n`;
    count += 1;
    if (count === MAX_FILES || text.length > MAX_LIST_LENGTH) return { text, complete: false };
  }
  return { text, complete: true };
}
