import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { eventTable, eventJson } from "../../../src/cli/render/events.ts";
import { eventText } from "../../../src/guest/watch/event-text.ts";
import { openRecords } from "../../../src/host/local/records-db.ts";
import { EVENT_KINDS } from "../../../src/host/records.ts";
import type { GuestEvent } from "../../../src/host/records.ts";
import { cli } from "../../support/cli.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-history-"));
});
afterEach(() => rmSync(dir, { recursive: true }));

const history = (...words: readonly string[]) =>
  cli(["history", "--events", ...words], { env: { DOMUS_STATE_DIR: dir } });

const HOSTILE = "x\u001b]0;owned\u0007\ny";

test("is a table of what happened, over changes of the name, escaped", async () => {
  {
    using records = openRecords(dir);
    const web = { guest: "web", uuid: "u1", domid: 3, by: "watcher" } as const;
    const at = Date.parse("2026-05-01T10:00:00Z");
    records.addEvent({ ...web, atMs: at, kind: "started", detail: { config: "/etc/xen/web.cfg" } });
    records.addEvent({ ...web, atMs: at + 60_000, kind: "paused", by: "domus", detail: {} });
    records.addEvent({ ...web, atMs: at + 61_000, kind: "paused", detail: {} });
    const renamed = { from: "web", to: HOSTILE };
    records.addEvent({
      ...web,
      guest: HOSTILE,
      atMs: at + 90_000,
      kind: "renamed",
      detail: renamed,
    });
    const stopped = { reason: "destroyed", notBeforeMs: at + 100_000 };
    records.addEvent({
      ...{ ...web, guest: HOSTILE, atMs: at + 200_000, kind: "stopped", by: "log" },
      detail: stopped,
    });
    records.addEvent({ ...web, guest: "db", uuid: "u2", atMs: at, kind: "started", detail: {} });
  }
  const { code, stdout } = await history("web");
  expect(stdout.split("\n")).toEqual([
    "WHEN (UTC)           DOMAIN  BY             WHAT",
    "2026-05-01 10:00:00  3       watcher        started from /etc/xen/web.cfg",
    "2026-05-01 10:01:00  3       domus+watcher  paused",
    "2026-05-01 10:01:30  3       watcher        renamed from web to x\\x1b]0;owned\\x07\\x0ay",
    "2026-05-01 10:03:20  3       log            stopped (destroyed) (at this time or before, not before 2026-05-01 10:01:40)",
    "",
  ]);
  expect(code).toBe(0);
  const { events } = JSON.parse((await history("--json", "--last", "1", "web")).stdout) as {
    events: unknown[];
  };
  expect(events).toEqual([
    expect.objectContaining({
      at: "2026-05-01T10:03:20.000Z",
      kind: "stopped",
      uuid: "u1",
      domid: 3,
    }),
  ]);
});

test("of a guest that nobody has seen says so, and goes with nothing that reads disks", async () => {
  const none = await history("web");
  expect([none.code, none.stdout]).toEqual([0, ""]);
  expect(none.stderr).toContain("Nothing is written down of web.");
  expect((await history("--boot", "web")).code).toBe(2);
  {
    using records = openRecords(dir);
    records.addEvent({ guest: "pandora", atMs: 1, kind: "started", by: "domus", detail: {} });
  }
  expect((await history("pandroa")).stderr).toContain("Did you mean pandora?");
});

test("has words for every kind, whatever its details are", () => {
  for (const kind of EVENT_KINDS) {
    for (const value of [undefined, null, 1, HOSTILE, ["x"], {}, true]) {
      const keys = ["from", "to", "what", "reason", "image", "vdev", "target", "nic", "action"];
      const detail = Object.fromEntries(
        [
          ...keys,
          "config",
          "after",
          "goesOn",
          "kept",
          "direction",
          "alsoSeenBy",
          "notBeforeMs",
        ].map((key) => [key, value]),
      );
      const event: GuestEvent = { id: 1, atMs: 1, guest: HOSTILE, kind, by: "log", detail };
      expect(eventText(event)).toMatch(new RegExp(`^${kind}`));
      expect(eventTable([event]).split("\n")).toHaveLength(2);
      // oxlint-disable-next-line no-control-regex -- what must not be there
      expect(eventTable([event])).not.toMatch(/[\u0000-\u0009\u000b-\u001f]/);
      expect(eventJson(event)).toMatchObject({ kind });
    }
  }
});
