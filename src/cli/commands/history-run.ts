import { failureText, misuse } from "../../base/failure.ts";
import { nearestWord } from "../../base/nearest-word.ts";
import { printable } from "../../base/printable.ts";
import { stateDirectory } from "../../base/state-directory.ts";
import { bootRelated } from "../../boot/changes/boot-related.ts";
import type { PackageChange } from "../../boot/changes/package-change.ts";
import { openTarget } from "../../guest/disks/open-target.ts";
import { readHistory } from "../../guest/history/read-history.ts";
import { openRecordsReadOnly } from "../../host/local/records-db.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { eventJson, eventTable } from "../render/events.ts";
import { timeText } from "../render/inode.ts";
import { table } from "../render/text.ts";

const MAX_EVENTS = 100_000;

export type HistoryFlags = {
  readonly json: boolean;
  readonly root?: string;
  readonly backing?: readonly string[];
  readonly boot: boolean;
  readonly events: boolean;
  readonly last?: number;
};

export const run = failing(async function (this: Context, flags: HistoryFlags, name: string) {
  const { out, signal } = this;
  if (flags.last !== undefined && !(Number.isInteger(flags.last) && flags.last > 0)) {
    throw misuse("--last takes a whole number above 0.", "For example: --last 20");
  }
  if (flags.events) return events(this, flags, name);
  await using target = await openTarget(this.openHost(flags.root), name, {
    backing: flags.backing,
    signal,
  });
  const history = await readHistory(target, signal);
  const relevant = new Map(bootRelated(history.changes).map((one) => [one.change, one.reason]));
  const wanted = flags.boot ? history.changes.filter((one) => relevant.has(one)) : history.changes;
  const shown = flags.last === undefined ? wanted : wanted.slice(-flags.last);
  for (const failure of history.failures) out.say(`Not read: ${printable(failureText(failure))}`);
  if (flags.json) {
    out.json({
      target: target.name,
      changes: shown.map((one) => ({ ...one, boot: relevant.get(one) ?? null })),
    });
    return EXIT.done;
  }
  if (shown.length === 0) {
    out.say(
      `No package log with a ${flags.boot ? "boot-related " : ""}change on ${history.lookedAt.join(", ") || "any filesystem of it"}.`,
    );
    if (history.changes.length === 0 && history.unread.length > 0) {
      out.say(`There is ${history.unread.join(", ")}, which domus does not read.`);
    }
    return EXIT.done;
  }
  const rows = shown.map((one) => [
    timeText(one.time) + (one.zoneKnown ? " UTC" : ""),
    one.manager,
    one.action,
    printable(one.package),
    printable(versions(one)),
    relevant.has(one) ? "*" : "",
  ]);
  out.result(table(["WHEN", "BY", "WHAT", "PACKAGE", "VERSION", "BOOT"], rows, 100_000).join("\n"));
  if (!flags.boot && relevant.size > 0) out.say("* can decide over the next boot");
  if (shown.some((one) => !one.zoneKnown)) out.say("Times without UTC are the guest's local time.");
  return EXIT.done;
});

/** Of one name, and of all uuids that guests of that name had. */
function events({ out, process }: Context, flags: HistoryFlags, name: string): ExitCode {
  if (flags.root !== undefined || flags.boot || flags.backing !== undefined) {
    throw misuse(
      "--events shows what domus wrote down on this host: --root, --boot and --backing do not go with it.",
      "For the records of another host's file tree: DOMUS_STATE_DIR=DIR/var/lib/domus domus history --events GUEST",
    );
  }
  using records = openRecordsReadOnly(stateDirectory(process.env ?? {}));
  const limit = flags.last ?? MAX_EVENTS;
  const named = records.events({ guest: name, limit });
  const uuids = new Set(named.flatMap(({ uuid }) => uuid ?? []));
  const all = [...named, ...[...uuids].flatMap((uuid) => records.events({ guest: uuid, limit }))];
  const byId = new Map(all.map((event) => [event.id, event]));
  const sorted = [...byId.values()].toSorted((a, b) => a.atMs - b.atMs || a.id - b.id);
  const shown = sorted.slice(-limit);
  if (flags.json) out.json({ guest: name, events: shown.map(eventJson) });
  else if (shown.length > 0) out.result(eventTable(shown));
  else {
    const known = new Set(records.events().map(({ guest }) => guest));
    const near = nearestWord(name, [...known]);
    const hint = near === undefined ? "" : ` Did you mean ${printable(near)}?`;
    out.say(`Nothing is written down of ${printable(name)}.${hint}`);
    out.say("domus watch writes it: systemctl status domus-watch says whether it runs.");
  }
  return EXIT.done;
}

function versions({ from, to }: PackageChange): string {
  if (from !== undefined && to !== undefined) return `${from} -> ${to}`;
  return to ?? from ?? "";
}
