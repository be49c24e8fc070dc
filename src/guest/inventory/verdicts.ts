/** What the last boot check said of each guest, as it is kept in the state directory. Pure. */

export type CheckVerdict = {
  readonly verdict: "boots" | "fails" | "unknown";
  /** Milliseconds since 1970. */
  readonly atMs: number;
};

/** By the path of the config, after all symlinks. */
export type Verdicts = ReadonlyMap<string, CheckVerdict>;

const VERSION = 1;
/** The oldest go first. */
const MAX_GUESTS = 4096;
const VERDICTS: ReadonlySet<unknown> = new Set(["boots", "fails", "unknown"]);

export function formatVerdicts(verdicts: Verdicts): string {
  const newest = [...verdicts].toSorted(([, a], [, b]) => b.atMs - a.atMs).slice(0, MAX_GUESTS);
  return JSON.stringify({ version: VERSION, checks: Object.fromEntries(newest) });
}

/** Empty for what is damaged, or of another version. */
export function parseVerdicts(text: string): Verdicts {
  const found = new Map<string, CheckVerdict>();
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    return found;
  }
  if (typeof kept !== "object" || kept === null) return found;
  const { version, checks } = kept as { version?: unknown; checks?: unknown };
  if (version !== VERSION || typeof checks !== "object" || checks === null) return found;
  for (const [path, check] of Object.entries<unknown>(checks as Record<string, unknown>)) {
    if (typeof check !== "object" || check === null) continue;
    const { verdict, atMs } = check as { verdict?: unknown; atMs?: unknown };
    if (VERDICTS.has(verdict) && typeof atMs === "number" && Number.isFinite(atMs))
      found.set(path, { verdict: verdict as CheckVerdict["verdict"], atMs });
  }
  return found;
}
