/**
 * What `xl list` prints: `-l`, the live configuration of every domain that libxl made, as JSON, and `-v`, a table with the
 * state of all of them. The table is text with the names in it as they are, blanks and line feeds included.
 */
import { corrupt } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { parseJson, summaryOfJson } from "./domain-summary.ts";
import type { DomainSummary } from "./domain-summary.ts";

export type ListedDomain = { readonly domid: number; readonly guest: DomainSummary };

export type DomainRow = {
  readonly domid: number;
  /** As it stands in the row: of a name with line feeds what is behind the last of them. */
  readonly name: string;
  /** In lower case. */
  readonly uuid: string;
  readonly memoryMib: number;
  readonly vcpus: number;
  readonly state: DomainState;
  /** What it has used of all processors; 0 before it has run for the first time. */
  readonly cpuSeconds: number;
  /** Another row claims the same domain: one of them is part of a name. */
  readonly doubtful: boolean;
};

/** `suspended`: it is being saved, or moved away. */
export type DomainState = "running" | "paused" | "suspended" | "crashed" | "shut-down" | "dying";

const WHERE: Where = ["xl list"];

/** The array of `xl list -l`. `corrupt` when it is none; entries that are no domain are left out. */
export function parseXlListLong(text: string): ListedDomain[] {
  const list = parseJson(text, WHERE);
  if (!Array.isArray(list)) throw corrupt(WHERE, "JSON that is no array", "an array of domains");
  return list.flatMap((entry: unknown) => {
    if (typeof entry !== "object" || entry === null) return [];
    const { domid, config } = entry as { domid?: unknown; config?: unknown };
    if (typeof domid !== "number" || !Number.isSafeInteger(domid)) return [];
    return [{ domid, guest: summaryOfJson(config, [...WHERE, `domain ${domid}`]) }];
  });
}

/** `ID  Mem  VCPUs  State  Time(s)  UUID  Reason-Code  Security Label`: what stands behind the name. */
const COLUMNS =
  /(?:^| )(\d{1,5}) +(\d{1,12}) +(\d{1,5}) +([r-][b-][p-][s-][-rscwS?][d-]) +(\d{1,12}\.\d) +([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}) +\S+(?: +\S+)?$/;
/** More than they take; what is in front of it in a long line is not searched for them. */
const COLUMNS_WIDTH = 240;

/** The rows of `xl list -v`, in their order. Never throws: what is no row is part of a name, or none of ours. */
export function parseXlListVerbose(text: string): DomainRow[] {
  const rows = text.split("\n").flatMap((line) => {
    const match = COLUMNS.exec(line.slice(-COLUMNS_WIDTH));
    if (!match) return [];
    const [columns, domid, memoryMib, vcpus, flags = "", cpuSeconds, uuid = ""] = match;
    return [
      {
        domid: Number(domid),
        name: line.slice(0, line.length - columns.length).trimEnd(),
        uuid,
        memoryMib: Number(memoryMib),
        vcpus: Number(vcpus),
        state: stateOf(flags),
        cpuSeconds: Number(cpuSeconds),
      },
    ];
  });
  const counts = new Map<number, number>();
  for (const { domid } of rows) counts.set(domid, (counts.get(domid) ?? 0) + 1);
  return rows.map((row) => ({ ...row, doubtful: counts.get(row.domid)! > 1 }));
}

/**
 * Six letters: running, blocked, paused, shut down, why (`-` poweroff, `r`eboot, `s`uspend, `c`rash, `w`atchdog,
 * `S`oft reset), dying.
 */
function stateOf(flags: string): DomainState {
  const [, , paused, shutdown, reason, dying] = flags;
  if (dying === "d") return "dying";
  if (shutdown === "s") {
    if (reason === "s") return "suspended";
    return reason === "c" || reason === "w" ? "crashed" : "shut-down";
  }
  return paused === "p" ? "paused" : "running";
}

/** `xl` prints so where a domain has no name any more, or none yet. */
export function isNameless({ name }: { readonly name: string }): boolean {
  return name === "" || name === "(null)";
}
