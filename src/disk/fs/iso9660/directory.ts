/**
 * Listing directories and finding names in them. Source: ECMA-119 section 6.8; Linux fs/isofs/dir.c (`do_isofs_readdir`),
 * fs/isofs/namei.c (`isofs_find_entry`).
 */
import { attempt, corrupt, FailureError, overLimit } from "../../../base/failure.ts";
import { MIB } from "../../../base/units.ts";
import { within } from "../../../base/where.ts";
import type { Entry } from "../filesystem.ts";
import { readAttributes, shownName } from "./attributes.ts";
import { isParent, isSelf, parseDirectoryRecord, RECORD_FLAGS } from "./directory-record.ts";
import type { DirectoryRecord } from "./directory-record.ts";
import { entryTarget } from "./inode.ts";
import type { InodeDetail } from "./inode.ts";
import { foldedJolietName } from "./name.ts";
import type { IsoVolume } from "./volume.ts";
import { SECTOR_BYTES } from "./volume-descriptor.ts";

/** About two million names. */
const MAX_DIRECTORY_BYTES = 256 * MIB;

/** Every entry except `.` and `..`, in on-disk order. Directories that were moved are where they belong. */
export async function* listDirectory(
  volume: IsoVolume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  for await (const entry of directoryEntries(volume, directory, signal)) {
    const { name } = entry;
    if (/[/\0]/.test(name))
      throw corrupt(directory.where, `the name ${JSON.stringify(name)}`, "a name");
    yield entry;
  }
}

/** The entry of that name. Only on Joliet's trees the case of ASCII letters does not count. */
export async function lookupName(
  volume: IsoVolume,
  directory: InodeDetail,
  name: string,
): Promise<Entry | undefined> {
  const same = volume.names === "joliet" ? foldedJolietName : (text: string) => text;
  const wanted = same(name);
  for await (const entry of directoryEntries(volume, directory)) {
    if (same(entry.name) === wanted) return entry;
  }
  return undefined;
}

type Placed = { readonly record: DirectoryRecord; readonly position: number };

async function* directoryEntries(
  volume: IsoVolume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<Entry> {
  let first: number | undefined;
  for await (const { record, position } of directoryRecords(volume, directory, signal)) {
    first ??= position;
    if (record.flags & RECORD_FLAGS.moreExtents) continue;
    const placed = { record, position: first };
    first = undefined;
    const hidden = isSelf(record) || isParent(record) || record.flags & RECORD_FLAGS.associated;
    const entry = hidden ? undefined : await readEntry(volume, directory, placed);
    if (entry) yield entry;
  }
}

/** `undefined` for what a listing does not show. */
async function readEntry(
  volume: IsoVolume,
  directory: InodeDetail,
  { record, position }: Placed,
): Promise<Entry | undefined> {
  const where = within(directory.where, `record ${position}`);
  const read = await attempt(() => readAttributes(volume, record, where));
  if (!read.ok && read.failure.kind === "io") throw new FailureError(read.failure);
  // As in Linux, damaged extensions cost a file its long name, and not the directory its other files.
  const rock = read.ok ? read.value : {};
  const name = shownName(volume, record, rock);
  // Linux takes a file of such a name for the directory itself.
  if (rock.relocated || name === "" || name === "." || name === "..") return undefined;
  const { number, kind } = entryTarget(volume, record, { position, rock });
  return kind && read.ok ? { name, number, kind } : { name, number };
}

/** All records, with their places. A length of 0 means that the next one is in the next sector. */
async function* directoryRecords(
  volume: IsoVolume,
  directory: InodeDetail,
  signal?: AbortSignal,
): AsyncGenerator<Placed> {
  const { inode, where, sections } = directory;
  if (inode.kind !== "directory") throw corrupt(where, inode.kind, "directory");
  if (inode.size > MAX_DIRECTORY_BYTES) {
    throw overLimit(where, "the size of a directory", "256 MiB");
  }
  volume.directories.claim(inode.number, bytesOnDevice(volume, directory));
  for (const { offset, length } of sections) {
    for (let done = 0; done < length; done += SECTOR_BYTES) {
      signal?.throwIfAborted();
      const size = Math.min(SECTOR_BYTES, length - done);
      const bytes = await volume.source.read(offset + done, size, signal);
      for (let at = 0; at < size && bytes[at] !== 0;) {
        const position = offset + done + at;
        const record = parseDirectoryRecord(
          bytes.subarray(at),
          within(where, `record ${position}`),
        );
        yield { record, position };
        at += record.length;
      }
    }
  }
}

/** What was cut off takes no time to read. */
function bytesOnDevice({ source }: IsoVolume, { sections }: InodeDetail): number {
  const present = sections.map(({ offset, length }) => Math.min(length, source.size - offset));
  return present.reduce((sum, length) => sum + Math.max(0, length), 0);
}
