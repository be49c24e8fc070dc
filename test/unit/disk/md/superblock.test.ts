import { describe, expect, test } from "vitest";
import { mdProber, parseMdSuperblock } from "../../../../src/disk/md/superblock.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const SIZE = 1_000_000;

/** As `calc_sb_1_csum` of drivers/md/md.c says: 64-bit sum of 32-bit words, high half added to the low half. */
function checksum(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(216, 0, true);
  let sum = 0n;
  for (let at = 0; at + 4 <= bytes.length; at += 4) sum += BigInt(view.getUint32(at, true));
  if (bytes.length % 4 === 2) sum += BigInt(view.getUint16(bytes.length - 2, true));
  return Number(((sum & 0xffffffffn) + (sum >> 32n)) & 0xffffffffn);
}

function version1(offset: number, maxDevices = 3): Uint8Array {
  const sb = new Uint8Array(4096);
  const view = new DataView(sb.buffer);
  view.setUint32(0, 0xa92b4efc, true);
  view.setUint32(4, 1, true);
  sb.fill(0xaa, 16, 32);
  view.setBigUint64(64, 0xffffffffffffffffn, true);
  view.setBigUint64(144, BigInt(offset / 512), true);
  sb.fill(0xbb, 168, 184);
  view.setUint32(220, maxDevices, true);
  sb.fill(0xff, 256, 256 + 2 * maxDevices);
  view.setUint32(216, checksum(sb.subarray(0, 256 + 2 * maxDevices)), true);
  return sb;
}

function device(sb: Uint8Array, offset: number): Uint8Array {
  const bytes = new Uint8Array(SIZE);
  bytes.set(sb, offset);
  return bytes;
}

const probe = (bytes: Uint8Array) => mdProber.probe(memorySource(bytes, ["xvda"]), {});
const MEMBER = {
  system: "md",
  group: "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
  id: "bbbbbbbb-bbbb-bbbb-bbbb-bbbbbbbbbbbb",
};

describe("an md superblock", () => {
  // 1,000,000 bytes are 1953 sectors; 16 less, rounded down to 8, is sector 1936.
  test.each([
    ["1.0", 1936 * 512],
    ["1.1", 0],
    ["1.2", 4096],
  ])("of version %s, at byte %i", async (_version, offset) => {
    const content = await probe(device(version1(offset), offset));
    expect(content).toEqual({ kind: "member", member: MEMBER });
  });

  test("of version 0.90: 64 KiB from the end, rounded", async () => {
    const sb = new Uint8Array(4096);
    const view = new DataView(sb.buffer);
    for (const [word, value] of [
      [0, 0xa92b4efc],
      [2, 90],
      [5, 0x11223344],
      [13, 0x55667788],
      [14, 0x99aabbcc],
      [15, 0xddeeff00],
    ] as const)
      view.setUint32(word * 4, value, true);
    const offset = 983_040 - 65_536;
    expect(await probe(device(sb, offset))).toEqual({
      kind: "member",
      member: { system: "md", group: "11223344-5566-7788-99aa-bbccddeeff00", id: "" },
    });
  });

  test("that belongs elsewhere is not this device's", async () => {
    expect(await probe(device(version1(4096), 0))).toBe(undefined);
  });

  test("with a wrong checksum, too many devices, or of an unknown version is a failure", async () => {
    const damaged = version1(0);
    damaged[100] = 1;
    await expect(probe(device(damaged, 0))).rejects.toThrow("checksum");
    const many = version1(0);
    new DataView(many.buffer).setUint32(220, 0xffffffff, true);
    await expect(probe(device(many, 0))).rejects.toThrow("4294967295 devices");
    const newer = version1(0);
    newer[4] = 2;
    await expect(probe(device(newer, 0))).rejects.toThrow("not supported");
  });

  test("damaged", async () => {
    await survivesMutation([version1(0).slice(0, 262)], (bytes) => {
      const sb = new Uint8Array(4096);
      sb.set(bytes.subarray(0, 262));
      return parseMdSuperblock(sb, 0, []);
    });
  });
});
