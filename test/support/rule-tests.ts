/** The tests that every rule gets: its full text when it fires, and silence when it should be silent. */
import { describe, expect, test } from "vitest";
import type { GuestFacts } from "../../src/check/facts.ts";
import type { Rule } from "../../src/check/rule.ts";
import { bareGuest, goodGuest } from "./facts.ts";

/** `warning?` is a warning that leaves the verdict undecided. */
export type Expected = "error" | "warning" | "note" | "warning?" | "note?";

export type RuleTests = {
  readonly fires: Readonly<Record<string, readonly [facts: GuestFacts, expected: Expected]>>;
  readonly silent?: Readonly<Record<string, GuestFacts>>;
  /** For the rules that speak just when nothing is there. */
  readonly speaksOnBareGuest?: boolean;
};

export function testRule(
  rule: Rule,
  { fires, silent = {}, speaksOnBareGuest = false }: RuleTests,
): void {
  describe(rule.code, () => {
    for (const [name, [facts, expected]] of Object.entries(fires)) {
      test(`fires: ${name}`, () => {
        const findings = rule.check(facts);
        expect(
          findings.map(({ severity, undecided }) => severity + (undecided ? "?" : "")),
        ).toEqual([expected]);
        expect(findings.every((finding) => finding.code === rule.code)).toBe(true);
        const text = findings.map(({ what, why, next, where }) =>
          [`where: ${where.join(" > ")}`, `what: ${what}`, `why: ${why}`, `next: ${next}`].join(
            "\n",
          ),
        );
        expect(text.join("\n\n")).toMatchSnapshot();
      });
    }
    const quiet = {
      "a good guest": goodGuest(),
      ...(speaksOnBareGuest ? {} : { "a guest of which nothing is known": bareGuest() }),
      ...silent,
    };
    for (const [name, facts] of Object.entries(quiet)) {
      test(`silent: ${name}`, () => expect(rule.check(facts)).toEqual([]));
    }
  });
}
