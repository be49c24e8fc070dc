import { expect, test } from "vitest";
import { parseEnvBlock } from "../../../../../src/boot/loader/grub2/env-block.ts";
import { encodeText } from "../../../../../src/bytes/text.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { envBlock } from "./run.ts";

function parse(text: string) {
  return parseEnvBlock(encodeText(text), ["grubenv"]);
}

test("names and values", () => {
  expect(parse(envBlock("# warning", "a=1", "b=", "c=x=y", "d=1\\\\2\\\n3"))).toEqual([
    ["a", "1"],
    ["b", ""],
    ["c", "x=y"],
    ["d", "1\\2\n3"],
  ]);
});

test("what is cut off ends it", () => {
  expect(parse("# GRUB Environment Block\na=1\nb=2")).toEqual([["a", "1"]]);
  expect(parse("# GRUB Environment Block\na=1\nrubbish")).toEqual([["a", "1"]]);
});

test("another file", () => {
  expect(() => parse("a=1\n")).toThrow(/does not begin as an environment block/);
});

test("damaged blocks", async () => {
  const input = encodeText(envBlock("saved_entry=a>b", "x=\\\\", "y=1"));
  await survivesMutation([input], (bytes) => parseEnvBlock(bytes, ["grubenv"]), { count: 2_000 });
});
