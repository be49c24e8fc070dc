import { failureText } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import type { DiskFacts } from "../facts.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "disk-unreadable";

export const diskUnreadable: Rule = {
  code,
  severity: "warning",
  summary: "domus could not read a disk, so it cannot tell what is on it.",
  check: ({ disks, config }) =>
    disks
      // A finding about the disk that says why already, such as a wrong format=, is enough.
      .filter(({ state, findings }) => state === "unreadable" && !findings.some(isError))
      .map((disk) => finding(disk, [...config.where, disk.spec.vdev])),
};

function finding({ spec, target, failure }: DiskFacts, where: readonly string[]): RuleFinding {
  const base = {
    code,
    severity: "warning" as const,
    where,
    what: `domus could not read the disk ${spec.vdev} (${target}).`,
  };
  if (failure && isDenied(failure)) {
    return {
      ...base,
      why: `This user may not open it (${failureText(failure)}). That says nothing about the guest.`,
      next: "Run domus as root.",
      undecided: true,
    };
  }
  const why = failure ? failureText(failure) : "The reason was not recorded";
  if (failure?.kind === "io") {
    return {
      ...base,
      why: `${why}. A guest that reads there gets an error too.`,
      next: "Look for errors of that device in dom0: dmesg, smartctl -a. Copy the disk before anything else (ddrescue).",
      undecided: true,
    };
  }
  return {
    ...base,
    why: `${why}.`,
    next: "If the guest is running, run the check again when it is stopped: its disk changes under the reader.",
    undecided: true,
  };
}

function isError({ severity }: Finding): boolean {
  return severity === "error";
}

function isDenied(failure: Failure): boolean {
  return failure.kind === "io" && (failure.errno === "EACCES" || failure.errno === "EPERM");
}
