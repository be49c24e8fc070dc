import type { Finding, Severity } from "../base/finding.ts";
import type { GuestFacts } from "./facts.ts";

/**
 * A rule is pure: facts in, findings out. One file each in `rules/`, one page each in `docs/reference/findings/`.
 * It says nothing when the facts that it needs are absent: the survey has already said why they are.
 */
export type Rule = {
  /** Permanent. Also the file name of the rule and of its page. */
  readonly code: string;
  /** The highest severity that it can give. */
  readonly severity: Severity;
  /** One line for `domus explain` without a code. */
  readonly summary: string;
  check(facts: GuestFacts): Finding[];
};
