/** What domus keeps of guests from one command to the next, for those that only look. Of this host, or of a tree. */
import { statSync } from "node:fs";
import { join } from "node:path";
import { attempt, FailureError } from "../base/failure.ts";
import type { Failure } from "../base/failure.ts";
import { STATE_DIRECTORY, stateDirectory } from "../base/state-directory.ts";
import type { TextCache } from "../guest/inventory/known-files.ts";
import type { SeenPort } from "../guest/inventory/read-domains.ts";
import { formatVerdicts, parseVerdicts } from "../guest/inventory/verdicts.ts";
import type { Verdicts } from "../guest/inventory/verdicts.ts";
import { errnoOf } from "../host/local/errno.ts";
import type { Records } from "../host/records.ts";
import { openInventoryCache } from "./facts.ts";

const DOMAINS_FILE = "domains.json";
const VERDICTS_FILE = "checks.json";

export type GuestState = Disposable & {
  /** Undefined where there are none, or where they cannot be read: `failure` says why. */
  readonly records?: Records;
  readonly failure?: Failure;
  readonly verdicts: Verdicts;
  readonly seen?: SeenPort;
  readonly cache?: TextCache;
};

/** Opens what is kept; `root` is the top of a dom0's file tree. */
export type OpenGuestState = (root: string | undefined) => Promise<GuestState>;

export function openGuestState(env: NodeJS.ProcessEnv): OpenGuestState {
  return async (root) => {
    const directory = root === undefined ? stateDirectory(env) : join(root, STATE_DIRECTORY);
    const { readKeptFile, writeKeptFile } = await import("../host/local/kept-file.ts");
    const verdicts = parseVerdicts(readKeptFile(directory, VERDICTS_FILE) ?? "");
    const records = await readRecords(directory);
    const cache = await openInventoryCache(env, root);
    const seen: SeenPort = {
      recall: () => readKeptFile(directory, DOMAINS_FILE),
      keep: (text) => void writeKeptFile(directory, DOMAINS_FILE, text),
    };
    return {
      ...records,
      verdicts,
      ...(root === undefined && { seen }),
      ...(cache && { cache }),
      [Symbol.dispose]: () => records.records?.[Symbol.dispose](),
    };
  };
}

/** The database is only loaded where there is one. */
async function readRecords(directory: string): Promise<Pick<GuestState, "records" | "failure">> {
  if (!mayBeThere(join(directory, "records.db"))) return {};
  try {
    const { openRecordsReadOnly } = await import("../host/local/records-db.ts");
    return { records: openRecordsReadOnly(directory) };
  } catch (error) {
    if (error instanceof FailureError) return { failure: error.failure };
    throw error;
  }
}

function mayBeThere(path: string): boolean {
  try {
    return statSync(path).isFile();
  } catch (error) {
    // Who may not know is told so where they are opened.
    return !["ENOENT", "ENOTDIR"].includes(errnoOf(error));
  }
}

/** Adds to what was kept of earlier checks. Without the right to write there nothing is kept. */
export type KeepVerdicts = (verdicts: Verdicts) => Promise<void>;

export function keepVerdicts(env: NodeJS.ProcessEnv): KeepVerdicts {
  return async (verdicts) => {
    if (verdicts.size === 0) return;
    const { readKeptFile, writeKeptFile } = await import("../host/local/kept-file.ts");
    const directory = stateDirectory(env);
    if (process.getuid?.() === 0 && readKeptFile(directory, VERDICTS_FILE) === undefined)
      await attempt(() => makeDirectory(directory));
    const known = parseVerdicts(readKeptFile(directory, VERDICTS_FILE) ?? "");
    writeKeptFile(directory, VERDICTS_FILE, formatVerdicts(new Map([...known, ...verdicts])));
  };
}

/** With its owner and mode: whoever makes it makes the records. */
async function makeDirectory(directory: string): Promise<void> {
  const { openRecords } = await import("../host/local/records-db.ts");
  openRecords(directory)[Symbol.dispose]();
}
