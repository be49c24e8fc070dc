import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { FailureError } from "../../../src/base/failure.ts";
import { u16le, u32le, u64le, u64leRaw } from "../../../src/bytes/fields.ts";
import { declaredStructs, struct } from "../../../src/bytes/struct.ts";

const source = join(import.meta.dirname, "../../../src");

describe("every declared struct", () => {
  beforeAll(async () => {
    const files = readdirSync(source, { recursive: true, encoding: "utf8" });
    for (const file of files.filter((name) => name.endsWith(".ts"))) {
      const path = join(source, file);
      if (/= struct\(/.test(readFileSync(path, "utf8"))) await import(path);
    }
  });

  test("is found", () => {
    const names = declaredStructs.map(({ name }) => name);
    expect(names).toContain("gpt_header");
    expect(new Set(names).size).toBe(names.length);
  });

  // A union is declared as one struct for each of its shapes.
  test("has no two fields on the same byte, and none outside", () => {
    const faults: string[] = [];
    for (const { name, size, fields } of declaredStructs) {
      let end = 0;
      let before = "the start";
      const sorted = Object.entries(fields).toSorted(([, [a]], [, [b]]) => a - b);
      for (const [field, [offset, type]] of sorted) {
        if (offset < end) faults.push(`${name}: ${field} begins inside ${before}`);
        end = offset + type.size;
        before = field;
        if (end > size) faults.push(`${name}: ${field} ends outside`);
      }
    }
    expect(faults).toEqual([]);
  });
});

describe("struct", () => {
  const sample = struct("sample", 12, { a: [0, u16le], b: [4, u32le], c: [8, u32le] });

  test("reads fields where they are", () => {
    const bytes = Uint8Array.from([9, 1, 2, 0, 0, 3, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    const read = sample.read(bytes, 1);
    expect([read.a, read.b, read.c]).toEqual([0x201, 3, 0xffffffff]);
  });

  test("reads a subarray of a larger buffer", () => {
    const bytes = new Uint8Array(32).fill(7);
    bytes[20] = 1;
    expect(sample.read(bytes.subarray(20)).a).toBe(0x701);
  });

  test.each([[-1], [1], [0.5], [Number.NaN], [2 ** 53]])("does not read outside: at %d", (at) => {
    expect(() => sample.read(new Uint8Array(12), at)).toThrow(FailureError);
  });

  test("refuses a field that ends outside, when it is declared", () => {
    expect(() => struct("bad", 4, { a: [2, u32le] })).toThrow(RangeError);
  });

  test("64-bit numbers above 2^53 are a failure, raw ones are not", () => {
    const view = new DataView(new ArrayBuffer(8));
    view.setBigUint64(0, 2n ** 53n - 1n, true);
    expect(u64le.get(view, 0)).toBe(Number.MAX_SAFE_INTEGER);
    view.setBigUint64(0, 2n ** 53n, true);
    expect(() => u64le.get(view, 0)).toThrow(FailureError);
    expect(u64leRaw.get(view, 0)).toBe(2n ** 53n);
  });
});
