import { crc32 as zlibCrc32 } from "node:zlib";
import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { crc16Update } from "../../../src/bytes/crc16.ts";
import { crc32, crc32Update } from "../../../src/bytes/crc32.ts";
import { crc32c, crc32cUpdate } from "../../../src/bytes/crc32c.ts";

const check = new TextEncoder().encode("123456789");

/** The definition, a bit at a time: slow, and hard to get wrong. */
function bitwise(polynomial: number, crc: number, bytes: Uint8Array): number {
  let register = crc >>> 0;
  for (const byte of bytes) {
    register = (register ^ byte) >>> 0;
    for (let i = 0; i < 8; i++)
      register = (register & 1 ? (register >>> 1) ^ polynomial : register >>> 1) >>> 0;
  }
  return register;
}

describe("CRC-32C", () => {
  test("the check value of the CRC catalogue", () => {
    expect(crc32c(check)).toBe(0xe3069283);
  });

  test.each([
    ["32 zeroes", new Uint8Array(32), 0x8a9136aa],
    ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["counting up", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
    ["counting down", Uint8Array.from({ length: 32 }, (_, i) => 31 - i), 0x113fdb5c],
    [
      "an iSCSI read command",
      Uint8Array.from(
        // RFC 3720 B.4, last example
        "01c000000000000000000000000000001400000000000400000000140000001828000000000000000200000000000000"
          .match(/../g)!
          .map((pair) => Number.parseInt(pair, 16)),
      ),
      0xd9963a56,
    ],
  ])("RFC 3720 B.4: %s", (_name, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });

  test("the bare update is the checksum without the inversion at the end", () => {
    expect(crc32cUpdate(~0, check)).toBe(~0xe3069283 >>> 0);
    expect(crc32cUpdate(0xffffffff, check)).toBe(~0xe3069283 >>> 0);
  });

  test("equals the definition, from any register, at any alignment", () => {
    fc.assert(
      fc.property(fc.integer(), fc.uint8Array({ maxLength: 70 }), (crc, bytes) => {
        expect(crc32cUpdate(crc, bytes)).toBe(bitwise(0x82f63b78, crc, bytes));
      }),
    );
  });

  test("pieces chain", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 70 }), fc.nat(70), (bytes, at) => {
        const joined = crc32cUpdate(crc32cUpdate(~0, bytes.subarray(0, at)), bytes.subarray(at));
        expect(joined).toBe(crc32cUpdate(~0, bytes));
      }),
    );
  });
});

describe("CRC-32", () => {
  test("the check value of the CRC catalogue", () => {
    expect(crc32(check)).toBe(0xcbf43926);
    expect(crc32Update(~0, check)).toBe(~0xcbf43926 >>> 0);
  });

  test("equals zlib's", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(crc32(bytes)).toBe(zlibCrc32(bytes));
      }),
    );
  });
});

describe("CRC-16", () => {
  test("the check values of the CRC catalogue: ARC, and MODBUS, which differs in the start only", () => {
    expect(crc16Update(0, check)).toBe(0xbb3d);
    expect(crc16Update(0xffff, check)).toBe(0x4b37);
    expect(crc16Update(~0, check)).toBe(0x4b37);
  });

  test("pieces chain", () => {
    const joined = crc16Update(crc16Update(0xffff, check.subarray(0, 4)), check.subarray(4));
    expect(joined).toBe(0x4b37);
  });
});
