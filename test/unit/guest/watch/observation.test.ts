import { expect, test } from "vitest";
import { isMaker, parseXlProcess } from "../../../../src/guest/watch/observation.ts";

const xl = (...words: readonly string[]) =>
  parseXlProcess(7, ["/usr/lib/xen-4.17/bin/xl", ...words, ""].join("\0"));

test.each([
  ["create", "create"],
  ["cr", "create"],
  ["restore", "restore"],
  ["rest", "restore"],
  ["sa", "save"],
  ["migrate", "migrate"],
  ["migrate-rec", "migrate-receive"],
  ["dest", "destroy"],
  ["list", "list"],
])("xl %s is xl %s", (typed, verb) => {
  expect(xl("-v", typed, "-p", "/x")).toEqual({ pid: 7, verb, words: ["/x"] });
});

test("what makes domains does so under an abbreviation", () => {
  expect(["cr", "rest", "migrate-r"].map((verb) => isMaker(xl(verb, "/x")!))).toEqual([
    ...[true, true, true],
  ]);
  expect(xl()).toBe(undefined);
  expect(parseXlProcess(7, "vim\0/etc/xen/xl\0")).toBe(undefined);
});
