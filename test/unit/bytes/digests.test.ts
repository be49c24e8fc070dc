/** Digests against published vectors, and against another implementation at every length around their blocks. */
import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { blake2b256 } from "../../../src/bytes/blake2b.ts";
import { sha256 } from "../../../src/bytes/sha256.ts";
import { xxhash64 } from "../../../src/bytes/xxhash64.ts";

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");
const sample = (length: number) =>
  Uint8Array.from({ length }, (_, i) => (i * 131 + length * 17) & 255);

describe("sha256", () => {
  test("agrees with OpenSSL at every length up to three blocks, and on a large input", () => {
    for (const length of [...Array(200).keys(), 100_003]) {
      const bytes = sample(length);
      expect(hex(sha256(bytes))).toBe(createHash("sha256").update(bytes).digest("hex"));
    }
  });
});

describe("xxhash64", () => {
  test.each([
    ["", "ef46db3751d8e999"],
    ["a", "d24ec4f1a98c6e5b"],
    ["abc", "44bc2cf5ad770999"],
  ])("of %j is the published one, stored little endian", (text, digest) => {
    expect(hex(xxhash64(Buffer.from(text)).toReversed())).toBe(digest);
  });

  test("agrees with the specification in plain arithmetic at every length", () => {
    for (const length of [...Array(150).keys(), 4096]) {
      const bytes = sample(length);
      const digest = Buffer.from(xxhash64(bytes)).readBigUInt64LE();
      expect(digest).toBe(plainXxhash64(bytes));
    }
  });
});

describe("blake2b256", () => {
  // As b2sum -l 256 gives them.
  test.each([
    [Buffer.from(""), "0e5751c026e543b2e8ab2eb06099daa1d1e5df47778f7787faab45cdf12fe3a8"],
    [Buffer.from("abc"), "bddd813c634239723171ef3fee98579b94964e3bb1cb3e427262c8c068d52319"],
    [sample(127), "d2c39220b939c0c2df2810da500ff2224d7bd0931f48efbf1d3812e65e10e657"],
    [sample(128), "dfa794ac92b029ca246625a629e966e436a358cdc1b71d39aab55c825385123a"],
    [sample(129), "08932609899dcaf3e8259b96f9e910d0ef3d019e9a9b8e5202fc7a21d6b74de0"],
    [sample(1000), "43c8652cf5b8ee214c30ec728c4f3d0c5521422cd1b6bc750f5a434681921eda"],
  ])("of %# is the published one", (bytes, digest) => {
    expect(hex(blake2b256(bytes))).toBe(digest);
  });
});

const MASK = 2n ** 64n - 1n;
const P = [
  0x9e3779b185ebca87n,
  0xc2b2ae3d27d4eb4fn,
  0x165667b19e3779f9n,
  0x85ebca77c2b2ae63n,
  0x27d4eb2f165667c5n,
] as const;
const rotate = (x: bigint, bits: bigint) => ((x << bits) | (x >> (64n - bits))) & MASK;
const round = (lane: bigint, value: bigint) =>
  (rotate((lane + value * P[1]) & MASK, 31n) * P[0]) & MASK;

function plainXxhash64(bytes: Uint8Array): bigint {
  const view = new DataView(bytes.buffer);
  let at = 0;
  let hash = P[4] as bigint;
  if (bytes.length >= 32) {
    const lanes = [(P[0] + P[1]) & MASK, P[1], 0n, -P[0] & MASK];
    for (; at + 32 <= bytes.length; at += 32) {
      for (let i = 0; i < 4; i++) lanes[i] = round(lanes[i]!, view.getBigUint64(at + 8 * i, true));
    }
    const turns = [1n, 7n, 12n, 18n];
    hash = lanes.reduce((sum, lane, i) => (sum + rotate(lane, turns[i]!)) & MASK, 0n);
    for (const lane of lanes) hash = ((hash ^ round(0n, lane)) * P[0] + P[3]) & MASK;
  }
  hash = (hash + BigInt(bytes.length)) & MASK;
  for (; at + 8 <= bytes.length; at += 8) {
    const piece = round(0n, view.getBigUint64(at, true));
    hash = (rotate(hash ^ piece, 27n) * P[0] + P[3]) & MASK;
  }
  for (; at + 4 <= bytes.length; at += 4) {
    const piece = (BigInt(view.getUint32(at, true)) * P[0]) & MASK;
    hash = (rotate(hash ^ piece, 23n) * P[1] + P[2]) & MASK;
  }
  for (; at < bytes.length; at++) {
    hash = (rotate(hash ^ ((BigInt(bytes[at]!) * P[4]) & MASK), 11n) * P[0]) & MASK;
  }
  hash = ((hash ^ (hash >> 33n)) * P[1]) & MASK;
  hash = ((hash ^ (hash >> 29n)) * P[2]) & MASK;
  return hash ^ (hash >> 32n);
}
