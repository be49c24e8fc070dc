/**
 * There are no inodes. A file's number is the place of its directory record; a directory's is the place of the record `.`
 * in itself, since several records lead to it.
 *
 * Source: Linux fs/isofs/inode.c (`isofs_read_inode`, `isofs_read_level3_size`), fs/isofs/isofs.h
 * (`isofs_normalize_block_and_offset`). Without Rock Ridge the rights are those that Linux makes up.
 */
import { corrupt, overLimit } from "../../../base/failure.ts";
import { within } from "../../../base/where.ts";
import type { Where } from "../../../base/where.ts";
import type { FileKind, Inode } from "../filesystem.ts";
import { readAttributes } from "./attributes.ts";
import { parseShortDate } from "./date.ts";
import { isSelf, RECORD_FLAGS } from "./directory-record.ts";
import type { DirectoryRecord } from "./directory-record.ts";
import type { RockRidge } from "./rock-ridge.ts";
import { readRecord } from "./volume.ts";
import type { IsoVolume } from "./volume.ts";
import { SECTOR_BYTES } from "./volume-descriptor.ts";

/** As Linux has it. A part is at most 4 GiB. */
const MAX_SECTIONS = 100;

const KINDS: Readonly<Record<number, FileKind>> = {
  0x1: "fifo",
  0x2: "char-device",
  0x4: "directory",
  0x6: "block-device",
  0x8: "file",
  0xa: "symlink",
  0xc: "socket",
};

/** A part of a file's or directory's contents: bytes of the volume. */
export type Section = { readonly offset: number; readonly length: number };

/** What the readers of contents need to know beyond `Inode`. */
export type InodeDetail = {
  readonly inode: Inode;
  readonly where: Where;
  /** One after the other they are the contents. */
  readonly sections: readonly Section[];
  /** The target of a symlink. */
  readonly link: string;
  /** Why the contents cannot be read, when they are stored in a form that is not known here. */
  readonly unreadable?: string;
};

/** The file or directory with that number, which may come from anywhere. */
export async function readInode(volume: IsoVolume, number: number): Promise<InodeDetail> {
  const where = within(volume.where, `record ${number}`);
  const record = await readRecord(volume.source, number, where);
  const rock = await readAttributes(volume, record, where);
  const directory = (record.flags & RECORD_FLAGS.directory) !== 0;
  if (directory !== isSelf(record)) {
    throw corrupt(
      where,
      directory ? "a record that leads to a directory" : "a file named .",
      '"."',
    );
  }
  const kind = kindOf({ record, rock, where });
  const sections = await readSections(volume, { number, record, where });
  const stored = record.interleaved ? { form: "interleaving of files" } : rock.stored;
  const contents = kind === "file" || kind === "directory" ? sections : [];
  const link = kind === "symlink" ? (rock.link ?? "") : "";
  const size = rock.stored?.size ?? contents.reduce((sum, { length }) => sum + length, 0);
  return {
    inode: {
      number,
      kind,
      mode: rock.mode === undefined ? 0o555 : rock.mode & 0xfff,
      size: kind === "symlink" ? Buffer.byteLength(link) : size,
      uid: rock.uid ?? 0,
      gid: rock.gid ?? 0,
      links: rock.links ?? 1,
      mtime: rock.mtime ?? parseShortDate(record.date),
      ...(kind.endsWith("device") ? { device: rock.device ?? { major: 0, minor: 0 } } : {}),
    },
    where,
    sections: contents,
    link,
    ...(stored ? { unreadable: stored.form } : {}),
  };
}

/** What a record in a directory is, and its number. `position` is that of the first record of a file. */
export function entryTarget(
  volume: IsoVolume,
  record: DirectoryRecord,
  { position, rock }: { position: number; rock: RockRidge },
): { number: number; kind: FileKind | undefined } {
  const extent = rock.childLocation ?? record.extent;
  if (rock.childLocation !== undefined || record.flags & RECORD_FLAGS.directory) {
    return { number: extent * volume.blockSizeBytes, kind: "directory" };
  }
  const kind = rock.mode === undefined ? "file" : KINDS[rock.mode >>> 12];
  return { number: position, kind };
}

type Found = { readonly record: DirectoryRecord; readonly rock: RockRidge; readonly where: Where };

function kindOf({ record, rock, where }: Found): FileKind {
  const directory = (record.flags & RECORD_FLAGS.directory) !== 0;
  if (rock.mode === undefined) return directory ? "directory" : "file";
  const kind = KINDS[rock.mode >>> 12];
  if (!kind || (kind === "directory") !== directory) {
    const found = `mode 0${rock.mode.toString(8)} of a ${directory ? "directory" : "file"}`;
    throw corrupt(where, found, "a mode that fits");
  }
  return kind;
}

/** The extents of a file: records that follow one another, each but the last with a flag (level 3 of ISO 9660). */
async function readSections(
  volume: IsoVolume,
  first: { number: number; record: DirectoryRecord; where: Where },
): Promise<Section[]> {
  const { where } = first;
  const { blockSizeBytes } = volume;
  const sections: Section[] = [];
  let { number: position, record } = first;
  for (;;) {
    // Below 2^33 blocks of 2^11 bytes.
    sections.push({ offset: record.extent * blockSizeBytes, length: record.size });
    if ((record.flags & RECORD_FLAGS.moreExtents) === 0) return sections;
    if (record.size % blockSizeBytes !== 0) {
      throw corrupt(where, `a part of ${record.size} bytes before another`, "whole blocks");
    }
    if (sections.length === MAX_SECTIONS) {
      throw overLimit(where, "the number of its extents", String(MAX_SECTIONS));
    }
    position = await nextRecord(volume, position + record.length, where);
    record = await readRecord(volume.source, position, where);
  }
}

/** Where the record is that follows the one that ends at `end`. */
async function nextRecord(volume: IsoVolume, end: number, where: Where): Promise<number> {
  if (end >= volume.source.size) throw corrupt(where, "the end of the volume", "another record");
  const [length] = await volume.source.read(end, 1);
  return length === 0 ? (Math.floor(end / SECTOR_BYTES) + 1) * SECTOR_BYTES : end;
}
