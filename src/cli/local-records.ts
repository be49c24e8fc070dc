/** The records of this machine, as commands use them (docs/design/records.md). */
import { stateDirectory } from "../base/state-directory.ts";
import type { JournalPorts } from "../guest/lifecycle/journal.ts";
import { isMarkAlive, ownMark } from "../host/local/process-mark.ts";
import { openRecords, openRecordsReadOnly } from "../host/local/records-db.ts";
import type { Records } from "../host/records.ts";

/** For commands that change something. Made when they are not there; `io` without the right to. */
export function openLocalRecords(env: NodeJS.ProcessEnv): Records {
  return openRecords(stateDirectory(env));
}

/** Without rows where there are none, or where this user may not see them. Nothing is written. */
export function readLocalRecords(env: NodeJS.ProcessEnv): Records {
  return openRecordsReadOnly(stateDirectory(env));
}

/** What `withOperation` and recovery need beside the records: who this process is, and who else is alive. */
export function localJournal(records: Records): JournalPorts {
  return { records, self: ownMark(), isAlive: isMarkAlive };
}
