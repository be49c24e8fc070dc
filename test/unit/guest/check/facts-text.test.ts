import * as fc from "fast-check";
import { expect, test } from "vitest";
import { factsToText, textToFacts } from "../../../../src/guest/check/facts-text.ts";
import { anyGuest } from "../../../support/facts-arbitrary.ts";

test("maps, sets, bigints and odd strings come back as they were", () => {
  const facts = {
    entry: 0xffff_ffff_8000_0000n,
    modules: new Map([["6.1", { loadable: new Set(["ext4", "\udc80"]), builtin: new Set() }]]),
    config: new Map([["$set", "y"]]),
    list: [1n, null, [new Set([2n])], "__proto__"],
    no: false,
    odd: [NaN, Infinity, -Infinity],
  };
  expect(textToFacts(factsToText(facts))).toStrictEqual(facts);
});

test("all that rules may be given comes back", () => {
  fc.assert(
    fc.property(anyGuest, (facts) => {
      expect(textToFacts(factsToText(facts))).toEqual(facts);
    }),
    { numRuns: 50 },
  );
});

test.each([new Uint8Array(1), /x/])("%o would not come back", (value) => {
  expect(() => factsToText({ value })).toThrow(TypeError);
});
