import { expect, test } from "vitest";
import { table, tableOrList, wrap, wrapLabelled } from "../../../src/cli/render/text.ts";
import { printable } from "../../../src/base/printable.ts";

test("wrap breaks at spaces and leaves a long word whole", () => {
  expect(wrap("one two three /a/very/long/path end", 10)).toEqual([
    "one two",
    "three",
    "/a/very/long/path",
    "end",
  ]);
  expect(wrap("a\nb", 10)).toEqual(["a", "b"]);
});

test("a labelled text is continued under itself", () => {
  expect(wrapLabelled("next", "one two three four five six seven", 40)).toEqual([
    "  next       one two three four five six",
    "             seven",
  ]);
});

test("the last column of a table is cut to the width, the others are not", () => {
  expect(table(["A", "B"], [["longer", "0123456789abcdef"]], 20)).toEqual([
    "A       B",
    "longer  012345678...",
  ]);
});

test("what a guest writes cannot move the cursor", () => {
  expect(printable("a\u001b[2Jb\r\n\u009b\u202e\udcff")).toBe(
    "a\\x1b[2Jb\\x0d\\x0a\\x9b\\u{202e}\\xff",
  );
  expect(printable("Grüße, 日本 👍")).toBe("Grüße, 日本 👍");
});

test("a table that does not fit becomes a paragraph for each row", () => {
  const rows = [
    ["xvda1", "", "20 GiB"],
    ["xvda2", "swap", "1 GiB"],
  ];
  const header = ["DEVICE", "HOLDS", "SIZE"];
  expect(tableOrList(header, rows, 22)).toEqual([
    "DEVICE  HOLDS  SIZE",
    "xvda1          20 GiB",
    "xvda2   swap   1 GiB",
  ]);
  expect(tableOrList(header, rows, 20)).toEqual([
    "xvda1",
    "  size       20 GiB",
    "xvda2",
    "  holds      swap",
    "  size       1 GiB",
  ]);
});
