/** What domus has begun with a guest, and not ended. Pure. */
import type { Finding } from "../../base/finding.ts";
import type { OperationFact } from "./facts.ts";
import { minuteText } from "./image-findings.ts";

export function operationFindings(operations: readonly OperationFact[]): Finding[] {
  return operations.map(({ operation, running }): Finding => {
    const { kind, guest, step, startedAtMs, pid } = operation;
    const began = `begun at ${minuteText(startedAtMs)} UTC`;
    if (running)
      return {
        code: "operation-under-way",
        severity: "note",
        where: [guest],
        what: `A ${kind} of ${guest} is under way, ${began} (step ${step}, process ${pid}).`,
        why: "Until it ends the guest is in between: other commands wait or are refused.",
        next: "Let it end. Ctrl-C in its terminal takes it back where that can be done.",
      };
    return {
      code: "operation-cut-off",
      severity: "warning",
      where: [guest],
      what: `A ${kind} of ${guest} was cut off, ${began} (step ${step}).`,
      why: "Its process was killed, or the host went down. What it had done so far is written down, and nothing is lost.",
      next: `The next command that changes something recovers it, whichever it is. domus show says what ${guest} is in now.`,
    };
  });
}
