import { describe, expect, test } from "vitest";
import { readExceptions } from "../../../../src/disk/dm/exception-store.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import { exceptionStore, storeChunk } from "../../../support/dm.ts";
import type { StoreBytes } from "../../../support/dm.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const SECTORS = 8;
const PER_AREA = 256;

async function oldChunks(bytes: Uint8Array): Promise<number[]> {
  const found: number[] = [];
  for await (const piece of readExceptions(memorySource(bytes, ["cow"]))) {
    for (const { oldChunk } of piece) found.push(oldChunk);
  }
  return found;
}

/** Exceptions of those chunks, where the kernel would put them. */
const exceptionsOf = (chunks: readonly number[], sectors = SECTORS) =>
  chunks.map((chunk, index) => [chunk, storeChunk(index, sectors)] as const);

const counted = (count: number) => Array.from({ length: count }, (_, at) => (at * 7919) % 100_003);

function store(chunks: readonly number[], more: Partial<StoreBytes> = {}): Uint8Array {
  return exceptionStore({ chunkSectors: SECTORS, exceptions: exceptionsOf(chunks), ...more });
}

describe("the store of a dm-snapshot", () => {
  test("has the chunks that changed, over all areas", async () => {
    for (const count of [0, 1, PER_AREA - 1, PER_AREA, PER_AREA + 1, 3 * PER_AREA + 17]) {
      expect(await oldChunks(store(counted(count)))).toEqual(counted(count));
    }
  });

  test("of any chunk size", async () => {
    for (const chunkSectors of [1, 2, 64, 1024]) {
      const chunks = counted(25);
      const exceptions = exceptionsOf(chunks, chunkSectors);
      const bytes = exceptionStore({ chunkSectors, exceptions, chunkCount: 40 });
      expect(await oldChunks(bytes)).toEqual(chunks);
    }
  });

  test("that is full to its last chunk ends with the device", async () => {
    const chunkCount = 1 + PER_AREA + 1;
    expect(await oldChunks(store(counted(PER_AREA), { chunkCount }))).toEqual(counted(PER_AREA));
  });

  test("ends at the first empty place, whatever lies behind it", async () => {
    const exceptions = [
      [5, 2],
      [6, 3],
      [0, 0],
      [7, 4],
    ] as const;
    expect(await oldChunks(exceptionStore({ chunkSectors: SECTORS, exceptions }))).toEqual([5, 6]);
  });

  test("says which chunk of it holds what was there", async () => {
    const pieces = [];
    for await (const piece of readExceptions(memorySource(store([5, 9])))) pieces.push(...piece);
    expect(pieces).toEqual([
      { oldChunk: 5, newChunk: 2 },
      { oldChunk: 9, newChunk: 3 },
    ]);
  });

  test("that cannot be relied on is a failure", async () => {
    await expect(oldChunks(store([1], { valid: 0 }))).rejects.toThrow("not valid any more");
    await expect(oldChunks(store([1], { magic: 0 }))).rejects.toThrow("no header");
    await expect(oldChunks(store([1], { magic: 7 }))).rejects.toThrow("magic 0x00000007");
    await expect(oldChunks(store([1], { version: 2 }))).rejects.toThrow("version 2");
    for (const chunkSectors of [0, 3, 65_536]) {
      const bytes = store([1]);
      new DataView(bytes.buffer).setUint32(12, chunkSectors, true);
      await expect(oldChunks(bytes)).rejects.toThrow(`chunks of ${chunkSectors} sectors`);
    }
    const behind = exceptionStore({ chunkSectors: SECTORS, exceptions: [[1, 600]] });
    await expect(oldChunks(behind)).rejects.toThrow("chunk 600 of the store");
    await expect(oldChunks(store(counted(5)).subarray(0, 6000))).rejects.toThrow("cow");
  });

  test("damaged gives exceptions or a failure", async () => {
    const inputs = [store(counted(300)), store(counted(3)), store(counted(20), { chunkCount: 40 })];
    // Damage is spread thin over a store: most of it is data.
    const metadata = inputs.map((bytes) => bytes.slice(0, 2 * SECTORS * 512));
    const run = await survivesMutation([...inputs, ...metadata], oldChunks, { count: 60 });
    expect(run.failures).toBeGreaterThan(20);
    expect(run.values).toBeGreaterThan(20);
  });
});
