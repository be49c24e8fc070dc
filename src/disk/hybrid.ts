/**
 * Disks that are an ISO 9660 filesystem and have a partition table as well: images that boot from CDs and from USB sticks
 * (isohybrid, xorriso, grub-mkrescue). Linux offers both, the filesystem on the whole disk and the partitions.
 *
 * A disk that such an image was once written to looks the same after it was partitioned anew: the first partition begins
 * at 1 MiB, and the tables leave the image's beginning alone. There only the table counts.
 */
import { attempt } from "../base/failure.ts";
import type { Content, PartitionTable, ProbeContext, Volume } from "./content.ts";
import { detectContent } from "./detect.ts";
import type { Detected } from "./detect.ts";
import { readElTorito } from "./fs/iso9660/el-torito.ts";
import { iso9660Prober } from "./fs/iso9660/prober.ts";
import type { ByteSource } from "./source.ts";
import { gptProber, mbrProber } from "./table/prober.ts";

/** The table in front of a filesystem that leaves room for one; `undefined` when there is none. */
export async function tableInFront(
  disk: ByteSource,
  content: Content,
  context: ProbeContext,
): Promise<PartitionTable | undefined> {
  if (content.kind !== "filesystem" || content.fs.kind !== "iso9660") return undefined;
  const found = await detectContent(disk, context, [gptProber, mbrProber]);
  return found.content.kind === "table" ? found.content.table : undefined;
}

/** What a disk with both is, once its partitions have been looked into. */
export async function hybridContent(
  disk: ByteSource,
  { content, table }: { readonly content: Content; readonly table: PartitionTable },
  partitions: readonly Volume[],
): Promise<Content> {
  if (content.kind !== "filesystem") return content;
  const images = await attempt(() => readElTorito(disk));
  const own = new Set((images.ok && images.value?.images.map(({ offset }) => offset)) || []);
  const end = Math.min(content.fs.sizeBytes, disk.size);
  const overwritten = partitions.some(({ partition, content: inside }) => {
    const offset = partition?.offset ?? 0;
    return offset > 0 && offset < end && !own.has(offset) && isInUse(inside);
  });
  return overwritten
    ? { kind: "table", table }
    : { ...content, table: withoutPartitionFindings(table) };
}

/**
 * Partitions of such an image show parts of it, the first often all of it rounded up. Nobody writes there, and an image
 * that is cut off says so itself.
 */
function withoutPartitionFindings(table: PartitionTable): PartitionTable {
  const usual = new Set(["partition-overlap", "partition-past-end"]);
  return { ...table, findings: table.findings.filter(({ code }) => !usual.has(code)) };
}

/** By something that is no part of an image: those have the image itself, its boot images, and what domus does not know. */
function isInUse(content: Content): boolean {
  if (content.kind === "filesystem") return content.fs.kind !== "iso9660";
  return content.kind === "member" || content.kind === "swap" || content.kind === "named";
}

/**
 * That the rest of an old image cannot be read is no news about a disk with a table; about a disk without one it may be
 * all that is known.
 */
export function withoutOldImage({ content, tried }: Detected): Detected {
  if (content.kind !== "table") return { content, tried };
  return { content, tried: tried.filter(({ name }) => name !== iso9660Prober.name) };
}
