import { failureText } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { GuestFacts } from "../facts.ts";
import { imageWhere, isBuiltByXen, kernelWhere } from "../guest-boot.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "boot-file-unreadable";

export const bootFileUnreadable: Rule = {
  code,
  severity: "warning",
  summary: "domus could not read, or not make out, the kernel or the initramfs.",
  check: (facts) => [...unread(facts), ...notUnderstood(facts)],
};

/** The filesystem did not give the file. */
function unread({ boot }: GuestFacts): RuleFinding[] {
  if (!boot) return [];
  return boot.files
    .filter((file) => file.state === "unreadable")
    .map((file) => finding(file.path, file.where, file.failure));
}

/** The file is there, but domus gave up on it; damage has rules of its own. */
function notUnderstood(facts: GuestFacts): RuleFinding[] {
  const { boot } = facts;
  if (!boot) return [];
  const found: RuleFinding[] = [];
  const { kernel } = boot;
  // What Xen does not know either is told by kernel-packing and kernel-damaged.
  const told =
    isBuiltByXen(facts) && (kernel?.packing === "unknown" || kernel?.format === "unknown");
  if (kernel?.failure && isOurLimit(kernel.failure) && !told) {
    found.push(finding(kernel.path, kernelWhere(boot), kernel.failure));
  }
  for (const image of boot.initramfs) {
    const failure = image.failure ?? image.segments.find((segment) => segment.failure)?.failure;
    if (failure && isOurLimit(failure)) {
      found.push(finding(image.path, imageWhere(boot, image), failure));
    }
  }
  return found;
}

/** Says something of domus, not of the bytes. */
export function isOurLimit(failure: Failure): boolean {
  return failure.kind === "unsupported" || failure.kind === "limit";
}

function finding(path: string, where: Where, failure: Failure | undefined): RuleFinding {
  const why = failure ? failureText(failure) : "The reason was not recorded";
  return {
    code,
    severity: "warning",
    where,
    what: `domus could not read ${path}, so it cannot tell whether the guest boots.`,
    why: `${why}.`,
    next:
      failure?.kind === "corrupt"
        ? "If the guest is running, run the check again when it is stopped. If it stays so, run fsck from a rescue system, on a copy first, and install the file again."
        : "Look at the file from inside the guest. If domus should be able to read it, report it with this text.",
    undecided: true,
  };
}
