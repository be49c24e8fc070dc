import type { Transform } from "node:stream";
import { createInflateRaw, createZstdDecompress, gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, onTestFinished, test, vi } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import type { Failure } from "../../../../src/base/failure.ts";
import { decompress, unpack } from "../../../../src/bytes/decompress/decompress.ts";
import { sniffCompression } from "../../../../src/bytes/decompress/format.ts";
import type { Compression } from "../../../../src/bytes/decompress/format.ts";
import { isTruncated } from "../../../../src/bytes/decompress/reader.ts";
import { randomSource, survivesMutation } from "../../../support/mutate.ts";
import * as vectors from "./vectors.ts";
import { PLAIN } from "./vectors.ts";

type Case = { readonly name: string; readonly format: Compression; readonly bytes: Uint8Array };

const CASES: readonly Case[] = [
  { name: "gzip", format: "gzip", bytes: vectors.GZIP },
  { name: "bzip2", format: "bzip2", bytes: vectors.BZIP2 },
  { name: "xz, crc32, x86 filter", format: "xz", bytes: vectors.XZ_CRC32_X86 },
  { name: "xz, crc64, three blocks", format: "xz", bytes: vectors.XZ_CRC64_BLOCKS },
  { name: "xz, no check", format: "xz", bytes: vectors.XZ_NONE },
  { name: "xz, sha256", format: "xz", bytes: vectors.XZ_SHA256 },
  { name: "lzma, end marker", format: "lzma", bytes: vectors.LZMA },
  { name: "lzma, size", format: "lzma", bytes: lzmaWithSize() },
  { name: "lzma, size and end marker", format: "lzma", bytes: lzmaWithBoth() },
  { name: "lzo, adler32", format: "lzo", bytes: vectors.LZO },
  { name: "lzo, crc32", format: "lzo", bytes: vectors.LZO_CRC32 },
  { name: "lz4", format: "lz4", bytes: vectors.LZ4 },
  { name: "zstd", format: "zstd", bytes: vectors.ZSTD },
];

/** A chunk of LZMA2 is LZMA without an end marker; behind a header with the size it is a complete .lzma. */
function lzmaWithSize(): Uint8Array {
  const chunk = vectors.XZ_NONE.subarray(24);
  const header = new DataView(new ArrayBuffer(13));
  header.setUint8(0, chunk[5]!);
  header.setUint32(1, 1 << 20, true);
  header.setUint32(5, PLAIN.length, true);
  const packedBytes = ((chunk[3]! << 8) | chunk[4]!) + 1;
  return Buffer.concat([new Uint8Array(header.buffer), chunk.subarray(6, 6 + packedBytes)]);
}

function lzmaWithBoth(): Uint8Array {
  const bytes = Uint8Array.from(vectors.LZMA);
  new DataView(bytes.buffer).setBigUint64(5, BigInt(PLAIN.length), true);
  return bytes;
}

const where = ["xvda", "/boot/vmlinuz"];

function run(format: Compression, bytes: Uint8Array, limit = 1 << 20) {
  return attempt(() => decompress(format, bytes, { limit, where }));
}

async function failureOf(format: Compression, bytes: Uint8Array, limit?: number): Promise<Failure> {
  const result = await run(format, bytes, limit);
  if (result.ok) throw new Error(`unpacked ${result.value.bytes.length} bytes`);
  return result.failure;
}

describe.each(CASES)("$name", ({ name, format, bytes }) => {
  test("gives what went in, and takes all of it", async () => {
    const unpacked = await decompress(format, bytes, { limit: PLAIN.length, where });
    expect(unpacked.bytes).toEqual(new Uint8Array(PLAIN));
    expect(unpacked.consumed).toBe(bytes.length);
  });

  test("leaves alone what follows", async () => {
    const zeroes = new Uint8Array(517);
    const size = Buffer.alloc(4);
    size.writeUInt32LE(PLAIN.length);
    const tails: Uint8Array[] = [zeroes.subarray(0, 1), zeroes.subarray(0, 3), zeroes, size];
    // Another stream, or anything: but in lz4 that would be a block
    if (format !== "lz4")
      tails.push(bytes, vectors.GZIP, Buffer.from("0707010000"), Buffer.from([7]));
    for (const tail of tails) {
      const { bytes: out, consumed } = await decompress(format, Buffer.concat([bytes, tail]), {
        limit: PLAIN.length,
        where,
      });
      expect(consumed).toBe(bytes.length);
      expect(Buffer.compare(out, PLAIN)).toBe(0);
    }
  });

  test("says so when the stream ends early, wherever", async () => {
    for (let length = 0; length < bytes.length; length++) {
      // After its magic, before the first block, an lz4 stream may end
      if (format === "lz4" && length === 4) continue;
      const failure = await failureOf(format, bytes.subarray(0, length));
      expect(isTruncated(failure), `${length} bytes: ${JSON.stringify(failure)}`).toBe(true);
      expect(failure.where).toEqual(where);
    }
  });

  test("stops at the limit", async () => {
    expect(await failureOf(format, bytes, PLAIN.length - 1)).toMatchObject({
      kind: "limit",
      where,
    });
  });

  test("does not let a flipped bit pass", async () => {
    const checked = !["lz4", "lzma"].includes(format) && !/no check|sha256/.test(name);
    // One in five, which comes to every bit of a byte in turn
    for (let bit = 0; bit < bytes.length * 8; bit += 5) {
      const flipped = Uint8Array.from(bytes);
      flipped[bit >> 3]! ^= 1 << (bit & 7);
      const result = await run(format, flipped);
      if (!result.ok) expect(result.failure.where).toEqual(where);
      else if (checked) expect(Buffer.compare(result.value.bytes, PLAIN), `bit ${bit}`).toBe(0);
    }
  });

  test("survives mutation", async () => {
    const limit = 8 << 20;
    const counts = await survivesMutation([bytes], (b) => decompress(format, b, { limit, where }), {
      count: 150,
      maxMs: 1000,
    });
    expect(counts.failures).toBeGreaterThan(0);
  });
});

describe("gzip", () => {
  test("skips every optional field of the header", async () => {
    const packed = gzipSync(PLAIN);
    const header = Buffer.from([0x1f, 0x8b, 8, 0x1d, 1, 2, 3, 4, 0, 3]);
    const fields = Buffer.from("\x03\x00abcname\x00a comment\x00", "latin1");
    const bytes = Buffer.concat([header, fields, packed.subarray(10)]);
    const { consumed } = await decompress("gzip", bytes, { limit: 1000, where });
    expect(consumed).toBe(bytes.length);
  });

  test("has its size modulo 2^32 checked", async () => {
    const packed = gzipSync(PLAIN);
    packed.writeUInt32LE(PLAIN.length + 1, packed.length - 4);
    expect(await failureOf("gzip", packed)).toMatchObject({
      kind: "corrupt",
      found: "another size",
    });
  });
});

describe("unpack", () => {
  const size = 5 << 20;
  const random = randomSource(5);
  const noise = Uint8Array.from({ length: size }, () => random(64));
  const packed = gzipSync(noise, { level: 1 });

  test("yields chunks, never empty, and returns what the stream took", async () => {
    const stream = unpack("gzip", Buffer.concat([packed, packed]), { limit: size, where });
    let at = 0;
    for (;;) {
      const step = await stream.next();
      if (step.done) {
        expect(step.value).toBe(packed.length);
        break;
      }
      expect(step.value.length).toBeGreaterThan(0);
      const expected = noise.subarray(at, at + step.value.length);
      expect(Buffer.compare(step.value, expected)).toBe(0);
      at += step.value.length;
    }
    expect(at).toBe(size);
  });

  test("chunks are the consumer's: writing into one changes nothing later", async () => {
    for (const { format, bytes } of CASES) {
      const whole = Buffer.concat([bytes]);
      const parts: Uint8Array[] = [];
      for await (const chunk of unpack(format, whole, { limit: size, where })) {
        parts.push(Uint8Array.from(chunk));
        chunk.fill(0);
      }
      expect(Buffer.compare(Buffer.concat(parts), PLAIN)).toBe(0);
    }
  });

  test.each([
    ["gzip", packed],
    ["zstd", zstdCompressSync(noise)],
  ] as const)("closes the library's %s when the consumer stops", async (format, bytes) => {
    const stream: Transform = format === "gzip" ? createInflateRaw() : createZstdDecompress();
    stream.destroy();
    const destroyed = vi.spyOn(Object.getPrototypeOf(stream) as Transform, "_destroy");
    onTestFinished(() => destroyed.mockRestore());
    for await (const chunk of unpack(format, bytes, { limit: size, where })) {
      expect(chunk.length).toBeLessThan(size);
      expect(destroyed).not.toHaveBeenCalled();
      break;
    }
    expect(destroyed).toHaveBeenCalledOnce();
    await failureOf(format, bytes, 1000);
    expect(destroyed).toHaveBeenCalledTimes(2);
  });

  test("stops for its signal, before and while it works", async () => {
    const before = AbortSignal.abort();
    await expect(
      decompress("gzip", packed, { limit: size, where, signal: before }),
    ).rejects.toHaveProperty("name", "AbortError");

    const controller = new AbortController();
    const bomb = Buffer.concat([vectors.LZ4.subarray(0, 4), ...lz4Zeroes(64)]);
    setImmediate(() => controller.abort());
    let total = 0;
    await expect(async () => {
      const options = { limit: 1 << 30, where, signal: controller.signal };
      for await (const chunk of unpack("lz4", bomb, options)) total += chunk.length;
    }).rejects.toHaveProperty("name", "AbortError");
    expect(total).toBeLessThanOrEqual(16 << 20);
  });

  test("the modern lz4 frame: stored blocks, its end mark, and what follows", async () => {
    const frame = Buffer.from("04224d186040820300008061626300000000ff", "hex");
    expect(sniffCompression(frame)).toBe("lz4-frame");
    const out = await decompress("lz4-frame", frame, { limit: 3, where });
    expect(Buffer.from(out.bytes).toString()).toBe("abc");
    expect(out.consumed).toBe(frame.length - 1);
  });

  test("an lz4 frame with a dictionary, or of another version, is not supported", async () => {
    for (const head of ["04224d186140", "04224d18a040", "04224d186240"]) {
      const frame = Buffer.from(`${head}00000000000000`, "hex");
      expect(await failureOf("lz4-frame", frame)).toMatchObject({ kind: "unsupported", where });
    }
  });
});

/** Blocks of 8 MiB of zeroes, 32 KiB each: a literal, then a match of offset 1, then five literals. */
function lz4Zeroes(count: number): Uint8Array[] {
  const size = 8 << 20;
  const length = size - 1 - 5 - 4 - 15;
  const more = Math.floor(length / 255);
  const block = Buffer.concat([
    Buffer.from([0x1f, 0, 1, 0]),
    Buffer.alloc(more, 255),
    Buffer.from([length % 255, 0x50, 0, 0, 0, 0, 0]),
  ]);
  const header = Buffer.alloc(4);
  header.writeUInt32LE(block.length);
  return Array.from({ length: count }, () => Buffer.concat([header, block]));
}

describe("lz4", () => {
  const block = Buffer.concat(lz4Zeroes(1));
  const magic = vectors.LZ4.subarray(0, 4);
  const size = 8 << 20;

  test("goes on after another magic, as Linux does", async () => {
    const bytes = Buffer.concat([magic, block, magic, block, Buffer.alloc(8)]);
    const out = await decompress("lz4", bytes, { limit: 2 * size, where });
    expect(out.bytes.length).toBe(2 * size);
    expect(out.consumed).toBe(bytes.length - 8);
  });

  test("takes a size that is none of this stream for what it is: a cut", async () => {
    const wrong = Buffer.alloc(4);
    wrong.writeUInt32LE(size + 1);
    const failure = await failureOf("lz4", Buffer.concat([magic, block, wrong]), 2 * size);
    expect(isTruncated(failure)).toBe(true);
  });

  test("refuses a block above the bound", async () => {
    const wrong = Buffer.alloc(64, 0x77);
    const failure = await failureOf("lz4", Buffer.concat([magic, block, wrong]), 2 * size);
    expect(failure).toMatchObject({ kind: "corrupt", found: "an lz4 block of 2004318071 bytes" });
  });
});
