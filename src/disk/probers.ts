/**
 * The one list of all formats: another format is one more folder and one more line here. The first that says yes wins,
 * so the order settles what looks like two things at once:
 *
 * - ISO 9660 before the tables: hybrid images have a partition table as well, which tree.ts then asks for.
 * - Tables with partitions before filesystems: mkfs erases a table that was there, but sfdisk leaves the superblock of
 *   a filesystem behind the MBR. A boot sector that looks like an MBR is told apart by `isSaneLayout`.
 * - Tables before md: a version 0.90 superblock in the last partition seems to belong to the whole disk, too.
 * - md before filesystems: a RAID1 member begins like the filesystem on the array.
 * - An MBR without partitions last: a boot sector can have that shape.
 */
import type { Prober } from "./content.ts";
import { btrfsProber } from "./fs/btrfs/prober.ts";
import { ext4Prober } from "./fs/ext4/prober.ts";
import { fatProber } from "./fs/fat/prober.ts";
import { iso9660Prober } from "./fs/iso9660/prober.ts";
import { xfsProber } from "./fs/xfs/prober.ts";
import { lvm2Prober } from "./lvm/label.ts";
import { mdProber } from "./md/superblock.ts";
import * as named from "./named/formats.ts";
import { namedProber } from "./named/prober.ts";
import { swapProber } from "./swap/swap.ts";
import { emptyMbrProber, gptProber, mbrProber } from "./table/prober.ts";

export const probers: readonly Prober[] = [
  iso9660Prober,
  gptProber,
  mbrProber,
  mdProber,
  lvm2Prober,
  namedProber(named.luks1),
  namedProber(named.luks2),
  namedProber(named.bcache),
  ext4Prober,
  xfsProber,
  btrfsProber,
  namedProber(named.f2fs),
  namedProber(named.erofs),
  namedProber(named.squashfs),
  namedProber(named.zfs),
  swapProber,
  namedProber(named.ntfs),
  namedProber(named.exfat),
  fatProber,
  emptyMbrProber,
];
