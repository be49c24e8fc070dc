import { describe, expect, test } from "vitest";
import { differingBlocks, findMappingSince } from "../../../../src/disk/dm/thin-changes.ts";
import {
  parseMapping,
  readThinMetadata,
  readThinVolume,
} from "../../../../src/disk/dm/thin-metadata.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../src/disk/source.ts";
import { EMPTY, insert, mapping, PoolWriter, remove } from "../../../support/dm.ts";
import type { Node, PoolBytes } from "../../../support/dm.ts";
import { mutate, randomSource, survivesMutation } from "../../../support/mutate.ts";

const source = (bytes: Uint8Array) => memorySource(bytes, ["tmeta"]);

async function differences(pool: ByteSource, left = 1, right = 2): Promise<number[]> {
  const thin = await readThinMetadata(pool);
  const a = await readThinVolume(thin, left);
  const b = await readThinVolume(thin, right);
  const found: number[] = [];
  for await (const piece of differingBlocks(a.mappings, b.mappings)) found.push(...piece);
  return found;
}

const poolOf = (left: Node, right: Node, more: Partial<PoolBytes> = {}) =>
  new PoolWriter({
    volumes: [
      { thinId: 1, mappings: left, mappedBlocks: 7, creationTime: 3 },
      { thinId: 2, mappings: right },
    ],
    ...more,
  });

function mapOf(entries: Iterable<readonly [number, bigint]>, fanout = 252): Node {
  let root = EMPTY;
  for (const [key, value] of entries) root = insert(root, key, value, fanout);
  return root;
}

const range = (count: number, time = 0) =>
  Array.from({ length: count }, (_, at) => [at, mapping(at + 1000, time)] as const);

describe("the metadata of a thin pool", () => {
  test("has volumes with their maps", async () => {
    const pool = poolOf(mapOf(range(600)), EMPTY, { dataBlockSectors: 256 });
    const thin = await readThinMetadata(source(pool.bytes));
    expect(thin.dataBlockBytes).toBe(131_072);
    expect(await readThinVolume(thin, 1)).toMatchObject({ mappedBlocks: 7, creationTime: 3 });
    await expect(readThinVolume(thin, 3)).rejects.toThrow("thin volume 3: no such volume");
    await expect(readThinVolume(thin, 0)).rejects.toThrow("thin volume 0: no such volume");
  });

  test("a mapping is 40 bits of block and 24 of time", () => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, mapping(2 ** 40 - 3, 0xfffffe), true);
    expect(parseMapping(view)).toEqual({ dataBlock: 2 ** 40 - 3, time: 0xfffffe });
  });

  test("is read from the metadata snapshot only, unless nobody uses the pool", async () => {
    const pool = source(poolOf(mapOf(range(3)), EMPTY, { held: false }).bytes);
    await expect(readThinMetadata(pool)).rejects.toThrow("no metadata snapshot");
    const thin = await readThinMetadata(pool, { snapshot: false });
    expect((await readThinVolume(thin, 2)).mappedBlocks).toBe(0);
  });

  test("that this reader does not know is refused", async () => {
    const read = (edit: (view: DataView) => void) =>
      readThinMetadata(source(poolOf(EMPTY, EMPTY, { edit }).bytes));
    await expect(read((view) => view.setUint32(32, 5, true))).rejects.toThrow("magic 5");
    await expect(read((view) => view.setUint32(40, 1, true))).rejects.toThrow("version 1");
    await expect(read((view) => view.setUint32(360, 4, true))).rejects.toThrow("feature 0x4");
    await expect(read((view) => view.setUint32(336, 100, true))).rejects.toThrow("100 sectors");
    await expect(read((view) => view.setUint32(336, 0, true))).rejects.toThrow("0 sectors");
    await expect(read((view) => view.setUint32(340, 16, true))).rejects.toThrow("of 16 sectors");
  });

  test("with a wrong checksum or in a wrong place is corrupt", async () => {
    const pool = poolOf(mapOf(range(3)), EMPTY);
    const flipped = pool.bytes.slice();
    flipped[2000]! ^= 1;
    await expect(readThinMetadata(source(flipped))).rejects.toThrow(
      "superblock in block 0: found checksum",
    );
    const node = pool.place(EMPTY);
    pool.view(node).setUint32(8, 77, true);
    pool.seal(node);
    await expect(differences(source(pool.bytes))).rejects.toThrow(
      `found block 77, expected block ${node}`,
    );
  });
});

describe("what two maps differ in", () => {
  test("is what was written, discarded, or never mapped in one of them", async () => {
    const base = mapOf(range(2000));
    let other = insert(base, 1234, mapping(5000, 1));
    other = insert(other, 3000, mapping(5001, 1));
    other = remove(other, 0);
    const pool = source(poolOf(base, other).bytes);
    expect(await differences(pool)).toEqual([0, 1234, 3000]);
    expect(await differences(pool, 2, 1)).toEqual([0, 1234, 3000]);
    expect(await differences(pool, 1, 1)).toEqual([]);
  });

  test("is not when a block was written: the data block counts", async () => {
    const pool = source(poolOf(mapOf(range(3, 1)), mapOf(range(3, 2))).bytes);
    expect(await differences(pool)).toEqual([]);
  });

  test("of an empty map is all that the other has", async () => {
    const pool = source(poolOf(EMPTY, mapOf(range(700))).bytes);
    expect(await differences(pool)).toEqual(range(700).map(([key]) => key));
    expect(await differences(pool, 2, 1)).toHaveLength(700);
  });

  /** How many nodes are read to find these differences between `left` and `right`. */
  async function nodesRead(left: Node, right: Node, expected: readonly number[]): Promise<number> {
    const inner = source(poolOf(left, right).bytes);
    let count = 0;
    const counting: ByteSource = {
      ...inner,
      read: (offset, length) => {
        count += 1;
        return inner.read(offset, length);
      },
    };
    expect(await differences(counting)).toEqual(expected);
    return count;
  }

  test("is found without opening what both share", async () => {
    const base = mapOf(range(20_000));
    const other = insert(base, 9_999, mapping(77_777, 1));
    // Of some 160 leaves each volume has one of its own.
    expect(await nodesRead(base, other, [9_999])).toBeLessThan(24);
  });

  test("is found so, too, when one of them has grown by a level", async () => {
    const small = mapOf(range(1200), 6);
    const added = Array.from({ length: 900 }, (_, at) => at + 1200);
    const large = added.reduce((root, key) => insert(root, key, mapping(key, 1), 6), small);
    const levels = (node: Node): number => (node.leaf ? 1 : 1 + levels(node.children[0]!));
    expect(levels(large)).toBe(levels(small) + 1);
    // Of each about 400 nodes; those of the second that are new, and the path to them in the first.
    expect(await nodesRead(small, large, added)).toBeLessThan(500);
    expect(await nodesRead(large, small, added)).toBeLessThan(500);
  });

  test("is what comparing every block would find, whatever was written, discarded and snapshotted", async () => {
    const random = randomSource(11);
    for (let round = 0; round < 60; round++) {
      const fanout = 3 + random(6);
      const span = 1 + random(300);
      const known = new Map<number, bigint>();
      let base = EMPTY;
      let next = 1;
      for (let i = random(200); i > 0; i--) {
        const key = random(span);
        known.set(key, mapping(next, 0));
        base = insert(base, key, mapping(next++, 0), fanout);
      }
      const sides = [0, 1].map(() => {
        const own = new Map(known);
        let root = base;
        for (let i = random(30); i > 0; i--) {
          const key = random(span);
          if (random(3) === 0) {
            own.delete(key);
            root = remove(root, key);
          } else {
            own.set(key, mapping(next, 1));
            root = insert(root, key, mapping(next++, 1), fanout);
          }
        }
        return { own, root };
      });
      const pool = source(poolOf(sides[0]!.root, sides[1]!.root).bytes);
      const expected = Array.from({ length: span }, (_, key) => key).filter(
        (key) => sides[0]!.own.get(key) !== sides[1]!.own.get(key),
      );
      expect(await differences(pool), `round ${round}`).toEqual(expected);
    }
  });
});

describe("writes to a snapshot since it was made", () => {
  test("show as mappings that are as young as it", async () => {
    const old = mapOf(range(5000, 2));
    const pool = poolOf(old, insert(old, 4321, mapping(9, 3)));
    const thin = await readThinMetadata(source(pool.bytes));
    const [first, second] = [await readThinVolume(thin, 1), await readThinVolume(thin, 2)];
    expect(await findMappingSince(first.mappings, 3)).toBe(undefined);
    expect(await findMappingSince(first.mappings, 2)).toBe(0);
    expect(await findMappingSince(second.mappings, 3)).toBe(4321);
  });
});

describe("hostile metadata", () => {
  /** Two small volumes that share nodes, of three levels. */
  function small() {
    const base = mapOf(range(60), 4);
    return poolOf(base, insert(base, 30, mapping(9, 1), 4), { metadataBlocks: 80 });
  }

  async function readAll(bytes: Uint8Array): Promise<void> {
    const pool = source(bytes);
    await differences(pool);
    const thin = await readThinMetadata(pool);
    await findMappingSince((await readThinVolume(thin, 1)).mappings, 9);
  }

  test("damaged is found out by its checksums", async () => {
    const run = await survivesMutation([small().bytes], readAll, { count: 60 });
    expect(run.failures).toBeGreaterThan(5);
  });

  test("damaged and sealed again gives values or a failure", async () => {
    const pool = small();
    const used = pool.bytes.length / 4096;
    const random = randomSource(3);
    const run = await survivesMutation(
      [Uint8Array.of(0)],
      async () => {
        const again = small();
        const block = 1 + random(used - 1);
        // The header and the first entries, where it counts.
        const from = again.bytes.subarray(block * 4096, block * 4096 + 64);
        again.bytes.set(mutate(from, random).subarray(0, 64), block * 4096);
        again.seal(block);
        await readAll(again.bytes);
      },
      { count: 150 },
    );
    expect(run.failures).toBeGreaterThan(30);
  });

  test("a tree that leads back into itself ends", async () => {
    const pool = small();
    const root = mapOf(range(60), 4);
    const writer = poolOf(root, EMPTY, { metadataBlocks: 80 });
    const at = writer.place(root);
    const view = writer.view(at);
    const places = view.getUint32(20, true);
    view.setBigUint64(32 + places * 8, BigInt(at), true);
    writer.seal(at);
    await expect(readAll(writer.bytes)).rejects.toThrow(/limit of 80|at most 32 levels/);
    await readAll(pool.bytes);
  });

  test("keys that do not ascend, children outside the device, nodes too full", async () => {
    const base = mapOf(range(60), 4);
    const cases: readonly [string, (view: DataView, places: number) => void][] = [
      ["key 0", (view) => view.setBigUint64(40, 0n, true)],
      ["tree node in block 99", (view, places) => view.setBigUint64(32 + places * 8, 99n, true)],
      ["entries in 252 places", (view) => view.setUint32(16, 253, true)],
      ["entries in 255 places", (view) => view.setUint32(20, 255, true)],
      ["values of 9 bytes", (view) => view.setUint32(24, 9, true)],
      ["flags 3", (view) => view.setUint32(4, 3, true)],
      ["expected 70 or above", (view) => view.setBigUint64(32, 70n, true)],
      ["64-bit value", (view) => view.setBigUint64(32, 2n ** 63n, true)],
    ];
    for (const [message, edit] of cases) {
      const writer = poolOf(base, EMPTY, { metadataBlocks: 80 });
      const at = writer.place(base);
      edit(writer.view(at), writer.view(at).getUint32(20, true));
      writer.seal(at);
      await expect(readAll(writer.bytes), message).rejects.toThrow(message);
    }
  });
});
