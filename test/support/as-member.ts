/**
 * `as-member.ts STATE_DIRECTORY GID`: reads the records as an unprivileged user of that group, and prints what happened to its
 * guests and what came of trying to write. The modules are loaded as root, who may look into every checkout.
 */
import { attemptSync, failureText } from "../../src/base/failure.ts";
import { openRecords, openRecordsReadOnly } from "../../src/host/local/records-db.ts";

const NOBODY = 65_534;

const [, , directory = "", gid = ""] = process.argv;
process.setgroups!([Number(gid)]);
process.setegid!(NOBODY);
process.seteuid!(NOBODY);
const read = attemptSync(() => {
  using records = openRecordsReadOnly(directory);
  return { events: records.events().map(({ kind }) => kind), writable: records.writable };
});
const written = attemptSync(() => openRecords(directory)[Symbol.dispose]());
const said = (result: typeof read | typeof written) =>
  result.ok ? result.value : failureText(result.failure);
console.log(JSON.stringify({ read: said(read), written: said(written) }));
