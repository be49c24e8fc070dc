import { describe, expect, test } from "vitest";
import { encodeText } from "../../../../../src/bytes/text.ts";
import { foldName } from "../../../../../src/disk/fs/ext4/case-fold.ts";

const fold = (text: string) => foldName(encodeText(text));

describe("names that are the same", () => {
  test.each([
    ["GRUB.CFG", "grub.cfg"],
    ["É", "e\u0301"],
    ["straße", "STRASSE"],
    ["ẞ", "ss"],
    ["ΣΊΣΥΦΟΣ", "σίσυφος"],
    ["ſ", "s"],
    ["µ", "μ"],
    ["\u212a", "k"],
    ["ﬁle", "FILE"],
    ["İ", "i\u0307"],
    ["a\u00adb\u200d", "AB"],
    ["Ꭰ", "ꭰ"],
    ["각", "\u1100\u1161\u11a8"],
  ])("%s and %s", (a, b) => expect(fold(a)).toBe(fold(b)));
});

describe("names that are not", () => {
  test.each([
    ["ı", "i"],
    ["e", "é"],
    ["a", "b"],
    ["ﬁ", "fl"],
    ["²", "2"],
  ])("%s and %s", (a, b) => expect(fold(a)).not.toBe(fold(b)));

  test("bytes that are not UTF-8", () => {
    expect(foldName(Uint8Array.of(0x41, 0xff))).toBeUndefined();
  });
});
