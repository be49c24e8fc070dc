import { expect, test } from "vitest";
import { crc64 } from "../../../src/bytes/crc64.ts";
import { randomSource } from "../../support/mutate.ts";

/** The definition, bit by bit. */
function slowCrc64(bytes: Uint8Array): bigint {
  let crc = 0xffff_ffff_ffff_ffffn;
  for (const byte of bytes) {
    crc ^= BigInt(byte);
    for (let i = 0; i < 8; i++) crc = (crc >> 1n) ^ (crc & 1n ? 0xc96c_5795_d787_0f42n : 0n);
  }
  return crc ^ 0xffff_ffff_ffff_ffffn;
}

const random = randomSource(64);
const bytes = Uint8Array.from({ length: 70 }, () => random(256));

test("has the check value of CRC-64/XZ", () => {
  expect(crc64(new TextEncoder().encode("123456789"))).toBe(0x995d_c9bb_df19_39fan);
  expect(crc64(new Uint8Array(0))).toBe(0n);
});

test("equals the definition at every length, at every alignment", () => {
  for (let from = 0; from < 5; from++) {
    for (let to = from; to <= bytes.length; to++) {
      expect(crc64(bytes.subarray(from, to))).toBe(slowCrc64(bytes.subarray(from, to)));
    }
  }
});

test("goes on from the CRC of what came before", () => {
  const whole = crc64(bytes);
  for (let cut = 0; cut <= bytes.length; cut++) {
    expect(crc64(bytes.subarray(cut), crc64(bytes.subarray(0, cut)))).toBe(whole);
  }
});
