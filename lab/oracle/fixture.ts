/** What was printed in a failed start, cut to what is about the failure: kept in test/corpus/console. Pure. */
import { RELEASES } from "../releases.ts";
import type { OracleResult } from "./report.ts";

/** Lines of a console that are about the failure wherever they stand. */
const ABOUT =
  /Linux version|[Cc]ommand line|[Ii]nitramfs|initrd|VFS: (Cannot|Unable|Mounted)|panic|[Oo]ut of memory|oom|xenbus|blkfront|xvda|EXT4-fs|BTRFS|domus-lab|mount|modprobe/;
/** From the end on, all lines are kept. */
const LAST_LINES = 24;

export type Fixture = { readonly name: string; readonly text: string };

/** Named after the first error that check foretold and the release of Xen; undefined for a guest that did not fail so. */
export function fixtureOf({ release, said, seen, comparison }: OracleResult): Fixture | undefined {
  const code = said.findings.find(({ severity }) => severity === "error")?.code;
  const failed = seen.outcome !== "userland" && seen.outcome !== "built";
  if (code === undefined || !failed || !comparison.agrees) return undefined;
  const parts = [seen.xl, trimmed(seen.console)].filter((part) => part !== "");
  return { name: `${code}-xen-${RELEASES[release].xen}`, text: `${parts.join("\n")}\n` };
}

/** The lines about the failure and the last ones; `[...]` where others were. */
function trimmed(console: string): string {
  const lines = console.trimEnd().split("\n");
  const kept: string[] = [];
  for (const [at, line] of lines.entries()) {
    if (at >= lines.length - LAST_LINES || ABOUT.test(line)) kept.push(line.trimEnd());
    else if (kept.at(-1) !== GAP) kept.push(GAP);
  }
  return kept.join("\n").trim();
}

const GAP = "[...]";
