import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { decodeCString, decodeText, encodeText } from "../../../src/bytes/text.ts";

/** Bytes of the kinds that matter to UTF-8 decoding, far more often than chance would give them. */
const tricky = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4),
    fc.constantFrom(0x9f, 0xa0, 0x8f, 0x90, 0xbb, 0xbf, 0xf5, 0xff),
  ),
  { maxLength: 40 },
);

describe("decodeText and encodeText", () => {
  test("any bytes come back", () => {
    fc.assert(
      fc.property(tricky, (list) => {
        const bytes = Uint8Array.from(list);
        expect(encodeText(decodeText(bytes))).toEqual(bytes);
      }),
      { numRuns: 2000 },
    );
  });

  test("text is what UTF-8 says it is", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        expect(decodeText(Buffer.from(text))).toBe(text);
        expect(encodeText(text)).toEqual(new Uint8Array(Buffer.from(text)));
      }),
    );
  });

  test("what is around a bad byte is decoded", () => {
    const bytes = Uint8Array.from([0x67, 0xe9, 0xc3, 0xa9, 0xff]);
    expect(decodeText(bytes)).toBe("g\udce9é\udcff");
  });

  test.each([
    ["overlong slash", [0xc0, 0xaf]],
    ["overlong in three bytes", [0xe0, 0x80, 0xaf]],
    ["a surrogate", [0xed, 0xb2, 0x80]],
    ["above U+10FFFF", [0xf4, 0x90, 0x80, 0x80]],
    ["cut off", [0xe2, 0x82]],
  ])("%s is not a character", (_name, list) => {
    const text = decodeText(Uint8Array.from(list));
    expect(text).toBe(String.fromCharCode(...list.map((byte) => 0xdc00 + byte)));
  });

  test("a byte order mark is kept", () => {
    expect(decodeText(Uint8Array.of(0xef, 0xbb, 0xbf))).toBe("\ufeff");
  });

  test("a string ends at NUL", () => {
    expect(decodeCString(Uint8Array.of(0x61, 0, 0x62))).toBe("a");
    expect(decodeCString(Uint8Array.of(0x61, 0x62))).toBe("ab");
  });
});
