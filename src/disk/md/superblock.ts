/**
 * Superblocks of Linux software RAID (md): include/uapi/linux/raid/md_p.h. Version 1 is little endian and lies at the
 * end (1.0), at the start (1.1) or 4 KiB after it (1.2); version 0.90 lies near the end, in the byte order of the
 * machine that made it (big endian is not supported).
 */
import { corrupt, unsupported } from "../../base/failure.ts";
import { hex, KIB } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { bytesField, i32le, u16le, u32le, u64le, u64leRaw, uuid } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import type { Read } from "../../bytes/struct.ts";
import { decodeCString } from "../../bytes/text.ts";
import { uuidText } from "../../bytes/uuid.ts";
import type { Magic, Prober } from "../content.ts";
import type { ByteSource } from "../source.ts";

const MD_SB_MAGIC = 0xa92b4efc;
const MAGIC_BYTES = Uint8Array.of(0xfc, 0x4e, 0x2b, 0xa9);
const SECTOR_BYTES = 512;

export const mdpSuperblock1 = struct("mdp_superblock_1", 256, {
  magic: [0, u32le],
  major_version: [4, u32le],
  feature_map: [8, u32le],
  set_uuid: [16, uuid],
  set_name: [32, bytesField(32)],
  level: [72, i32le],
  size: [80, u64le],
  raid_disks: [92, u32le],
  data_offset: [128, u64le],
  data_size: [136, u64le],
  super_offset: [144, u64le],
  dev_number: [160, u32le],
  device_uuid: [168, uuid],
  events: [200, u64leRaw],
  sb_csum: [216, u32le],
  max_dev: [220, u32le],
});

/** `dev_roles` follows the superblock; a version 1 superblock fills 4 KiB at most. */
const SUPERBLOCK_BYTES = 4096;
const MAX_DEVICES = (SUPERBLOCK_BYTES - 256) / 2;

/** `mdp_super_t` of version 0.90: words. The array's uuid is in word 5 and words 13 to 15. */
export const mdpSuper = struct("mdp_super_t", 4096, {
  md_magic: [0, u32le],
  major_version: [4, u32le],
  minor_version: [8, u32le],
  set_uuid0: [20, u32le],
  level: [28, i32le],
  size: [32, u32le],
  raid_disks: [40, u32le],
  md_minor: [44, u32le],
  set_uuid1: [52, u32le],
  set_uuid2: [56, u32le],
  set_uuid3: [60, u32le],
  sb_csum: [152, u32le],
  events: [156, u64leRaw],
});

/** `mdp_disk_t`, 128 bytes each: 27 from word 128 on, then that of the device itself. */
export const mdpDisk = struct("mdp_disk_t", 128, {
  number: [0, u32le],
  raid_disk: [12, u32le],
  state: [16, u32le],
});
const DISKS_OFFSET = 512;
const MD_SB_DISKS = 27;
const THIS_DISK_OFFSET = 3968;

const MD_FEATURE_RECOVERY_OFFSET = 0x2;
const MD_FEATURE_REPLACEMENT = 0x10;
/** MD_FEATURE_ALL of Linux 6.12; md does not start an array with others. */
const KNOWN_FEATURES = 0x1fff;
/** `dev_roles`: above it are spare, faulty and journal. */
const MAX_ROLE = 0xff00;
const MD_DISK_FAULTY = 0x1;
const MD_DISK_ACTIVE = 0x2;
const MD_DISK_SYNC = 0x4;

/** What one member says of itself and its array. */
export type MdSuperblock = {
  readonly version: MdVersion;
  readonly arrayId: string;
  /** The member's own id; empty in version 0.90. */
  readonly deviceId: string;
  /** As given to `mdadm --name`, mostly with a host before it: `debian:0`. Version 0.90 has none. */
  readonly name: string;
  /** Version 0.90: the number of the device, 0 for /dev/md0. */
  readonly minor?: number;
  /** 1 for RAID1; -1 for linear. */
  readonly level: number;
  readonly raidDisks: number;
  /** Goes up with every change; a member that lags behind has missed writes. */
  readonly events: bigint;
  readonly dataOffsetBytes: number;
  /** What the array uses of each member; 0 where members differ (raid0, linear). */
  readonly componentBytes: number;
  /** The member's number in `roles`. */
  readonly number: number;
  /** By number, which place in the array a member has; `undefined` for spares and those that failed. */
  readonly roles: readonly (number | undefined)[];
  /** False while the member is being filled. */
  readonly inSync: boolean;
};

export type MdVersion = keyof typeof superblockPlaces;

/** Where each version keeps its superblock, in bytes (`super_*_load` in drivers/md/md.c). Below 0: no room. */
export const superblockPlaces = {
  "1.1": () => 0,
  "1.2": () => 4096,
  "1.0": (sizeBytes: number) => {
    const sectors = Math.floor(sizeBytes / 512) - 16;
    return (sectors - (sectors % 8)) * 512;
  },
  "0.90": (sizeBytes: number) => sizeBytes - (sizeBytes % 65536) - 65536,
} as const;

/** `bytes` has 4 KiB from where a superblock of that version should be, at `offset` bytes into the device. */
export function parseMdSuperblock(
  bytes: Uint8Array,
  offset: number,
  where: Where,
): MdSuperblock | undefined {
  const sb = mdpSuperblock1.read(bytes, 0, where);
  if (sb.magic !== MD_SB_MAGIC) return undefined;
  if (sb.major_version === 0) return parseVersion0(bytes, where);
  if (sb.major_version !== 1) throw unsupported(where, `md superblock version ${sb.major_version}`);
  // A disk that ends where a partition ends shows that partition's superblock, too: the offset tells whose it is.
  if (sb.super_offset * SECTOR_BYTES !== offset) return undefined;
  if (sb.max_dev > MAX_DEVICES)
    throw corrupt(where, `${sb.max_dev} devices`, `at most ${MAX_DEVICES}`);
  const used = bytes.subarray(0, 256 + 2 * sb.max_dev);
  const sum = checksum(used, 216);
  if (sum !== sb.sb_csum) throw corrupt(where, `checksum ${hex(sb.sb_csum, 8)}`, hex(sum, 8));
  return version1(sb, used, { offset, where });
}

function version1(
  sb: Read<typeof mdpSuperblock1>,
  bytes: Uint8Array,
  { offset, where }: { offset: number; where: Where },
): MdSuperblock {
  const unknown = sb.feature_map & ~KNOWN_FEATURES;
  if (unknown !== 0) throw unsupported(where, `md features ${hex(unknown >>> 0)}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const roles = Array.from({ length: sb.max_dev }, (_, device) => {
    const role = u16le.get(view, 256 + 2 * device);
    return role < MAX_ROLE ? role : undefined;
  });
  const filling = MD_FEATURE_RECOVERY_OFFSET | MD_FEATURE_REPLACEMENT;
  return {
    version: offset === 0 ? "1.1" : offset === 4096 ? "1.2" : "1.0",
    arrayId: sb.set_uuid,
    deviceId: sb.device_uuid,
    name: decodeCString(sb.set_name),
    level: sb.level,
    raidDisks: sb.raid_disks,
    events: sb.events,
    dataOffsetBytes: sb.data_offset * SECTOR_BYTES,
    componentBytes: sb.size * SECTOR_BYTES,
    number: sb.dev_number,
    roles,
    inSync: (sb.feature_map & filling) === 0,
  };
}

function parseVersion0(bytes: Uint8Array, where: Where): MdSuperblock {
  const sb = mdpSuper.read(bytes, 0, where);
  if (sb.minor_version < 90)
    throw unsupported(where, `md superblock version 0.${sb.minor_version}`);
  const sum = checksum(bytes.subarray(0, SUPERBLOCK_BYTES), 152);
  if (sum !== sb.sb_csum) throw corrupt(where, `checksum ${hex(sb.sb_csum, 8)}`, hex(sum, 8));
  const roles: (number | undefined)[] = [];
  for (let device = 0; device < MD_SB_DISKS; device++) {
    const disk = mdpDisk.read(bytes, DISKS_OFFSET + device * mdpDisk.size, where);
    const works = MD_DISK_ACTIVE | MD_DISK_SYNC;
    const isActive = (disk.state & (works | MD_DISK_FAULTY)) === works;
    roles.push(isActive ? disk.raid_disk : undefined);
  }
  const words = [sb.set_uuid0, sb.set_uuid1, sb.set_uuid2, sb.set_uuid3];
  const id = new Uint8Array(16);
  const view = new DataView(id.buffer);
  for (const [at, word] of words.entries()) view.setUint32(at * 4, word, false);
  return {
    version: "0.90",
    arrayId: uuidText(id),
    deviceId: "",
    name: "",
    minor: sb.md_minor,
    level: sb.level,
    raidDisks: sb.raid_disks,
    events: sb.events,
    dataOffsetBytes: 0,
    componentBytes: sb.size * KIB,
    number: mdpDisk.read(bytes, THIS_DISK_OFFSET, where).number,
    roles,
    inSync: true,
  };
}

/** `calc_sb_1_csum`, `calc_sb_csum`: the sum of all 32-bit words, the one at `own` as zero, folded into 32 bits. */
function checksum(bytes: Uint8Array, own: number): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // At most 1024 words of 32 bits: exact.
  let sum = -view.getUint32(own, true);
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) sum += view.getUint32(at, true);
  if (at + 2 <= bytes.length) sum += view.getUint16(at, true);
  return ((sum % 0x1_0000_0000) + Math.floor(sum / 0x1_0000_0000)) >>> 0;
}

/** The superblock in one of the four places; `undefined` when there is none that belongs to this device. */
export async function readMdSuperblock(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<MdSuperblock | undefined> {
  for (const [version, place] of Object.entries(superblockPlaces)) {
    const offset = place(source.size);
    if (offset < 0 || offset + SUPERBLOCK_BYTES > source.size) continue;
    const bytes = await source.read(offset, SUPERBLOCK_BYTES, signal);
    const found = parseMdSuperblock(bytes, offset, within(source.where, `md ${version}`));
    if (found) return found;
  }
  return undefined;
}

export const mdProber: Prober = {
  name: "md",
  magics: Object.values(superblockPlaces).map((offset): Magic => ({ offset, bytes: MAGIC_BYTES })),
  async probe(source, { signal }) {
    const sb = await readMdSuperblock(source, signal);
    return sb && { kind: "member", member: { system: "md", group: sb.arrayId, id: sb.deviceId } };
  },
};
