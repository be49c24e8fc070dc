import { expect, test } from "vitest";
import { directoryOf, fileName, singleSlashes } from "../../../src/base/path.ts";

test.each([
  ["/boot/vmlinuz", "/boot", "vmlinuz"],
  ["/vmlinuz", "/", "vmlinuz"],
  ["vmlinuz", "/", "vmlinuz"],
  ["/boot/", "/boot", ""],
  ["/a\nb/c", "/a\nb", "c"],
])("%j", (path, directory, name) => {
  expect(directoryOf(path)).toBe(directory);
  expect(fileName(path)).toBe(name);
});

test("slashes that follow each other are one", () => {
  expect(singleSlashes("//boot///vmlinuz/x")).toBe("/boot/vmlinuz/x");
});
