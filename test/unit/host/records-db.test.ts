import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { explainFailure } from "../../../src/base/explain.ts";
import { attemptSync } from "../../../src/base/failure.ts";
import type { Failure } from "../../../src/base/failure.ts";
import { stateDirectory } from "../../../src/base/state-directory.ts";
import { openRecords, openRecordsReadOnly } from "../../../src/host/local/records-db.ts";
import { recordsFailure } from "../../../src/host/local/records-failure.ts";
import type { ImageRecord } from "../../../src/host/records.ts";

let top = "";
let dir = "";
beforeEach(() => {
  top = mkdtempSync(join(tmpdir(), "domus-records-"));
  dir = join(top, "state");
});
afterEach(() => rmSync(top, { recursive: true }));

const HOSTILE = `x'); DROP TABLE image; -- \u0000\u001b[31m`;

const IMAGE: Omit<ImageRecord, "id"> = {
  guest: "pandora",
  uuid: "00000000-1111-2222-3333-444444444444",
  path: "/var/lib/xen/save/pandora",
  state: "waiting",
  savedAtMs: 1000,
  sizeBytes: 5,
  configText: "name = 'pandora'\n",
  disks: [{ vdev: "xvda", path: "/dev/vg0/p", readonly: false, fingerprint: { digest: "ab" } }],
};

describe("images", () => {
  test("are kept, changed and taken away, by all who open the records", () => {
    using records = openRecords(dir);
    const { id } = records.addImage(IMAGE);
    records.addImage({ ...IMAGE, guest: HOSTILE, savedAtMs: 2000 });
    records.changeImage(id, { state: "restored", path: "/elsewhere" });
    using reader = openRecordsReadOnly(dir);
    expect(reader.images().map(({ guest, state, path }) => [guest, state, path])).toEqual([
      [HOSTILE, "waiting", IMAGE.path],
      ["pandora", "restored", "/elsewhere"],
    ]);
    expect(reader.images()[1]).toEqual({ ...IMAGE, id, state: "restored", path: "/elsewhere" });
    records.removeImage(id);
    expect(reader.images()).toHaveLength(1);
  });

  test("have the time of a file, which is finer than a millisecond", () => {
    using records = openRecords(dir);
    const { id } = records.addImage({ ...IMAGE, savedAtMs: 1000.25 });
    records.changeImage(id, { state: "aside", savedAtMs: 2000.75 });
    records.addImage({ ...IMAGE, savedAtMs: 1500 });
    expect(records.images().map(({ savedAtMs }) => savedAtMs)).toEqual([2000.75, 1500]);
    records.addEvent({ ...{ atMs: 3.5, guest: "a", kind: "alarm", by: "domus" }, detail: {} });
    expect(records.events()[0]?.atMs).toBe(3);
  });
});

describe("events", () => {
  test("come back in the order of their times; one that is known is not added", () => {
    using records = openRecords(dir);
    const event = { guest: "a", uuid: "u", domid: 3, kind: "started", by: "watcher" } as const;
    expect(records.addEvent({ ...event, atMs: 50_000, detail: {} })).toBe(true);
    expect(records.addEvent({ ...event, atMs: 55_000, by: "domus", detail: {} })).toBe(false);
    expect(records.addEvent({ ...event, atMs: 75_000, detail: {} })).toBe(true);
    expect(records.addEvent({ ...event, domid: 4, atMs: 51_000, detail: {} })).toBe(true);
    expect(
      records.addEvent({
        guest: HOSTILE,
        kind: "alarm",
        by: "domus",
        atMs: 1,
        detail: { a: HOSTILE },
      }),
    ).toBe(true);
    expect(records.events().map(({ atMs }) => atMs)).toEqual([1, 50_000, 51_000, 75_000]);
    expect(records.events({ guest: "U" }).map(({ atMs }) => atMs)).toEqual([
      50_000, 51_000, 75_000,
    ]);
    expect(records.events({ guest: "a", limit: 1 })[0]?.atMs).toBe(75_000);
    expect(records.events({ guest: HOSTILE })[0]?.detail).toEqual({ a: HOSTILE });
  });
});

describe("what is seen by two", () => {
  const paused = { guest: "a", uuid: "u", domid: 3, kind: "paused" } as const;
  const detach = { ...paused, kind: "detached" } as const;

  test("the end of a domain by a save is one event, however long xl takes for it; a save of which it went on is another", () => {
    using records = openRecords(dir);
    const saved = { ...paused, kind: "saved" } as const;
    records.addEvent({ ...saved, atMs: 1000, by: "watcher", detail: { goesOn: "running" } });
    expect(records.addEvent({ ...saved, atMs: 2000, by: "domus", detail: {} })).toBe(true);
    expect(records.addEvent({ ...saved, atMs: 62_000, by: "watcher", detail: {} })).toBe(false);
    expect(records.events()).toHaveLength(2);
  });

  test("is one event with what both know, and domus's own where domus did it", () => {
    using records = openRecords(dir);
    expect(records.addEvent({ ...paused, atMs: 1000, by: "watcher", detail: { a: 1, b: 1 } })).toBe(
      true,
    );
    expect(records.addEvent({ ...paused, atMs: 2000, by: "domus", detail: { b: 2 } })).toBe(false);
    expect(records.events()).toMatchObject([
      { atMs: 1000, by: "domus", detail: { a: 1, b: 2, alsoSeenBy: ["watcher"] } },
    ]);
  });

  test("is as many events as one of them has seen", () => {
    using records = openRecords(dir);
    for (const atMs of [1000, 2000, 3000])
      records.addEvent({ ...paused, atMs, by: "watcher", detail: {} });
    for (const atMs of [1100, 2100]) records.addEvent({ ...paused, atMs, by: "domus", detail: {} });
    expect(records.events().map(({ by }) => by)).toEqual(["domus", "domus", "watcher"]);
    records.addEvent({ ...detach, atMs: 1000, by: "watcher", detail: { vdev: "xvda" } });
    records.addEvent({ ...detach, atMs: 1000, by: "domus", detail: { vdev: "xvdb" } });
    expect(records.events().filter(({ kind }) => kind === "detached")).toHaveLength(2);
    records.addEvent({ ...paused, atMs: 99_000, by: "domus", detail: {} });
    records.addEvent({ ...paused, atMs: 3500, by: "log", detail: {} });
    expect(records.events().filter(({ kind }) => kind === "paused")).toHaveLength(5);
  });
});

test("notes are kept under their names", () => {
  using records = openRecords(dir);
  expect(records.note("a")).toBeUndefined();
  records.setNote("a", { x: HOSTILE });
  records.setNote("a", [HOSTILE]);
  records.setNote("b", "y".repeat(2_000_000));
  using reader = openRecordsReadOnly(dir);
  expect(reader.note("a")).toEqual([HOSTILE]);
  expect(() => records.setNote("a", "x".repeat(40_000_000))).toThrow("limit");
});

describe("operations", () => {
  test("are there until they end, with their last step", () => {
    using records = openRecords(dir);
    const begun = records.beginOperation({
      kind: "save",
      guest: "a",
      step: "begin",
      data: { image: "/x" },
      pid: 1,
      pidStarted: "2",
      bootId: "b",
    });
    records.enterStep(begun.id, "saved");
    records.enterStep(begun.id, "recorded", { image: "/y" });
    using other = openRecords(dir);
    expect(other.operations()).toEqual([{ ...begun, step: "recorded", data: { image: "/y" } }]);
    other.endOperation(begun.id);
    expect(records.operations()).toEqual([]);
  });

  test("what fails in the middle of a transaction was never there", () => {
    using records = openRecords(dir);
    const failed = () =>
      records.transaction(() => {
        records.addImage(IMAGE);
        throw new Error("in the middle");
      });
    expect(failed).toThrow("in the middle");
    expect(records.images()).toEqual([]);
    records.transaction(() => records.addImage(IMAGE));
    expect(records.images()).toHaveLength(1);
  });
});

describe("the database", () => {
  test("that is not there has no rows, and is not made by a reader", () => {
    using records = openRecordsReadOnly(dir);
    expect([records.images(), records.events(), records.operations()]).toEqual([[], [], []]);
    expect(records.writable).toBe(false);
    expect(readdirSync(top)).toEqual([]);
  });

  test("is not for others to read", () => {
    using records = openRecords(dir);
    records.addImage(IMAGE);
    for (const name of readdirSync(dir)) expect(statSync(join(dir, name)).mode & 0o007).toBe(0);
    expect(statSync(dir).mode & 0o007).toBe(0);
  });

  test("that is a newer one, or none, is refused", () => {
    openRecords(dir)[Symbol.dispose]();
    const path = join(dir, "records.db");
    const database = new DatabaseSync(path);
    database.exec("PRAGMA user_version = 9");
    database.close();
    for (const open of [openRecords, openRecordsReadOnly])
      expect(attemptSync(() => open(dir))).toMatchObject({
        failure: { kind: "unsupported", next: expect.stringContaining("newer domus") },
      });
    rmSync(dir, { recursive: true });
    openRecords(dir)[Symbol.dispose]();
    rmSync(`${path}-wal`, { force: true });
    writeFileSync(path, "no database at all, but longer than a header of one would be ".repeat(9));
    for (const open of [openRecords, openRecordsReadOnly])
      expect(attemptSync(() => open(dir))).toMatchObject({
        failure: {
          kind: "corrupt",
          found: "other data (file is not a database)",
          next: expect.stringContaining(`mv ${path}* ${dir}/damaged/`),
        },
      });
    writeFileSync(path, "");
    expect(attemptSync(() => openRecordsReadOnly(dir))).toMatchObject({
      failure: { kind: "corrupt", found: "no tables" },
    });
  });

  test("that is damaged can be put aside as it is said, and another is begun", () => {
    openRecords(dir)[Symbol.dispose]();
    const path = join(dir, "records.db");
    writeFileSync(path, "no database at all, but longer than a header of one would be ".repeat(9));
    const { failure } = attemptSync(() => openRecords(dir)) as { failure: Failure };
    const [, command = ""] =
      /: (mkdir \S+; mv \S+ \S+)\. /.exec(explainFailure(failure).next) ?? [];
    expect(spawnSync("sh", ["-c", command]).status).toBe(0);
    using records = openRecords(dir);
    expect(records.images()).toEqual([]);
    expect(readdirSync(join(dir, "damaged"))).toContain("records.db");
  });

  test("that is locked for long says what to look for", () => {
    const busy = Object.assign(new Error("database is locked"), { errcode: 5 });
    const { failure } = recordsFailure("/x/records.db", "use the records", busy);
    expect(explainFailure(failure).next).toContain("fuser -v /x/records.db");
  });

  test("says what the system says where SQLite does not", () => {
    const error = Object.assign(new Error("unable to open database file"), { errcode: 14 });
    expect(
      recordsFailure("/proc/none/records.db", "open the records", error).failure,
    ).toMatchObject({
      errno: "ENOENT",
    });
    expect(
      recordsFailure(join(top, "records.db"), "open the records", error).failure,
    ).toMatchObject({
      errno: "unable to open database file",
    });
  });

  test("is where the environment says", () => {
    expect(stateDirectory({})).toBe("/var/lib/domus");
    expect(stateDirectory({ DOMUS_STATE_DIR: "/x" })).toBe("/x");
    expect(stateDirectory({ DOMUS_STATE_DIR: "x" })).toBe("/var/lib/domus");
  });
});
