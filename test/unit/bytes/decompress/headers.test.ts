import { describe, expect, test } from "vitest";
import { crc32 } from "node:zlib";
import { attempt } from "../../../../src/base/failure.ts";
import { decompress } from "../../../../src/bytes/decompress/decompress.ts";
import { lzmaDictionaryBytes } from "../../../../src/bytes/decompress/lzma.ts";
import { xzCheck, xzDictionaryBytes } from "../../../../src/bytes/decompress/xz.ts";
import { zstdWindowBytes } from "../../../../src/bytes/decompress/zstd.ts";
import * as vectors from "./vectors.ts";
import { PLAIN } from "./vectors.ts";

const where = ["f"];

/** A block header with these bytes between its size and its CRC, after a good stream header. */
async function failureOfBlockHeader(...header: number[]) {
  const padded = [0, ...header];
  while (padded.length % 4 !== 0) padded.push(0);
  padded[0] = padded.length / 4;
  const crc = Buffer.alloc(4);
  crc.writeUInt32LE(crc32(Uint8Array.from(padded)));
  const head = vectors.XZ_NONE.subarray(0, 12);
  const bytes = Buffer.concat([head, Uint8Array.from(padded), crc, Buffer.alloc(64)]);
  const result = await attempt(() => decompress("xz", bytes, { limit: 100, where }));
  return result.ok ? undefined : result.failure;
}

describe("xz", () => {
  test("names the check", () => {
    expect(xzCheck(vectors.XZ_CRC32_X86)).toBe("crc32");
    expect(xzCheck(vectors.XZ_CRC64_BLOCKS)).toBe("crc64");
    expect(xzCheck(vectors.XZ_NONE)).toBe("none");
    expect(xzCheck(vectors.XZ_SHA256)).toBe("sha256");
    expect(xzCheck(vectors.XZ_NONE.with(7, 2))).toBe("unknown");
    expect(xzCheck(vectors.GZIP)).toBeUndefined();
    expect(xzCheck(vectors.XZ_NONE.subarray(0, 7))).toBeUndefined();
  });

  test("the dictionary that it asks for", () => {
    // xz --x86 --lzma2=dict=128MiB, and dict=96MiB without a filter
    const large = Buffer.from("fd377a585a0000016922de360201040021011e00050cecd7", "hex");
    expect(xzDictionaryBytes(large)).toBe(128 << 20);
    const filterless = Buffer.from("fd377a585a0000016922de36020021011d00000075a8e474", "hex");
    expect(xzDictionaryBytes(filterless)).toBe(96 << 20);
    expect(xzDictionaryBytes(large.subarray(0, 20))).toBeUndefined();
    expect(xzDictionaryBytes(vectors.GZIP)).toBeUndefined();
    expect(lzmaDictionaryBytes(Buffer.from("5d00000004ffffffffffffffff", "hex"))).toBe(64 << 20);
    expect(lzmaDictionaryBytes(Buffer.from("5d0000", "hex"))).toBeUndefined();
  });

  test("names the filter that it does not know", async () => {
    const lzma2 = [0x21, 1, 8];
    expect(await failureOfBlockHeader(1, 0x03, 1, 0, ...lzma2)).toMatchObject({
      kind: "unsupported",
      feature: "the xz filter delta in this place",
    });
    expect(await failureOfBlockHeader(1, 0x0a, 0, ...lzma2)).toMatchObject({
      kind: "unsupported",
      feature: "the xz filter arm64 in this place",
    });
    expect(await failureOfBlockHeader(0, 0x04, 0)).toMatchObject({ kind: "unsupported" });
    expect(await failureOfBlockHeader(1, ...lzma2, ...lzma2)).toMatchObject({
      kind: "unsupported",
    });
  });

  test("a header that goes on after its end is damaged, not cut", async () => {
    expect(await failureOfBlockHeader(0, 0x21, 100)).toMatchObject({
      kind: "corrupt",
      found: "an xz block header of 3 bytes",
    });
    expect(await failureOfBlockHeader(0, 0x21, 1, 41)).toMatchObject({ kind: "corrupt" });
    // A size of 2^63 - 1
    const huge = [255, 255, 255, 255, 255, 255, 255, 255, 127];
    expect(await failureOfBlockHeader(0x40, ...huge, 0x21, 1, 8)).toMatchObject({
      kind: "corrupt",
    });
  });
});

test("xz: an index of other blocks is noticed though its CRC is right", async () => {
  const xz = Buffer.from(vectors.XZ_CRC64_BLOCKS);
  const indexBytes = (xz.readUInt32LE(xz.length - 8) + 1) * 4;
  const index = xz.subarray(xz.length - 12 - indexBytes, xz.length - 12);
  // 0, the number of blocks, then the two sizes of the first
  index[2]! ^= 1;
  index.writeUInt32LE(crc32(index.subarray(0, -4)), index.length - 4);
  const result = await attempt(() => decompress("xz", xz, { limit: 1000, where }));
  expect(result).toMatchObject({
    ok: false,
    failure: { kind: "corrupt", found: "an xz index of other blocks" },
  });
});

describe("zstd", () => {
  const skippable = Buffer.from([0x5e, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3]);

  test("tells the window that a frame wants", () => {
    expect(zstdWindowBytes(vectors.ZSTD)).toBe(PLAIN.length);
    expect(zstdWindowBytes(Buffer.concat([skippable, vectors.ZSTD]))).toBe(PLAIN.length);
    expect(zstdWindowBytes(vectors.GZIP)).toBeUndefined();
    expect(zstdWindowBytes(vectors.ZSTD.subarray(0, 5))).toBeUndefined();
    // 3.1.1.1.2: exponent 17 of 31, mantissa 3 of 7
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (17 << 3) | 3]);
    expect(zstdWindowBytes(frame)).toBe(2 ** 27 + 3 * 2 ** 24);
  });

  test("skips skippable frames before the frame", async () => {
    const bytes = Buffer.concat([skippable, skippable, vectors.ZSTD, skippable]);
    const out = await decompress("zstd", bytes, { limit: 1000, where });
    expect(Buffer.compare(out.bytes, PLAIN)).toBe(0);
    expect(out.consumed).toBe(bytes.length - skippable.length);
  });

  test("refuses what Linux refuses: a window above 128 MiB", async () => {
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, (17 << 3) | 1, 1, 0, 0]);
    const at128 = frame.with(5, 17 << 3);
    const refused = await attempt(() => decompress("zstd", frame, { limit: 100, where }));
    expect(refused).toMatchObject({ ok: false, failure: { kind: "limit", limit: "128 MiB" } });
    const taken = await decompress("zstd", at128, { limit: 100, where });
    expect(taken).toMatchObject({ consumed: 9, bytes: new Uint8Array(0) });
  });

  test("names a dictionary", async () => {
    const frame = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x01, 0x00, 7, 1, 0, 0]);
    const refused = await attempt(() => decompress("zstd", frame, { limit: 100, where }));
    expect(refused).toMatchObject({
      ok: false,
      failure: { kind: "unsupported", feature: "zstd with a dictionary" },
    });
  });
});
