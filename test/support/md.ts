/**
 * Superblocks of Linux md, made byte by byte as include/uapi/linux/raid/md_p.h says: mdadm makes arrays only where the
 * kernel has md. Without anything from src/.
 */
export type MdMember = {
  readonly version: "0.90" | "1.0" | "1.1" | "1.2";
  /** Of the whole device, in bytes. */
  readonly size: number;
  readonly content: Uint8Array;
  /** 16 bytes of this value each. */
  readonly array?: number;
  readonly device?: number;
  readonly name?: string;
  readonly level?: number;
  readonly raidDisks?: number;
  readonly number?: number;
  readonly events?: number;
  /** By number; 0xffff is a spare, 0xfffe a member that failed. */
  readonly roles?: readonly number[];
  readonly features?: number;
  /** In bytes; for 1.0 always 0. */
  readonly dataOffset?: number;
};

/** A whole member device: superblock and content. */
export function mdMember(member: MdMember): Uint8Array {
  const bytes = new Uint8Array(member.size);
  const { offset, data } = places(member);
  bytes.set(member.content, data);
  bytes.set(member.version === "0.90" ? version0(member) : version1(member), offset);
  return bytes;
}

export function places(member: MdMember): { offset: number; data: number } {
  const sectors = Math.floor(member.size / 512);
  switch (member.version) {
    case "0.90":
      return { offset: (sectors - (sectors % 128) - 128) * 512, data: 0 };
    case "1.0":
      return { offset: (sectors - 16 - ((sectors - 16) % 8)) * 512, data: 0 };
    case "1.1":
      return { offset: 0, data: member.dataOffset ?? 8192 };
    case "1.2":
      return { offset: 4096, data: member.dataOffset ?? 8192 };
  }
}

function version1(member: MdMember): Uint8Array {
  const { offset, data } = places(member);
  const { number = 0, raidDisks = 2, roles = [0, 1] } = member;
  const sb = new Uint8Array(256 + 2 * roles.length);
  const view = new DataView(sb.buffer);
  view.setUint32(0, 0xa92b4efc, true);
  view.setUint32(4, 1, true);
  view.setUint32(8, member.features ?? 0, true);
  sb.fill(member.array ?? 0xaa, 16, 32);
  sb.set(Buffer.from(member.name ?? "debian:0"), 32);
  view.setInt32(72, member.level ?? 1, true);
  view.setBigUint64(80, BigInt(member.content.length / 512), true);
  view.setUint32(92, raidDisks, true);
  view.setBigUint64(128, BigInt(data / 512), true);
  view.setBigUint64(136, BigInt(member.content.length / 512), true);
  view.setBigUint64(144, BigInt(offset / 512), true);
  view.setUint32(160, number, true);
  sb.fill(member.device ?? 0xb0 + number, 168, 184);
  view.setBigUint64(200, BigInt(member.events ?? 10), true);
  view.setBigUint64(208, 0xffff_ffff_ffff_ffffn, true);
  view.setUint32(220, roles.length, true);
  for (const [device, role] of roles.entries()) view.setUint16(256 + 2 * device, role, true);
  view.setUint32(216, sum(sb), true);
  return sb;
}

function version0(member: MdMember): Uint8Array {
  const { number = 0, raidDisks = 2, roles = [0, 1], events = 10 } = member;
  const sb = new Uint8Array(4096);
  const view = new DataView(sb.buffer);
  const word = (at: number, value: number) => view.setUint32(at * 4, value >>> 0, true);
  const id = (member.array ?? 0xaa) * 0x01010101;
  word(0, 0xa92b4efc);
  word(2, 90);
  word(5, id);
  word(7, member.level ?? 1);
  word(8, member.content.length / 1024);
  word(9, roles.length);
  word(10, raidDisks);
  word(11, Number((member.name ?? "0").replace(/^.*:/, "")));
  for (const at of [13, 14, 15]) word(at, id);
  word(33, 1);
  word(34, roles.length);
  word(35, roles.length);
  word(39, events);
  for (const [device, role] of roles.entries()) disk(word, 128 + 32 * device, device, role);
  disk(word, 992, number, roles[number] ?? 0xffff);
  word(38, sum(sb));
  return sb;
}

function disk(
  word: (at: number, value: number) => void,
  at: number,
  number: number,
  role: number,
): void {
  word(at, number);
  word(at + 3, role < 0xff00 ? role : number);
  // Active and in sync; faulty; or nothing, a spare.
  word(at + 4, role < 0xff00 ? 6 : role === 0xfffe ? 1 : 0);
}

/** The sum of all 32-bit words, the checksum's own being zero still: high half added to the low half. */
export function sum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  let total = 0n;
  for (let at = 0; at + 4 <= bytes.length; at += 4) total += BigInt(view.getUint32(at, true));
  if (bytes.length % 4 === 2) total += BigInt(view.getUint16(bytes.length - 2, true));
  return Number(((total & 0xffffffffn) + (total >> 32n)) & 0xffffffffn);
}
