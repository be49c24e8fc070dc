import { createHash, createHmac } from "node:crypto";
import { describe, expect, test } from "vitest";
import { Digester, isZero, newKey, RunDigest } from "../../../src/sync/digests.ts";
import { BLOCK_BYTES, SEGMENT_BYTES } from "../../../src/sync/geometry.ts";
import { diskBytes } from "./memory-device.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

describe("tags", () => {
  test("are GMAC: test case 1 of the GCM specification (McGrew, Viega), key and nonce of zeroes", () => {
    expect(hex(new Digester(new Uint8Array(48)).tag(new Uint8Array(0)))).toBe(
      "58e2fccefa7e3061367f1d57a4e7455a",
    );
  });

  test("tell keys, lengths and every single bit apart", () => {
    const key = newKey();
    const digester = new Digester(key);
    const segment = diskBytes(5000, 1);
    const tags = new Set([hex(digester.tag(segment)), hex(new Digester(newKey()).tag(segment))]);
    for (let length = 4900; length < 5000; length++)
      tags.add(hex(digester.tag(segment.subarray(0, length))));
    for (let bit = 0; bit < 400; bit++) {
      const other = Uint8Array.from(segment);
      other[bit * 12]! ^= 1 << (bit & 7);
      tags.add(hex(digester.tag(other)));
    }
    expect(tags.size).toBe(502);
    expect(hex(new Digester(key).tag(segment))).toBe(hex(digester.tag(segment)));
  });

  test("of zeroes are those of an array of zeroes", () => {
    const digester = new Digester(newKey());
    for (const length of [1, 4096, SEGMENT_BYTES, 1])
      expect(hex(digester.zeroTag(length))).toBe(hex(digester.tag(new Uint8Array(length))));
  });
});

test("digests of blocks are SHA-256 with the key in front", () => {
  const key = newKey();
  const segment = diskBytes(3 * BLOCK_BYTES + 100, 2);
  const expected = [0, 1, 2, 3].map((block) =>
    createHash("sha256")
      .update(key.subarray(16))
      .update(segment.subarray(block * BLOCK_BYTES, (block + 1) * BLOCK_BYTES))
      .digest("hex")
      .slice(0, 32),
  );
  expect(hex(new Digester(key).blockDigests(segment))).toBe(expected.join(""));
});

test("a key of another length is refused", () => {
  expect(() => new Digester(new Uint8Array(47))).toThrow("47 bytes");
});

test("zeroes are told from what only begins or ends with them", () => {
  for (const length of [0, 1, 7, BLOCK_BYTES, SEGMENT_BYTES]) {
    const bytes = new Uint8Array(length);
    expect(isZero(bytes)).toBe(true);
    if (length === 0) continue;
    for (const at of [0, length - 1]) {
      bytes[at] = 1;
      expect(isZero(bytes)).toBe(false);
      bytes[at] = 0;
    }
  }
});

test("the digest of a run is that of its segments' numbers and tags", () => {
  const tag = createHmac("sha256", "x").digest().subarray(0, 16);
  const run = new RunDigest();
  run.add(0, tag);
  run.add(2 ** 32 + 5, tag);
  const bytes = Buffer.alloc(48);
  bytes.set(tag, 8);
  bytes.writeBigUInt64LE(2n ** 32n + 5n, 24);
  bytes.set(tag, 32);
  expect(run.count).toBe(2);
  expect(hex(run.end())).toBe(createHash("sha256").update(bytes).digest("hex"));
});
