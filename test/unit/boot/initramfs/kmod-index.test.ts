import { expect, test } from "vitest";
import { parseKmodIndex } from "../../../../src/boot/initramfs/kmod-index.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { kmodIndex } from "../../../support/kmod-index.ts";

const NAMES = ["xen_blkfront", "xen_netfront", "ext4", "ext2", "jbd2", "x", "btrfs"];

test("the keys of a trie", () => {
  expect(parseKmodIndex(kmodIndex(NAMES), []).toSorted()).toEqual(NAMES.toSorted());
  expect(parseKmodIndex(kmodIndex([]), [])).toEqual([]);
});

test("prefixes add up", () => {
  const index = Buffer.alloc(40);
  index.set(kmodIndex([]).subarray(0, 8));
  // Root: prefix "xen" and one child "_", which has the prefix "net" and a value.
  index.writeUInt32BE(0xa000000c, 8);
  index.set(Buffer.from("xen\0__"), 12);
  index.writeUInt32BE(0xc0000016, 18);
  index.set(Buffer.from("net\0"), 22);
  index.writeUInt32BE(1, 26);
  expect(parseKmodIndex(index, [])).toEqual(["xen_net"]);
});

test("loops, foreign files and other versions are failures", () => {
  const index = kmodIndex(NAMES);
  const loop = Buffer.from(index);
  // The root with one child: itself.
  loop.writeUInt32BE(0x2000000c, 8);
  loop.set([0x61, 0x61], 12);
  loop.writeUInt32BE(0x2000000c, 14);
  expect(() => parseKmodIndex(loop, [])).toThrow("a key of more than");
  expect(() => parseKmodIndex(Buffer.from("x".repeat(20)), [])).toThrow("magic");
  expect(() => parseKmodIndex(index.subarray(0, 5), [])).toThrow("kmod_index");
  const newer = Buffer.from(index);
  newer.writeUInt32BE(0x00030000, 4);
  expect(() => parseKmodIndex(newer, [])).toThrow("not supported");
});

test("damage gives names or a failure", async () => {
  await survivesMutation([kmodIndex(NAMES)], (bytes) => parseKmodIndex(bytes, []), { count: 2000 });
});
