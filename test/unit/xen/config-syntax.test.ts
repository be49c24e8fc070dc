import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import { cpuTime } from "../../support/cpu-time.ts";
import { decodeText } from "../../../src/bytes/text.ts";
import { parseLong, settingsOf } from "../../../src/xen/config-settings.ts";
import type { ConfigValue } from "../../../src/xen/config-syntax.ts";
import { parseConfig, printConfig } from "../../../src/xen/config-syntax.ts";
import { survivesMutation } from "../../support/mutate.ts";

const PANDORA = `# Pandora's own config
name = 'pandora'   # lives on hosta
memory = 0x200; vcpus = 2
kernel = "/boot/vmlinuz"

disk = [
  'phy:/dev/vg0/pandora,xvda,w',   # root
  'phy:/dev/vg0/swap,xvdb,w',
]
extra  = "ro"
extra += " quiet"
vnuma = [ [ "pnode=0", "size=512" ], [ "pnode=1", "size=512" ] ]`;

function plain(value: ConfigValue | { kind: "list"; items: readonly ConfigValue[] }): unknown {
  return value.kind === "list" ? value.items.map(plain) : value.text;
}

function read(text: string): Record<string, unknown> {
  const settings = settingsOf(parseConfig(text));
  return Object.fromEntries(
    [...settings].map(([key, { value }]) => [
      key,
      value.kind === "list" ? plain(value) : value.text,
    ]),
  );
}

function problems(text: string): string[] {
  return parseConfig(text, ["guest.cfg"]).problems.map(
    ({ kind, failure: { line, column, found, expected } }) =>
      `${kind} ${line}:${column} ${found} | ${expected}`,
  );
}

describe("what xl takes", () => {
  test("comments, several statements on a line, lists over lines, +=, nested lists, no final newline", () => {
    expect(problems(PANDORA)).toEqual([]);
    expect(read(PANDORA)).toEqual({
      name: "pandora",
      memory: "0x200",
      vcpus: "2",
      kernel: "/boot/vmlinuz",
      disk: ["phy:/dev/vg0/pandora,xvda,w", "phy:/dev/vg0/swap,xvdb,w"],
      extra: "ro quiet",
      vnuma: [
        ["pnode=0", "size=512"],
        ["pnode=1", "size=512"],
      ],
    });
  });

  test("a key given twice has its last value, and remembers the first", () => {
    const setting = settingsOf(parseConfig("memory=1\nmemory=2\n")).get("memory")!;
    expect(setting.value).toMatchObject({ kind: "string", text: "2" });
    expect(setting.overridden.map(({ line }) => line)).toEqual([1]);
    expect(setting.start.line).toBe(2);
  });

  test("escapes; an octal escape is dropped, and remembered", () => {
    const file = parseConfig(String.raw`a = 'it\'s\t\\' ; b = 'x\101y'`);
    expect(file.problems).toEqual([]);
    expect(read(String.raw`a = 'it\'s\t\\' ; b = 'x\101y'`)).toEqual({ a: "it's\t\\", b: "xy" });
    expect(file.droppedEscapes.map(({ column }) => column)).toEqual([23]);
  });

  test.each([
    ["a=[]", []],
    ["a=[ ]", []],
    ["a=[\n\n]", []],
    ["a=['x',]", ["x"]],
    ["a=['x',\n]", ["x"]],
    ["a=['x' # c\n,\n'y']", ["x", "y"]],
    ["a=[[]]", [[]]],
    ["a=[[],[[1]]]", [[], [["1"]]]],
    ["a=[1,[2,],]", ["1", ["2"]]],
  ])("%j", (text, expected) => {
    expect(problems(text)).toEqual([]);
    expect(read(text)).toEqual({ a: expected });
  });

  test.each(["", "\n", ";", " ; ;\n", "#\n", "#", "# c\n#", "a=1#"])(
    "nothing wrong in %j",
    (text) => {
      expect(problems(text)).toEqual([]);
    },
  );
});

describe("what xl refuses", () => {
  test.each([
    ["Name = 'x'\n", "syntax 1:1 Name | a key in lower-case letters"],
    ["nAme = 1\n", "syntax 1:2 Ame | a key in lower-case letters"],
    ["a = 'x\n", "syntax 1:5 'x | a closing ' on the same line"],
    [
      "a = 'x' 'y'\n",
      "syntax 1:9 'y' | one value: xl does not join strings that stand side by side",
    ],
    [
      "a = ['x' 'y']\n",
      "syntax 1:10 'y' | one value: xl does not join strings that stand side by side",
    ],
    ["a = [,]\n", "syntax 1:6 , | a value: a quoted string, a number or a [list]"],
    ["a = [1,,2]\n", "syntax 1:8 , | a value: a quoted string, a number or a [list]"],
    ["a = [1\n", "syntax 2:1 the end of the file | , or ] in the list"],
    ["a =\n", "syntax 1:4 the end of the line | a value: a quoted string, a number or a [list]"],
    ["a\n", "syntax 1:2 the end of the line | = after a"],
    ["a = 0X40\n", "syntax 1:6 X40 | the end of the line or ;"],
    [
      "a=1\n# end",
      "syntax 2:1 a comment on the last line, which has no line end | a newline after it (xl wants one there)",
    ],
    ["a='x'\na+=['y']\n", "syntax 2:4 a list | a string, which a is since line 1"],
    [
      String.raw`a='\x41'`,
      String.raw`syntax 1:4 the escape \x | the character itself: xl's own reading of \x is broken`,
    ],
    ["a=\u201cx\u201d\n", "syntax 1:3 \u201cx\u201d | plain ASCII: quotes are ' or \""],
    [
      "a=1\r\n",
      "line-end 1:4 a carriage return | a plain line end: the file has Windows line ends (CRLF)",
    ],
  ])("%j", (text, expected) => {
    expect(problems(text)).toEqual([expected]);
  });

  test.each([
    ["vnc = True\n", "1:7 the Python value True"],
    ["import os\n", "1:8 the Python statement import"],
    ["name = guest\n", "1:8 the Python name guest"],
    ["name = 'a' + 'b'\n", "1:12 the Python expression 'a' +"],
    ["memory = 64*4\n", "1:12 the Python expression 64 *4"],
    ["disk = ('a', 'b')\n", "1:8 the Python bracket ("],
    ["disk = [ 'phy:%s,xvda,w' % vol ]\n", "1:26 the Python expression 'phy:%s,xvda,w' %"],
    ["disk = [ VOL ]\n", "1:10 the Python name VOL"],
    ["VG = '/dev/vg0'\n", "1:1 the Python variable VG"],
    ["if x:\n", "1:4 the Python statement if"],
    ["extra = '''a'''\n", "1:11 a Python triple-quoted string"],
    ["extra = r'a'\n", "1:9 a Python string prefix"],
  ])("and is xm's Python: %j", (text, expected) => {
    expect(problems(text)).toEqual([
      expect.stringMatching(new RegExp(`^python ${escape(expected)} \\|`)),
    ]);
  });

  test("all problems come out at once, and a broken list is skipped with its lines", () => {
    const text =
      "vnc=True\ndisk = [ 'a' + b,\n  'c',\n]\nmemory=3\nname='x'y\ncpu=[ 'a'\nvcpus=1\n";
    expect(problems(text).map((problem) => problem.split(" ")[1])).toEqual([
      "1:5",
      "2:14",
      "6:9",
      "8:1",
    ]);
    expect(read(text)).toMatchObject({ memory: "3" });
  });

  test("lists in lists have a bound", () => {
    expect(problems(`a=${"[".repeat(33)}`)).toEqual([
      "syntax 1:35 [ | fewer lists inside each other",
    ]);
  });
});

function escape(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

test.each([
  ["10", 10n],
  ["010", 8n],
  ["0x1F", 31n],
  ["-5", -5n],
  [" 7", 7n],
  ["0", 0n],
  ["00", 0n],
  ["0x0000000000000000000000000000001", 1n],
  ["9223372036854775807", 9223372036854775807n],
  ["-9223372036854775808", -9223372036854775808n],
  ["9223372036854775808", undefined],
  ["777777777777777777777", undefined],
  ["09", undefined],
  ["1f", undefined],
  ["0x", undefined],
  ["5 ", undefined],
  ["", undefined],
])("the number %j", (text, expected) => {
  expect(parseLong(text)).toBe(expected);
});

const WORDS = [
  "a",
  "name",
  "memory",
  "A",
  "_",
  "=",
  "+=",
  "'x'",
  '"y"',
  "'",
  '"',
  "1",
  "0x1f",
  "010",
  "[",
  "]",
  ",",
  ";",
  "\n",
  "\n",
  " ",
  "\t",
  "\r",
  "# c",
  "#",
  "\\",
  "(",
  "+",
  "True",
  "é",
  "'\\101'",
  "'\\q'",
  "''",
];

describe("properties", () => {
  test("printing what was parsed gives the file back", () => {
    fc.assert(
      fc.property(
        fc.array(fc.constantFrom(...WORDS)).map((words) => words.join("")),
        (text) => {
          expect(printConfig(parseConfig(text))).toBe(text);
        },
      ),
      { numRuns: 300 },
    );
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => printConfig(parseConfig(text)) === text),
    );
  });

  test("ranges point at the tokens of their value", () => {
    const file = parseConfig(PANDORA);
    const printed = file.assignments.map(({ range: { first, last } }) =>
      file.tokens
        .slice(first, last + 1)
        .map((token) => token.text)
        .join(""),
    );
    expect(printed).toContain("memory = 0x200");
    expect(printed.find((text) => text.startsWith("disk"))).toMatch(/^disk = \[\n[^]*\n\]$/);
    for (const token of file.tokens) {
      expect(PANDORA.slice(token.start.offset).startsWith(token.text)).toBe(true);
      expect(PANDORA.slice(0, token.start.offset).split("\n")).toHaveLength(token.start.line);
    }
  });

  test("damaged configs give a tree or problems", async () => {
    await survivesMutation(
      [new TextEncoder().encode(PANDORA)],
      (bytes) => settingsOf(parseConfig(decodeText(bytes))),
      { count: 1000, maxMs: 200 },
    );
  });

  test("time grows with the length, not faster", () => {
    const evil = ["[", "'\\", "a=[", "a='x'y\n", "]", "a=[1\n", "# ", "a=[[1],\n"];
    for (const piece of evil) {
      const took = cpuTime();
      parseConfig(piece.repeat(10_000));
      expect(took()).toBeLessThan(1000);
    }
  });
});
