import type { Finding, Severity } from "../base/finding.ts";
import type { GuestFacts } from "./facts.ts";

/**
 * `undecided`: because of it nobody can say that the guest boots; the verdict is then `unknown` at best.
 * `beside`: an error that the boot does not come by; it takes nothing from the verdict.
 */
export type RuleFinding = Finding & { readonly undecided?: true; readonly beside?: true };

/**
 * A rule is pure: facts in, findings out. One file each in `rules/`, one page each in `docs/reference/findings/`.
 * It says nothing when the facts that it needs are absent: the survey has already said why they are.
 *
 * A finding of severity `error` says that the boot fails for certain. What merely may fail is a `warning`, and
 * `undecided` when it could be the end of the boot and nothing that was read tells.
 */
export type Rule = {
  /** Permanent. Also the file name of the rule and of its page. */
  readonly code: string;
  /** The highest severity that it can give. */
  readonly severity: Severity;
  /** One line for `domus explain` without a code. */
  readonly summary: string;
  check(facts: GuestFacts): RuleFinding[];
};
