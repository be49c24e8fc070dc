/* oxlint-disable no-control-regex -- a console is full of them */
import { assert, nat, property, stringMatching } from "fast-check";
import { describe, expect, test } from "vitest";
import { ConsoleLines } from "../../../../src/guest/console/console-lines.ts";

const bytes = (text: string) => Uint8Array.from(Buffer.from(text, "latin1"));

function read(text: string) {
  const console = new ConsoleLines();
  return { lines: console.feed(bytes(text)), rest: console.rest };
}

describe("lines on a console", () => {
  test.each([
    ["lines end in CR LF", "a\r\nb\r\r\n\n\r\nc", { lines: ["a", "b"], rest: "c" }],
    [
      "what is written over a line is another",
      "50%\r100%\r\nx",
      { lines: ["50%", "100%"], rest: "x" },
    ],
    ["colours go", "[\x1b[0;32m  OK  \x1b[0m] done\n", { lines: ["[  OK  ] done"], rest: "" }],
    ["a question to the terminal goes", "/ # \x1b[6n", { lines: [], rest: "/ # " }],
    [
      "the cursor elsewhere ends a line",
      "GRUB\x1b[24;1Hgrub> ",
      { lines: ["GRUB"], rest: "grub> " },
    ],
    ["titles go", "\x1b]0;evil\x07ok\x1b]0;evil\x1b\\!\n", { lines: ["ok!"], rest: "" }],
    [
      "a title without an end is ended by its line",
      "\x1b]0;evil\nlogin: ",
      { lines: [], rest: "login: " },
    ],
    ["a character set is no text", "\x1b(Bok\n", { lines: ["ok"], rest: "" }],
    ["backspace takes back", "ab\b\b\bc\n", { lines: ["c"], rest: "" }],
    ["other controls go", "a\x00\x07\x7fb\tc\n", { lines: ["ab c"], rest: "" }],
    ["UTF-8", "gr\xc3\xbcn \xff\n", { lines: ["gr\u00fcn \udcff"], rest: "" }],
  ])("%s", (_, text, expected) => {
    expect(read(text)).toEqual(expected);
  });

  test("a line without an end is cut, and its end is kept", () => {
    const { lines, rest } = read(`${"x".repeat(100_000)}\x1b[Hweb1 login: `);
    expect(lines).toHaveLength(100);
    expect(rest).toBe("web1 login: ");
  });

  test("a sequence without an end is given up", () => {
    expect(read(`\x1b]${"x".repeat(10_000)}`).rest.length).toBeLessThanOrEqual(1000);
    expect(read(`\x1b[${"1;".repeat(10_000)}`).rest.length).toBeLessThanOrEqual(1000);
    expect(read(`\x1b${" ".repeat(300)}\nlogin: `).rest).toBe("login: ");
  });

  test("the same however it is cut; no escape gets through", () => {
    const text = stringMatching(/^(?:[\x00-\x20]|\x1b[[\]P()]?|[0-9;]|[a-zA-Z~\\]){0,60}$/);
    assert(
      property(text, nat(60), (one, at) => {
        const whole = read(one);
        const console = new ConsoleLines();
        const lines = [
          ...console.feed(bytes(one.slice(0, at))),
          ...console.feed(bytes(one.slice(at))),
        ];
        expect({ lines, rest: console.rest }).toEqual(whole);
        expect([...lines, whole.rest].join("")).not.toMatch(/[\x00-\x1f\x7f]/);
      }),
    );
  });
});
