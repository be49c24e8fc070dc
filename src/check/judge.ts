/** The verdict over one guest: all findings, and whether it boots. Pure. */
import { bySeverity } from "../base/finding.ts";
import type { Finding } from "../base/finding.ts";
import type { GuestFacts } from "./facts.ts";
import { isOtherKernel } from "./guest-boot.ts";
import { recentChange } from "./recent-change.ts";
import type { RuleFinding } from "./rule.ts";
import { HOST_RULES, LINUX_RULES } from "./rules.ts";

/**
 * `fails`: an error finding stops the boot. `unknown`: something that decides could not be read or told, and a finding
 * says what. `boots`: neither.
 */
export type Verdict = "boots" | "fails" | "unknown";

export type Judgement = {
  readonly verdict: Verdict;
  /** Most severe first, then in the order in which the boot would hit them. */
  readonly findings: readonly Finding[];
};

/** Merges what the config, the disks and the loader brought with what the rules find. */
export function judge(facts: GuestFacts): Judgement {
  const found: RuleFinding[] = [
    ...facts.config.findings,
    ...facts.disks.flatMap((disk) => disk.findings),
    ...(facts.boot?.findings ?? []),
    ...HOST_RULES.flatMap((rule) => rule.check(facts)),
    ...(isOtherKernel(facts) ? [] : LINUX_RULES.flatMap((rule) => rule.check(facts))),
  ];
  const findings = bySeverity(found);
  const all = bySeverity([...findings, ...recentChange(facts, findings)]);
  return { verdict: verdictOf(found), findings: all.map(withoutMark) };
}

function verdictOf(found: readonly RuleFinding[]): Verdict {
  if (found.some((finding) => finding.severity === "error")) return "fails";
  return found.some((finding) => finding.undecided) ? "unknown" : "boots";
}

/** `undecided` has done its work; what is handed on is a plain finding. */
function withoutMark({ code, severity, where, what, why, next }: RuleFinding): Finding {
  return { code, severity, where, what, why, next };
}
