/** Domains that have crashed and are still there: why they are, what is to be saved of them, and the way out. Pure. */
import type { Finding } from "../../base/finding.ts";
import { shellWord } from "../../check/remedy.ts";
import { loopFinding, LOOP_CRASHES } from "../watch/crash-loop.ts";
import type { DomainFact } from "./facts.ts";

/** Where xl writes the memory of a domain that crashed with coredump-...; of this name, over the one before. */
const DUMPS = "/var/lib/xen/dump";

export function crashFindings(fact: DomainFact): Finding[] {
  const { name, state, guest, watched, crashedBefore = 0 } = fact;
  if (state === "dying") return [];
  const onCrash = guest?.onCrash ?? "destroy";
  if (state === "crashed" && watched !== true)
    return watched === false && onCrash !== "preserve"
      ? [crashedUnwatched({ ...fact, onCrash })]
      : [preserved(fact)];
  const what = `has crashed ${crashedBefore} times in a row since it was started`;
  return [
    ...(crashedBefore >= LOOP_CRASHES ? [loopFinding(name, what, fact)] : []),
    ...(state === "crashed" ? [crashedJustNow(fact, onCrash)] : []),
  ];
}

type Crashed = Pick<DomainFact, "domid" | "name"> & { readonly onCrash?: string };

/** What on_crash= says did not happen, and will not. */
export function crashedUnwatched({ domid, name, onCrash = "destroy" }: Crashed): Finding {
  const meant = /restart/.test(onCrash) ? "it is not started again" : "it is not taken away";
  return {
    code: "domain-unwatched",
    severity: "error",
    where: [`domain ${domid}`],
    what: `${name} has crashed as domain ${domid}, and nobody acts on it: ${meant}.`,
    why: `on_crash is "${onCrash}" for it. The process of xl that would do so is gone, so that the domain stays as it is for ever, with its memory and its disks.`,
    next: wayOut({ domid, name }),
  };
}

function preserved({ domid, name, guest }: DomainFact): Finding {
  return {
    code: "domain-crashed",
    severity: "warning",
    where: [`domain ${domid}`],
    what: `${name} has crashed; domain ${domid} is kept as it was then, with its memory and its disks.`,
    why:
      guest?.onCrash === "preserve"
        ? 'on_crash is "preserve" for it, so that it can be looked at. It does not run, and nobody else gets its disks.'
        : "Nothing has taken it away. It does not run, and nobody else gets its disks.",
    next: wayOut({ domid, name }),
  };
}

/** xl is about to act. */
function crashedJustNow({ domid, name }: DomainFact, onCrash: string): Finding {
  const dump = onCrash.startsWith("coredump")
    ? ` It writes the domain's memory to ${DUMPS}/${name} first, which takes a while.`
    : "";
  return {
    code: "domain-crashed",
    severity: "warning",
    where: [`domain ${domid}`],
    what: `${name} has crashed just now, as domain ${domid}.`,
    why: `on_crash is "${onCrash}" for it, and the process of xl that does so is there.${dump}`,
    next: `Look again in a moment: domus show ${shellWord(name)}. If it stays so, see what that process says: /var/log/xen/xl-${name}.log.`,
  };
}

/** What to do with a domain that has crashed and stays. */
export function wayOut({ domid, name }: Pick<DomainFact, "domid" | "name">): string {
  const word = shellWord(name);
  return `Keep what says why, if that matters: xl dump-core ${domid} FILE, and its console in /var/log/xen/console. Then domus stop --destroy-after 0 ${word} takes it away, and domus start ${word} starts it anew.`;
}
