import { describe, expect, test } from "vitest";
import { FailureError } from "../../../../src/base/failure.ts";
import type { Failure } from "../../../../src/base/failure.ts";
import {
  integerIn,
  parseMetadataText,
  stringIn,
  valuesIn,
} from "../../../../src/disk/lvm/metadata-text.ts";
import { survivesMutation } from "../../../support/mutate.ts";
import { groupText, linear, lvmId } from "../../../support/lvm.ts";

const parse = (text: string) => parseMetadataText(text, ["xvda"]);

function failureOf(text: string): Failure {
  try {
    parse(text);
  } catch (error) {
    if (error instanceof FailureError) return error.failure;
    throw error;
  }
  throw new Error("no failure");
}

/** Of the best of three runs, since other work on the machine only adds. */
function time(text: string): number {
  const runs = [1, 2, 3].map(() => {
    const start = performance.now();
    try {
      parse(text);
    } catch (error) {
      if (!(error instanceof FailureError)) throw error;
    }
    return performance.now() - start;
  });
  return Math.min(...runs);
}

describe("LVM2's config text", () => {
  test("sections, integers, strings, lists, comments", () => {
    const text = `# head
vg-0 { size=8192#tight
  name = "a \\"b\\" \\\\ # { ] c"	# tail
  other = 'a \\ b'
  empty = []
  list = [ "pv0", 0,
    "pv1", -5, ]
  inner { deep { hex = 0x10 } }
}
version = 1`;
    const root = parse(text);
    const group = root.sections.get("vg-0")!;
    expect(integerIn(group, "size")).toBe(8192);
    expect(stringIn(group, "name")).toBe('a "b" \\ # { ] c');
    expect(stringIn(group, "other")).toBe("a \\ b");
    expect(valuesIn(group, "empty")).toEqual([]);
    expect(valuesIn(group, "list")).toEqual(["pv0", 0, "pv1", -5]);
    const deep = group.sections.get("inner")!.sections.get("deep")!;
    expect(integerIn(deep, "hex")).toBe(16);
    expect(integerIn(root, "version")).toBe(1);
    expect(parse("").sections.size).toBe(0);
  });

  test("of several with one name the first counts", () => {
    const root = parse('a = 1 a = 2 s { x = "first" } s { x = "second" }');
    expect(integerIn(root, "a")).toBe(1);
    expect(stringIn(root.sections.get("s")!, "x")).toBe("first");
  });

  test("names of Object's own are names", () => {
    const root = parse("__proto__ { constructor = 7 } toString = 8");
    expect(integerIn(root.sections.get("__proto__")!, "constructor")).toBe(7);
    expect(integerIn(root, "toString")).toBe(8);
  });

  test.each([
    ["a = 1\n  b = ", 2, 7, "the end"],
    ["a = 1\n  b = }", 2, 7, '"}"'],
    ["a {\n b = 1\n", 3, 1, "the end in section a"],
    ["}", 1, 1, '"}"'],
    ["a = 1.5", 1, 5, '"1.5"'],
    ["a = x", 1, 5, '"x"'],
    ["a = 010", 1, 5, '"010"'],
    ["a 1", 1, 3, '"1"'],
    ['"a" = 1', 1, 1, 'the string "a"'],
    ['a = "b\n', 1, 5, "a string without an end"],
    ['a = "b\\"', 1, 5, "a string without an end"],
    ["a = [ 1 2 ]", 1, 9, '"2"'],
    ["a = [ 1, , ]", 1, 10, '","'],
    ["a = [ 1", 1, 8, "the end"],
  ])("%j is refused with its place", (text, line, column, found) => {
    expect(failureOf(text)).toMatchObject({ kind: "syntax", where: ["xvda"], line, column, found });
  });

  test("values that make no sense are refused with their place", () => {
    const root = parse('a = "x"\n  b = -1\nc = 9007199254740993\nd = []\ne = 5');
    expect(() => integerIn(root, "a")).toThrow("xvda:1:1: found a = x");
    expect(() => integerIn(root, "b")).toThrow("xvda:2:3: found b = -1");
    expect(() => integerIn(root, "c")).toThrow("c = 9007199254740992");
    expect(() => integerIn(root, "d")).toThrow("found the text with 0, expected one value for d");
    expect(() => stringIn(root, "e")).toThrow("e = 5");
    expect(() => stringIn(root, "f")).toThrow("one value for f");
  });

  test("more depth or values than any group needs", () => {
    expect(failureOf("a {".repeat(9))).toMatchObject({ kind: "limit" });
    expect(failureOf("a=1 ".repeat(400_001))).toMatchObject({ kind: "limit" });
    expect(failureOf(`a = [${"1,".repeat(400_001)}]`)).toMatchObject({ kind: "limit" });
  });

  test("time grows as the text does", () => {
    const shapes: readonly ((size: number) => string)[] = [
      (size) => `a = "${"\\\\".repeat(size / 2)}"`,
      (size) => `a = "${"x".repeat(size)}`,
      (size) => "#\n".repeat(size / 2),
      (size) => " ".repeat(size),
      (size) => "x".repeat(size),
      (size) => "#".repeat(size),
      (size) => `${"a{}".repeat(size / 8)}"`,
    ];
    for (const shape of shapes) {
      // Eight times the text; a quadratic parser would take 64 times as long.
      expect(time(shape(800_000))).toBeLessThan(30 * Math.max(5, time(shape(100_000))));
    }
  });

  test("damaged", async () => {
    const pvs = [{ name: "pv0", id: lvmId("A"), start: 2048, count: 8 }];
    const lvs = [{ name: "root", segments: [linear(0, 2, "pv0", 0), linear(2, 1, "pv0", 5)] }];
    const text = groupText({ pvs, lvs });
    const run = await survivesMutation(
      [Buffer.from(text)],
      (bytes) => parse(Buffer.from(bytes).toString("latin1")),
      { count: 1000 },
    );
    expect(run.failures).toBeGreaterThan(0);
    expect(run.values).toBeGreaterThan(0);
  });
});
