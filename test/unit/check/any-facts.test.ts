import * as fc from "fast-check";
import { expect, test } from "vitest";
import { judge } from "../../../src/check/judge.ts";
import { RULES } from "../../../src/check/rules.ts";
import { anyGuest } from "../../support/facts-arbitrary.ts";

const MAX_TEXT = 4000;

test("no rule throws, whatever the facts; what it says is complete and bounded", () => {
  fc.assert(
    fc.property(anyGuest, (facts) => {
      for (const rule of RULES) {
        for (const { code, severity, what, why, next } of rule.check(facts)) {
          expect(code).toBe(rule.code);
          if (rule.severity !== "error") expect(severity).not.toBe("error");
          for (const text of [what, why, next]) {
            expect(text).not.toMatch(/undefined|NaN|\[object|null/);
            expect(text.trimEnd()).toBe(text);
            expect(text.length).toBeGreaterThan(0);
          }
          // A name from a guest is cut; only its own path, of 4096 bytes at most, may be long.
          expect(why.replaceAll(/x{100,}/g, "").length).toBeLessThan(MAX_TEXT);
        }
      }
    }),
    { numRuns: 500, seed: 20_211_214 },
  );
});

test("the verdict follows the findings", () => {
  fc.assert(
    fc.property(anyGuest, (facts) => {
      const { verdict, findings } = judge(facts);
      const errors = findings.filter(({ severity }) => severity === "error");
      expect(verdict === "fails").toBe(errors.length > 0);
      if (verdict === "unknown") expect(findings.length).toBeGreaterThan(0);
      const order = findings.map(({ severity }) => ["error", "warning", "note"].indexOf(severity));
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }),
    { numRuns: 500, seed: 20_211_214 },
  );
});
