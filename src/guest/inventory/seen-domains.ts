/**
 * What Xen said to somebody who may ask it, kept for those who may not (docs/design/inventory.md, "Those who are not root").
 * The answers themselves are kept, so that they are read with the same care a second time.
 */
import { attemptSync } from "../../base/failure.ts";
import { parseXlListLong, parseXlListVerbose } from "../../xen/xl-list.ts";
import type { DomainRow, ListedDomain } from "../../xen/xl-list.ts";

export type SeenDomains = {
  /** Milliseconds since 1970, of dom0's clock. */
  readonly atMs: number;
  /** Of the boot in which they were there. */
  readonly bootId: string;
  readonly rows: readonly DomainRow[];
  readonly listed: readonly ListedDomain[];
  /** Domains of which it is known that their xl is there, or is not. */
  readonly watched: readonly number[];
  readonly unwatched: readonly number[];
};

export type XlAnswers = {
  readonly atMs: number;
  readonly bootId: string;
  /** Of `xl list -v`. */
  readonly table: string;
  /** Of `xl list -l`. */
  readonly long: string;
  readonly watched: readonly number[];
  readonly unwatched: readonly number[];
};

const VERSION = 1;
/** vncpasswd, spicepasswd and the like: nobody needs them to know where a guest is. */
const SECRET = /passw/i;

/** Undefined when there is no making sense of what xl said. */
export function formatSeen({ long, ...answers }: XlAnswers): string | undefined {
  const parsed = parsedJson(long);
  if (parsed === undefined) return undefined;
  const open = JSON.stringify(parsed, (key, value: unknown) =>
    SECRET.test(key) ? undefined : value,
  );
  return JSON.stringify({ version: VERSION, ...answers, long: open });
}

/** Undefined for what is damaged, or of another version. */
export function parseSeen(text: string): SeenDomains | undefined {
  const kept = parsedJson(text);
  if (typeof kept !== "object" || kept === null) return undefined;
  const { version, atMs, bootId, table, long, watched, unwatched } = kept as Partial<
    Record<string, unknown>
  >;
  if (version !== VERSION || typeof atMs !== "number" || typeof bootId !== "string")
    return undefined;
  if (typeof table !== "string" || typeof long !== "string") return undefined;
  const listed = attemptSync(() => parseXlListLong(long));
  if (!listed.ok) return undefined;
  return {
    ...{ atMs, bootId, rows: parseXlListVerbose(table), listed: listed.value },
    ...{ watched: numbers(watched), unwatched: numbers(unwatched) },
  };
}

function numbers(value: unknown): readonly number[] {
  return Array.isArray(value) ? value.filter((one) => typeof one === "number") : [];
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
