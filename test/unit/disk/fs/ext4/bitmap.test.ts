import * as fc from "fast-check";
import { expect, test } from "vitest";
import { setRuns } from "../../../../../src/disk/fs/ext4/bitmap.ts";

test("the runs of set bits, against looking at each bit", () => {
  const bytes = fc.array(fc.constantFrom(0, 0xff, 0x01, 0x80, 0x7e, 0xf0, 0x5a), { maxLength: 12 });
  fc.assert(
    fc.property(bytes, fc.nat(96), (values, wanted) => {
      const bitmap = Uint8Array.from(values);
      const count = Math.min(wanted, bitmap.length * 8);
      const bits = Array.from({ length: count }, (_, i) => (bitmap[i >> 3]! >> (i & 7)) & 1);
      const fromRuns = Array.from({ length: count }, () => 0);
      let end = -1;
      for (const [first, after] of setRuns(bitmap, count)) {
        expect(first).toBeGreaterThan(end); // merged: a clear bit between any two
        fromRuns.fill(1, first, after);
        end = after;
      }
      expect(fromRuns).toEqual(bits);
    }),
  );
});
