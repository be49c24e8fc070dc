/**
 * Which filesystems pygrub's library reads (xen tools/libfsimage): ext2 to ext4 through libext2fs, FAT, ISO 9660, and
 * XFS as it was before 2013. Builds for other architectures than x86 may lack XFS; reiserfs, UFS and ZFS it reads
 * as well, but domus does not.
 */
import { attempt } from "../../base/failure.ts";
import type { Volume } from "../../disk/content.ts";
import type { ByteSource } from "../../disk/source.ts";

/** ext4's bigalloc: libext2fs asks for bitmaps of 64 bits then, and pygrub's library does not offer them. */
const RO_COMPAT_BIGALLOC = 0x0200;
/** XFS_SB_VERSION2_FTYPE in sb_features2. */
const XFS_FTYPE = 0x200;

/** Why pygrub cannot read it; empty where there is nothing to read, undefined when it can. */
export async function whyUnreadable(
  volume: Volume,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { content, source } = volume;
  switch (content.kind) {
    case "filesystem": {
      const found = await attempt(() => whyNotThis(content.fs.kind, source, signal));
      return found.ok ? found.value : `its ${content.fs.kind} filesystem cannot be read`;
    }
    case "member":
      return content.member.system === "lvm2"
        ? "part of an LVM2 volume group, which pygrub does not look into"
        : "part of an md array, which pygrub does not look into";
    case "named":
      return whyNotNamed(content.format, source, signal);
    case "swap":
    case "empty":
      return "";
    case "table":
      return "a partition table inside a partition, which pygrub does not look into";
    case "unknown":
      return "no filesystem that is known";
  }
}

/** What domus only knows by name, pygrub may be able to read. */
async function whyNotNamed(
  format: string,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<string> {
  const why = /xfs/i.test(format) ? await attempt(() => whyNotXfs(source, signal)) : undefined;
  if (why?.ok && why.value !== undefined) return why.value;
  return /reiserfs|ufs|zfs|xfs|fat|iso/i.test(format)
    ? `${format}, which pygrub may read, but domus does not`
    : `${format}, which pygrub does not read`;
}

async function whyNotThis(
  kind: string,
  source: ByteSource,
  signal?: AbortSignal,
): Promise<string | undefined> {
  if (/^ext[234]$/.test(kind)) {
    const roCompat = await source.read(1024 + 100, 4, signal);
    const bits = new DataView(roCompat.buffer, roCompat.byteOffset, 4).getUint32(0, true);
    return bits & RO_COMPAT_BIGALLOC
      ? `${kind} with bigalloc, which pygrub does not read`
      : undefined;
  }
  if (kind === "xfs") return whyNotXfs(source, signal);
  if (kind === "vfat" || kind === "msdos") {
    const sector = await source.read(11, 2, signal);
    const size = sector[0]! + 256 * sector[1]!;
    return size === 512
      ? undefined
      : `FAT with sectors of ${size} bytes, which pygrub does not read`;
  }
  return kind === "iso9660" ? undefined : `${kind}, which pygrub does not read`;
}

async function whyNotXfs(source: ByteSource, signal?: AbortSignal): Promise<string | undefined> {
  const superblock = await source.read(0, 208, signal);
  const view = new DataView(superblock.buffer, superblock.byteOffset, 208);
  const version = view.getUint16(100) & 0xf;
  if (version !== 4) {
    return `XFS of version ${version}; pygrub reads version 4 only, which mkfs.xfs has not made by itself since 2015`;
  }
  return view.getUint32(200) & XFS_FTYPE
    ? "XFS with file types in its directories (ftype=1), which pygrub does not read"
    : undefined;
}
