/**
 * Superblocks of Linux software RAID (md): include/uapi/linux/raid/md_p.h. Version 1 is little endian and lies at the
 * end (1.0), at the start (1.1) or 4 KiB after it (1.2); version 0.90 lies near the end, in the byte order of the
 * machine that made it (big endian is not supported). Only what names the array is read here.
 */
import { corrupt, unsupported } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { u32le, u64le, uuid } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { uuidText } from "../../bytes/uuid.ts";
import type { Magic, Member, Prober } from "../content.ts";

const MD_SB_MAGIC = 0xa92b4efc;
const MAGIC_BYTES = Uint8Array.of(0xfc, 0x4e, 0x2b, 0xa9);

export const mdpSuperblock1 = struct("mdp_superblock_1", 256, {
  magic: [0, u32le],
  major_version: [4, u32le],
  set_uuid: [16, uuid],
  super_offset: [144, u64le],
  device_uuid: [168, uuid],
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
  set_uuid1: [52, u32le],
  set_uuid2: [56, u32le],
  set_uuid3: [60, u32le],
});

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

/** `bytes` has 4 KiB from where a superblock should be, at `offset` bytes into the device. */
export function parseMdSuperblock(
  bytes: Uint8Array,
  offset: number,
  where: Where,
): Member | undefined {
  const sb = mdpSuperblock1.read(bytes, 0, where);
  if (sb.magic !== MD_SB_MAGIC) return undefined;
  if (sb.major_version === 0) return parseVersion0(bytes, where);
  if (sb.major_version !== 1) throw unsupported(where, `md superblock version ${sb.major_version}`);
  // A disk that ends where a partition ends shows that partition's superblock, too: the offset tells whose it is.
  if (sb.super_offset * 512 !== offset) return undefined;
  if (sb.max_dev > MAX_DEVICES)
    throw corrupt(where, `${sb.max_dev} devices`, `at most ${MAX_DEVICES}`);
  const sum = version1Checksum(bytes.subarray(0, 256 + 2 * sb.max_dev));
  if (sum !== sb.sb_csum) throw corrupt(where, `checksum ${hex(sb.sb_csum, 8)}`, hex(sum, 8));
  return { system: "md", group: sb.set_uuid, id: sb.device_uuid };
}

function parseVersion0(bytes: Uint8Array, where: Where): Member {
  const sb = mdpSuper.read(bytes, 0, where);
  if (sb.minor_version < 90)
    throw unsupported(where, `md superblock version 0.${sb.minor_version}`);
  const words = [sb.set_uuid0, sb.set_uuid1, sb.set_uuid2, sb.set_uuid3];
  const id = new Uint8Array(16);
  const view = new DataView(id.buffer);
  for (const [at, word] of words.entries()) view.setUint32(at * 4, word, false);
  // A member of 0.90 has no id of its own, only a number.
  return { system: "md", group: uuidText(id), id: "" };
}

/** `calc_sb_1_csum`: the sum of all 32-bit words, the checksum's own as zero, folded into 32 bits. */
function version1Checksum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // At most 1024 words of 32 bits: exact.
  let sum = -view.getUint32(216, true);
  let at = 0;
  for (; at + 4 <= bytes.length; at += 4) sum += view.getUint32(at, true);
  if (at + 2 <= bytes.length) sum += view.getUint16(at, true);
  return ((sum % 0x1_0000_0000) + Math.floor(sum / 0x1_0000_0000)) >>> 0;
}

export const mdProber: Prober = {
  name: "md",
  magics: Object.values(superblockPlaces).map((offset): Magic => ({ offset, bytes: MAGIC_BYTES })),
  async probe(source, { signal }) {
    for (const [version, place] of Object.entries(superblockPlaces)) {
      const offset = place(source.size);
      if (offset < 0 || offset + SUPERBLOCK_BYTES > source.size) continue;
      const bytes = await source.read(offset, SUPERBLOCK_BYTES, signal);
      const member = parseMdSuperblock(bytes, offset, within(source.where, `md ${version}`));
      if (member) return { kind: "member", member };
    }
    return undefined;
  },
};
