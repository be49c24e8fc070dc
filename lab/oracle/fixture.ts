/** What was printed in a failed start, cut to what is about the failure: kept in test/corpus/console. Pure. */
import { RELEASES } from "../releases.ts";
import type { OracleResult } from "./report.ts";

/** Before the last of these lines, a console has nothing but the start of a kernel. */
const FIRST_WORD =
  /Kernel command line|Trying to unpack|Unpacking initramfs|Initramfs unpacking failed/;
const MAX_LINES = 60;

export type Fixture = { readonly name: string; readonly text: string };

/** Named after the first error that check foretold and the release of Xen; undefined for a guest that did not fail so. */
export function fixtureOf({ release, said, seen, comparison }: OracleResult): Fixture | undefined {
  const code = said.findings.find(({ severity }) => severity === "error")?.code;
  const failed = seen.outcome !== "userland" && seen.outcome !== "built";
  if (code === undefined || !failed || !comparison.agrees) return undefined;
  const parts = [seen.xl, trimmed(seen.console)].filter((part) => part !== "");
  return { name: `${code}-xen-${RELEASES[release].xen}`, text: `${parts.join("\n")}\n` };
}

/** The kernel's version, and from its command line on: at most MAX_LINES, of which most from the end. */
function trimmed(console: string): string {
  const lines = console.trimEnd().split("\n");
  const from = lines.findIndex((line) => FIRST_WORD.test(line));
  const about = from < 0 ? lines : [...lines.slice(0, 1), ...lines.slice(from)];
  const kept =
    about.length <= MAX_LINES
      ? about
      : [...about.slice(0, 2), "[...]", ...about.slice(3 - MAX_LINES)];
  return kept
    .map((line) => line.trimEnd())
    .join("\n")
    .trim();
}
