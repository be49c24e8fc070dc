/** The verdict over one guest: all findings, and whether it boots. Pure. */
import { bySeverity } from "../base/finding.ts";
import type { Finding } from "../base/finding.ts";
import type { Where } from "../base/where.ts";
import type { GuestFacts } from "./facts.ts";
import { isOtherKernel } from "./guest-boot.ts";
import { mendedAtBoot } from "./mended-boot.ts";
import { recentChange } from "./recent-change.ts";
import type { RuleFinding } from "./rule.ts";
import { BUILDER_RULES, HOST_RULES, LINUX_RULES } from "./rules.ts";

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
  const found = mendedAtBoot(facts, [
    ...facts.config.findings,
    ...diskFindings(facts),
    ...(facts.boot?.findings ?? []),
    ...firstStage(facts),
    ...HOST_RULES.flatMap((rule) => rule.check(facts)),
    ...(isOtherKernel(facts) ? [] : LINUX_RULES.flatMap((rule) => rule.check(facts))),
  ]);
  const findings = bySeverity(found);
  const all = bySeverity([...findings, ...recentChange(facts, findings)]);
  return { verdict: verdictOf(found), findings: all.map(withoutMark) };
}

/** Where GRUB is what Xen starts, Xen has to be able to start GRUB. */
function firstStage(facts: GuestFacts): RuleFinding[] {
  const stage = facts.boot?.chain?.boot;
  return stage ? BUILDER_RULES.flatMap((rule) => rule.check({ ...facts, boot: stage })) : [];
}

/** Damage where the boot does not come by is told, and stops nothing: a data partition, a disk beside the root's. */
function diskFindings(facts: GuestFacts): RuleFinding[] {
  const { boot, disks } = facts;
  const findings = disks.flatMap((disk) => disk.findings);
  const root = boot?.root?.where;
  // A root that was not found, or lies on a volume made of several disks, may need any of them.
  if (!boot || !root || !disks.some((disk) => disk.spec.vdev === root[0])) return findings;
  const needed = [boot.source, root];
  return findings.map((finding) =>
    needed.some((where) => concerns(finding.where, where)) ? finding : { ...finding, beside: true },
  );
}

/** Whether damage at `place` reaches what lies at `needed`: a table reaches all of its partitions. */
function concerns(place: Where, needed: Where): boolean {
  const [disk, inside] = place;
  if (needed[0] !== disk) return false;
  const ofPartition = inside?.startsWith("partition ") ?? false;
  const inPartition = needed[1]?.startsWith("partition ") ?? false;
  return ofPartition || !inPartition ? needed[1] === inside : true;
}

function verdictOf(found: readonly RuleFinding[]): Verdict {
  if (found.some((finding) => finding.severity === "error" && !finding.beside)) return "fails";
  return found.some((finding) => finding.undecided) ? "unknown" : "boots";
}

/** `undecided` and `beside` have done their work; what is handed on is a plain finding. */
function withoutMark({ code, severity, where, what, why, next }: RuleFinding): Finding {
  return { code, severity, where, what, why, next };
}
