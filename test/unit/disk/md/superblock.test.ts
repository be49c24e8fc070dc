import { describe, expect, test } from "vitest";
import { mdProber, parseMdSuperblock } from "../../../../src/disk/md/superblock.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { mdMember, places, sum } from "../../../support/md.ts";
import type { MdMember } from "../../../support/md.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const SIZE = 1_000_000;
const CONTENT = new Uint8Array(512 * 1024);

const member = (version: MdMember["version"], more: Partial<MdMember> = {}): MdMember => ({
  version,
  size: SIZE,
  content: CONTENT,
  roles: [0, 1, 0xffff],
  ...more,
});

const probe = (bytes: Uint8Array) => mdProber.probe(memorySource(bytes, ["xvda"]), {});
const MEMBER = {
  system: "md",
  group: "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa",
  id: "b0b0b0b0-b0b0-b0b0-b0b0-b0b0b0b0b0b0",
};

/** The superblock's bytes, and the place where they were. */
function superblock(of: MdMember): [Uint8Array, number] {
  const { offset } = places(of);
  return [mdMember(of).slice(offset, offset + 4096), offset];
}

/** Changes a version 1 superblock and makes its checksum right again. */
function edited(edit: (fields: DataView) => void): Uint8Array {
  const [sb] = superblock(member("1.1"));
  const view = new DataView(sb.buffer);
  edit(view);
  view.setUint32(216, 0, true);
  const roles = Math.min(view.getUint32(220, true), 1900);
  view.setUint32(216, sum(sb.subarray(0, 256 + 2 * roles)), true);
  return sb;
}

describe("an md superblock", () => {
  test.each(["1.0", "1.1", "1.2"] as const)("of version %s", async (version) => {
    expect(await probe(mdMember(member(version)))).toEqual({ kind: "member", member: MEMBER });
    const [sb, offset] = superblock(member(version));
    expect(parseMdSuperblock(sb, offset, [])).toEqual({
      version,
      arrayId: MEMBER.group,
      deviceId: MEMBER.id,
      name: "debian:0",
      level: 1,
      raidDisks: 2,
      events: 10n,
      dataOffsetBytes: version === "1.0" ? 0 : 8192,
      componentBytes: CONTENT.length,
      number: 0,
      roles: [0, 1, undefined],
      inSync: true,
    });
  });

  test("of version 0.90", async () => {
    const words = mdMember(member("0.90", { name: "3", number: 1, array: 0x11 }));
    expect(await probe(words)).toEqual({
      kind: "member",
      member: { system: "md", group: "11111111-1111-1111-1111-111111111111", id: "" },
    });
    const [sb, offset] = superblock(member("0.90", { name: "3", number: 1, roles: [0xfffe, 1] }));
    expect(parseMdSuperblock(sb, offset, [])).toMatchObject({
      version: "0.90",
      name: "",
      minor: 3,
      level: 1,
      raidDisks: 2,
      events: 10n,
      dataOffsetBytes: 0,
      componentBytes: CONTENT.length,
      number: 1,
    });
    expect(parseMdSuperblock(sb, offset, [])?.roles.slice(0, 3)).toEqual([undefined, 1, undefined]);
  });

  test("the four words of a 0.90 array's uuid are in the order in which mdadm prints them", () => {
    const [sb, offset] = superblock(member("0.90"));
    const view = new DataView(sb.buffer);
    for (const [word, value] of [
      [5, 0x11223344],
      [13, 0x55667788],
      [14, 0x99aabbcc],
      [15, 0xddeeff00],
      [38, 0],
    ] as const)
      view.setUint32(word * 4, value, true);
    view.setUint32(152, sum(sb), true);
    const id = parseMdSuperblock(sb, offset, [])?.arrayId;
    expect(id).toBe("11223344-5566-7788-99aa-bbccddeeff00");
  });

  test("that belongs elsewhere is not this device's", async () => {
    const [sb] = superblock(member("1.2"));
    const bytes = new Uint8Array(SIZE);
    bytes.set(sb);
    expect(await probe(bytes)).toBe(undefined);
  });

  test("with a wrong checksum, too many devices, unknown features or version is a failure", async () => {
    const damaged = mdMember(member("1.1"));
    damaged[100] = 1;
    await expect(probe(damaged)).rejects.toThrow("checksum");
    const old = mdMember(member("0.90"));
    old[places(member("0.90")).offset + 40] = 7;
    await expect(probe(old)).rejects.toThrow("checksum");
    const many = edited((fields) => fields.setUint32(220, 0xffffffff, true));
    expect(() => parseMdSuperblock(many, 0, [])).toThrow("4294967295 devices");
    const newer = edited((fields) => fields.setUint32(4, 2, true));
    expect(() => parseMdSuperblock(newer, 0, [])).toThrow("not supported");
    const features = edited((fields) => fields.setUint32(8, 0x8000_0000, true));
    expect(() => parseMdSuperblock(features, 0, [])).toThrow("md features 0x80000000");
  });

  test("of a member that is being filled", () => {
    const filling = edited((fields) => fields.setUint32(8, 2, true));
    expect(parseMdSuperblock(filling, 0, [])).toMatchObject({ inSync: false });
  });

  test("damaged", async () => {
    const [sb] = superblock(member("1.1"));
    await survivesMutation([sb.slice(0, 262)], (bytes) => {
      const mutated = edited(() => {});
      mutated.set(bytes.subarray(0, 262));
      const view = new DataView(mutated.buffer);
      view.setUint32(216, 0, true);
      const roles = Math.min(view.getUint32(220, true), 1900);
      view.setUint32(216, sum(mutated.subarray(0, 256 + 2 * roles)), true);
      return parseMdSuperblock(mutated, 0, []);
    });
    const [sb0, offset0] = superblock(member("0.90"));
    await survivesMutation([sb0], (bytes) => {
      const mutated = new Uint8Array(4096);
      mutated.set(bytes.subarray(0, 4096));
      new DataView(mutated.buffer).setUint32(152, 0, true);
      new DataView(mutated.buffer).setUint32(152, sum(mutated), true);
      return parseMdSuperblock(mutated, offset0, []);
    });
  });
});
