import { describe, expect, test } from "vitest";
import { compareKeys, ITEM, makeKey } from "../../../../../src/disk/fs/btrfs/key.ts";
import type { Key } from "../../../../../src/disk/fs/btrfs/key.ts";
import { overlayTree } from "../../../../../src/disk/fs/btrfs/log/overlay.ts";
import type { Item } from "../../../../../src/disk/fs/btrfs/tree-block.ts";
import type { ItemTree } from "../../../../../src/disk/fs/btrfs/tree.ts";
import { randomSource } from "../../../../support/mutate.ts";

const name = ({ objectid, type, offset }: Key) => `${objectid} ${type} ${offset}`;

/** A tree that is nothing but a list. */
function plainTree(items: Map<string, Item>): ItemTree {
  const sorted = () => [...items.values()].sort((a, b) => compareKeys(a.key, b.key));
  return {
    find: async (key) => items.get(name(key)),
    floor: async (key) =>
      sorted().findLast(
        (one) =>
          one.key.objectid === key.objectid &&
          one.key.type === key.type &&
          one.key.offset <= key.offset,
      ),
    async *between({ first, last }) {
      for (const item of sorted()) {
        if (compareKeys(item.key, first) >= 0 && compareKeys(item.key, last) <= 0) yield item;
      }
    },
  };
}

const itemOf = (key: Key, value: number): Item => ({ key, bytes: Uint8Array.of(value), where: [] });
const seen = (item: Item | undefined) => item && `${name(item.key)}: ${item.bytes[0]}`;

describe("overlayTree", () => {
  test("is the tree that the same changes would have made", async () => {
    const random = randomSource(3);
    const types = [ITEM.INODE_REF, ITEM.DIR_INDEX, ITEM.EXTENT_DATA];
    const anyKey = () =>
      makeKey(BigInt(256 + random(2)), types[random(types.length)]!, BigInt(random(12)));
    for (let round = 0; round < 60; round++) {
      const model = new Map<string, Item>();
      for (let i = 0; i < 25; i++) {
        const key = anyKey();
        model.set(name(key), itemOf(key, i));
      }
      const tree = overlayTree(plainTree(new Map(model)));
      const plain = plainTree(model);
      for (let i = 0; i < 40; i++) {
        const key = anyKey();
        if (random(2) === 0) {
          tree.put(key, Uint8Array.of(100 + i));
          model.set(name(key), itemOf(key, 100 + i));
        } else {
          tree.remove(key);
          model.delete(name(key));
        }
        const wanted = anyKey();
        expect(seen(await tree.find(wanted))).toBe(seen(await plain.find(wanted)));
        expect(seen(await tree.floor(wanted))).toBe(seen(await plain.floor(wanted)));
        const other = anyKey();
        const [first, last] = [wanted, { ...other, objectid: wanted.objectid }].sort(compareKeys);
        const range = { first: first!, last: last! };
        expect((await Array.fromAsync(tree.between(range))).map(seen)).toEqual(
          (await Array.fromAsync(plain.between(range))).map(seen),
        );
      }
    }
  });

  test("finds names by hash, which are in no order", async () => {
    const tree = overlayTree(plainTree(new Map()));
    for (const hash of [9n, 3n, 5n]) tree.put(makeKey(256n, ITEM.DIR_ITEM, hash), Uint8Array.of(1));
    tree.remove(makeKey(256n, ITEM.DIR_ITEM, 3n));
    expect(await tree.find(makeKey(256n, ITEM.DIR_ITEM, 5n))).toBeDefined();
    expect(await tree.find(makeKey(256n, ITEM.DIR_ITEM, 3n))).toBeUndefined();
  });
});
