import type { Where } from "./where.ts";

/** `error`: a boot, or the thing asked for, fails. `warning`: it may. `note`: worth knowing. */
export type Severity = "error" | "warning" | "note";

/** One thing domus noticed. `code` is permanent and has a page in `docs/reference/findings/`. */
export type Finding = {
  readonly code: string;
  readonly severity: Severity;
  readonly where: Where;
  readonly what: string;
  readonly why: string;
  /** The command or action that helps. */
  readonly next: string;
};

const ORDER: Record<Severity, number> = { error: 0, warning: 1, note: 2 };

/** Most severe first; the order within a severity is kept. */
export function bySeverity(findings: readonly Finding[]): Finding[] {
  return findings.toSorted((a, b) => ORDER[a.severity] - ORDER[b.severity]);
}
