import { expect, test } from "vitest";
import { parseOptions } from "../../../../../src/boot/loader/grub2/options.ts";

const SPECS = [
  { long: "set", short: "s", value: "optional" },
  { long: "hint", short: "h", value: "required" },
  { long: "quiet", short: "q" },
] as const;

function parse(words: string, acceptDash = false) {
  const parsed = parseOptions(words.split(" "), SPECS, { acceptDash });
  return parsed && [Object.fromEntries(parsed.options), parsed.rest.join(" ")];
}

test.each([
  ["--set=root a", { set: ["root"] }, "a"],
  ["--set root a", { set: ["root"] }, "a"],
  ["a --set", { set: [""] }, "a"],
  ["--set --quiet a", { set: [""], quiet: [""] }, "a"],
  ["-qs root a", { quiet: [""], set: ["root"] }, "a"],
  ["-h -q a", { hint: ["-q"] }, "a"],
  ["--hint=a --hint=b", { hint: ["a", "b"] }, ""],
  ["a -- --quiet -x", {}, "a --quiet -x"],
  ["a - b", {}, "a - b"],
])("%s", (words, options, rest) => {
  expect(parse(words)).toEqual([options, rest]);
});

test.each(["--hint", "--quiet=x", "--nope", "-x", "-qx", "a --hint --quiet"])(
  "%s is refused",
  (words) => {
    expect(parse(words)).toBeUndefined();
  },
);

test("unknown options can be ordinary words", () => {
  expect(parse("--nope -x a", true)).toEqual([{}, "--nope -x a"]);
});
