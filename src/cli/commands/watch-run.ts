import { systemClock } from "../../base/clock.ts";
import { refused } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { stateDirectory } from "../../base/state-directory.ts";
import { eventText } from "../../guest/watch/event-text.ts";
import type { NewEvent } from "../../guest/watch/timed-events.ts";
import { watch } from "../../guest/watch/watch.ts";
import { isMarkAlive, ownMark } from "../../host/local/process-mark.ts";
import type { ProcessMark } from "../../host/local/process-mark.ts";
import { openRecords } from "../../host/local/records-db.ts";
import { watchXenstore } from "../../host/local/xenstore-watches.ts";
import { watchStates } from "../../host/local/xentop.ts";
import type { Records } from "../../host/records.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { eventJson } from "../render/events.ts";
import { assertRoot } from "../root-only.ts";

export type WatchFlags = {
  readonly json: boolean;
  readonly once: boolean;
};

/** In the records: who watches. */
const WATCHER_NOTE = "watcher";

export const run = failing(
  async function (this: Context, { json, once }: WatchFlags) {
    const { out, openHost, signal } = this;
    assertRoot(this);
    using records = openRecords(stateDirectory(this.process.env ?? {}));
    takePlace(records);
    // For tests, and for those who have it elsewhere.
    const socket = this.process.env?.["DOMUS_XENSTORE_SOCKET"];
    const ports = {
      host: openHost(undefined),
      records,
      clock: systemClock,
      nowMs: () => Date.now(),
      isAtWork: isMarkAlive,
      changes: (
        onChange: (path: string) => void,
        onState: Parameters<typeof watchXenstore>[0]["onState"],
      ) => watchXenstore({ onChange, onState, ...(socket && { sockets: [socket] }) }),
      states: (onTick: () => void) => watchStates({ onTick }),
      tell: (event: NewEvent) => {
        if (json) out.line({ domus: 1, event: eventJson(event) });
        else out.result(eventLine(event));
        if (event.kind === "alarm") out.say(alarmText(event));
      },
      say: (text: string) => out.say(printable(text)),
    };
    try {
      await watch(ports, { signal, once });
    } catch (error) {
      // Stopped in the middle of a look: nothing of it is written down, the next one sees it again.
      if (!signal.aborted) throw error;
    }
    return EXIT.done;
  },
  { jsonLines: true },
);

/** `refused` when another one watches: each would write down what the other saw as well. */
function takePlace(records: Records): void {
  records.transaction(() => {
    const there = records.note(WATCHER_NOTE) as ProcessMark | undefined;
    const own = ownMark();
    if (there && there.pid !== own.pid && isMarkAlive(there)) {
      throw refused(["domus watch"], {
        what: "Another domus watch is at work.",
        why: `It is process ${there.pid}; two would write down everything twice.`,
        next: "See what it says: journalctl -u domus-watch. To take its place, stop it first: systemctl stop domus-watch.",
      });
    }
    records.setNote(WATCHER_NOTE, own);
  });
}

function eventLine(event: NewEvent): string {
  const { guest, domid } = event;
  const domain = domid === undefined ? "" : ` [${domid}]`;
  return printable(`${guest}${domain}: ${eventText(event)}`);
}

function alarmText({ guest, detail }: NewEvent): string {
  const said = (key: string) => (typeof detail[key] === "string" ? detail[key] : "");
  return printable(
    `ALARM ${guest}: ${said("what")} ${said("why")} ${said("next")} (${said("code")})`,
  );
}
