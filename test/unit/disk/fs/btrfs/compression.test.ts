import { deflateSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { unpackExtent } from "../../../../../src/disk/fs/btrfs/compression.ts";
import { survivesMutation } from "../../../../support/mutate.ts";

const SECTOR = 4096;
const extent = { ramBytes: 3 * SECTOR, sectorSizeBytes: SECTOR, where: ["extent"] };

/** A block of LZO1X that is one run of literals (more than 238), then the end mark. */
function literals(data: Uint8Array): Uint8Array {
  // linux: Documentation/staging/lzo.rst: 0, then 255 for each further 0, then the rest of the length.
  const zeroes = Math.floor((data.length - 19) / 255);
  const rest = data.length - 18 - 255 * zeroes;
  const head = [0, ...Array.from({ length: zeroes }, () => 0), rest];
  return Uint8Array.from([...head, ...data, 0x11, 0, 0]);
}

/** What btrfs makes of blocks: lengths before each, none of them across two sectors. */
function container(blocks: readonly Uint8Array[]): Uint8Array {
  const out = Buffer.alloc(8 * SECTOR);
  let at = 4;
  for (const block of blocks) {
    if (SECTOR - (at % SECTOR) < 4) at += SECTOR - (at % SECTOR);
    out.writeUInt32LE(block.length, at);
    out.set(block, at + 4);
    at += 4 + block.length;
  }
  out.writeUInt32LE(at, 0);
  return Uint8Array.from(out);
}

const sample = (length: number, seed: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 7 + seed * 31) & 255);

describe("lzo in sectors", () => {
  // The first block ends so many bytes before the end of a sector; below 4 a length has no room there.
  test.each([0, 1, 2, 3, 4, 5, 100])(
    "a block that ends %i bytes before a sector does",
    async (left) => {
      // 8 bytes come before the block, 20 are not literals.
      const first = sample(SECTOR - 8 - 20 - left, 1);
      expect(literals(first).length).toBe(SECTOR - 8 - left);
      const second = sample(SECTOR, 2);
      const third = sample(1000, 3);
      const bytes = container([first, second, third].map(literals));
      const unpacked = await unpackExtent({ ...extent, compression: "lzo", bytes });
      const expected = new Uint8Array(3 * SECTOR);
      for (const [i, data] of [first, second, third].entries()) expected.set(data, i * SECTOR);
      expect(Buffer.from(unpacked).equals(expected)).toBe(true);
    },
  );
});

describe("streams", () => {
  const data = sample(3 * SECTOR, 5);

  test.each([
    ["zlib", deflateSync(data)],
    ["zstd", zstdCompressSync(data)],
  ] as const)(
    "%s with padding, shorter than the extent, longer than it",
    async (compression, packed) => {
      const bytes = Uint8Array.from(Buffer.concat([packed, Buffer.alloc(SECTOR)]));
      const whole = await unpackExtent({ ...extent, compression, bytes });
      expect(Buffer.from(whole).equals(data)).toBe(true);
      const more = await unpackExtent({ ...extent, compression, bytes, ramBytes: 4 * SECTOR });
      expect(Buffer.from(more).equals(Buffer.concat([data, Buffer.alloc(SECTOR)]))).toBe(true);
      const less = unpackExtent({ ...extent, compression, bytes, ramBytes: 2 * SECTOR });
      await expect(less).rejects.toThrow(/^extent: the unpacked size is over the limit of 8 KiB/);
    },
  );

  test("damage is a failure, whatever it is", async () => {
    for (const [compression, bytes] of [
      ["lzo", container([literals(sample(3000, 1)), literals(sample(4000, 2))])],
      ["zlib", Uint8Array.from(deflateSync(sample(9000, 3)))],
      ["zstd", Uint8Array.from(zstdCompressSync(sample(9000, 4)))],
    ] as const) {
      const run = await survivesMutation(
        [bytes],
        (damaged) => unpackExtent({ ...extent, compression, bytes: damaged }),
        { count: 200 },
      );
      expect(run.failures, compression).toBeGreaterThan(3);
    }
  });
});
