/** The same cases as test/real/boot/grub2/execute.test.ts asks the real `test` of GRUB. */
import { expect, test } from "vitest";
import { evaluateTest } from "../../../../../src/boot/loader/grub2/test-command.ts";
import type { FileInfo } from "../../../../../src/boot/loader/grub2/test-command.ts";

const FILES: Record<string, FileInfo> = {
  "/old": { directory: false, sizeBytes: 1, mtime: 100 },
  "/new": { directory: false, sizeBytes: 0, mtime: 200 },
  "/dir": { directory: true, sizeBytes: 4096, mtime: 0 },
};

test.each([
  ["a = a", true],
  ["a != b", true],
  ["b < a", false],
  ["B < a", true],
  ["10 -gt 9", true],
  ["0x10 -eq 16", true],
  ["010 -eq 8", true],
  ["-1 -lt 0", true],
  ["x -eq 0", true],
  ["! x", false],
  ["a = b -o c = c", true],
  ["a = b -a c = c", false],
  ["a = a -o b = c -a d = e", true],
  ["a = b -o b = b -a d = e", false],
  ["( a = b -o c = c ) -a d = d", true],
  ["! ( a = a )", false],
  ["! a = b -a x", true],
  ["( a", true],
  ["a = b ) x", false],
  ["-o", true],
  ["a =", true],
  ["vmlinuz-2 -plt vmlinuz-11", true],
  ["vmlinuz-12 -plt vmlinuz-11", false],
  ["-f /old", true],
  ["-f /dir", false],
  ["-d /dir", true],
  ["-e /nope", false],
  ["-s /old", true],
  ["-s /new", false],
  ["/new -nt /old", true],
  ["/new -nt-200 /old", false],
  ["/old -ot /new", true],
  ["/old -nt /nope", true],
  ["/nope -ot /old", true],
  ["-f", true],
])("%s", async (words, value) => {
  expect(await evaluateTest(words.split(" "), async (path) => FILES[path])).toBe(value);
});

test("no words", async () => {
  expect(await evaluateTest([], async () => undefined)).toBe(true);
  expect(await evaluateTest([""], async () => undefined)).toBe(false);
});
