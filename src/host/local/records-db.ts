/** Records in an SQLite database (docs/design/records.md). */
import { statSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { DatabaseSync } from "node:sqlite";
import type { SQLInputValue } from "node:sqlite";
import { attemptSync, corrupt, FailureError, overLimit } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import type { EventFilter, GuestEvent, ImageRecord, Operation, Records } from "../records.ts";
import { damagedRecords, isSqlite, isThere, recordsFailure } from "./records-failure.ts";
import { makeStateDirectory, shareWithGroup, stateOwner } from "./state-owner.ts";
import { waitingKeeper } from "./waiting-keeper.ts";

const SCHEMA_VERSION = 1;
const MAX_TEXT_BYTES = MIB;
const MAX_NOTE_BYTES = 32 * MIB;
const MAX_EVENTS = 1_000_000;
/** Looked at only so often: counting a million rows takes a while. */
const PRUNE_EVERY = 1000;
const SAME_EVENT_MS = 10_000;
/** A domain has one beginning and one end; a command may write of it when the guest is up. */
const ONCE = new Set(["started", "restored", "rebooted", "stopped", "crashed", "migrated"]);
const SAME_LIFE_MS = 300_000;

const SCHEMA = `
CREATE TABLE image (
  id INTEGER PRIMARY KEY, guest TEXT NOT NULL, uuid TEXT NOT NULL, path TEXT NOT NULL, state TEXT NOT NULL,
  saved_at INTEGER NOT NULL, body TEXT NOT NULL
) STRICT;
CREATE TABLE event (
  id INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, guest TEXT NOT NULL, uuid TEXT, domid INTEGER,
  kind TEXT NOT NULL, seen_by TEXT NOT NULL, detail TEXT NOT NULL
) STRICT;
CREATE INDEX event_guest ON event (guest, id);
CREATE INDEX event_uuid ON event (uuid, id);
CREATE INDEX event_at ON event (at);
CREATE TABLE operation (
  id INTEGER PRIMARY KEY, kind TEXT NOT NULL, guest TEXT NOT NULL, step TEXT NOT NULL, started_at INTEGER NOT NULL,
  pid INTEGER NOT NULL, pid_started TEXT NOT NULL, boot_id TEXT NOT NULL, data TEXT NOT NULL
) STRICT;
CREATE TABLE note (name TEXT PRIMARY KEY, body TEXT NOT NULL) STRICT;
`;

/**
 * Makes directory and database when they are not there, and puts right a list of waiting images that does not fit. `io` when
 * they cannot be had, `unsupported` when newer.
 */
export function openRecords(directory: string): Records {
  makeStateDirectory(directory);
  const path = join(directory, "records.db");
  const database = open(path, false);
  for (const file of [path, `${path}-wal`, `${path}-shm`]) shareWithGroup(file, 0o640);
  return recordsIn(database, path, directory);
}

/** Without rows when there is no database, and never writes. `io` when it cannot be read. */
export function openRecordsReadOnly(directory: string): Records {
  const path = join(directory, "records.db");
  if (isThere(path)) return recordsIn(openToRead(path), path);
  const empty = new DatabaseSync(":memory:");
  empty.exec(SCHEMA);
  return recordsIn(empty, path);
}

/**
 * A member of the group may not make the files that SQLite wants beside a database in WAL mode while nobody writes to it, and on a
 * full or read-only disk nobody can. Then what is in the database is all there is, and it can be read as a file that does not change.
 */
function openToRead(path: string): DatabaseSync {
  const opened = attemptSync(() => open(path, true));
  if (opened.ok) return opened.value;
  const log = statSync(`${path}-wal`, { throwIfNoEntry: false });
  if (opened.failure.kind !== "io" || (log?.size ?? 0) > 0) throw new FailureError(opened.failure);
  return open(path, true, `${pathToFileURL(path).href}?immutable=1`);
}

function open(path: string, readOnly: boolean, from: string = path): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    // Others wait for a command that writes; no transaction of ours takes longer than a few writes.
    database = new DatabaseSync(from, { readOnly, timeout: 10_000 });
    if (!readOnly) database.exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL");
    const version = versionOf(database);
    if (version > SCHEMA_VERSION)
      throw new FailureError({
        ...{ kind: "unsupported", where: [path] },
        feature: `records of a newer domus (schema ${version}; this one knows ${SCHEMA_VERSION})`,
        next: "Use the newer domus that wrote them (domus --version). Nothing was changed.",
      });
    if (version === 0 && readOnly) throw damagedRecords(path, "no tables");
    if (version === 0) create(database);
    return database;
  } catch (error) {
    database?.close();
    if (!isSqlite(error)) throw error;
    throw recordsFailure(path, "open the records", error);
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(database.prepare("PRAGMA user_version").get()!["user_version"]);
}

/** Two that begin at the same time: one makes it, the other finds it made. */
function create(database: DatabaseSync): void {
  database.exec("BEGIN IMMEDIATE");
  if (versionOf(database) === 0) {
    database.exec(SCHEMA);
    database.exec(`PRAGMA user_version = ${SCHEMA_VERSION}`);
  }
  database.exec("COMMIT");
}

type Row = Readonly<Record<string, unknown>>;

/** `directory`: where they may be written. */
function recordsIn(database: DatabaseSync, path: string, directory?: string): Records {
  const where = [path];
  const sqlite = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      if (!isSqlite(error)) throw error;
      throw recordsFailure(path, "use the records", error);
    }
  };
  const all = (sql: string, ...values: SQLInputValue[]) =>
    sqlite(() => database.prepare(sql).all(...values) as Row[]);
  const change = (sql: string, ...values: SQLInputValue[]) =>
    sqlite(() => Number(database.prepare(sql).run(...values).lastInsertRowid));
  const json = (value: unknown, limit = MAX_TEXT_BYTES): string => {
    const text = JSON.stringify(value);
    if (text.length > limit) throw overLimit(where, "one record", `${limit} bytes`);
    return text;
  };
  const parsed = (text: unknown): Row => {
    try {
      return JSON.parse(String(text)) as Row;
    } catch {
      throw corrupt(where, "a row that is no JSON", "records of domus");
    }
  };
  const locked = <T>(work: () => T): T => {
    sqlite(() => database.exec("BEGIN IMMEDIATE"));
    try {
      const result = work();
      sqlite(() => database.exec("COMMIT"));
      return result;
    } catch (error) {
      if (database.isTransaction) database.exec("ROLLBACK");
      throw error;
    }
  };
  const imageOf = (row: Row): ImageRecord => ({
    ...(parsed(row["body"]) as unknown as ImageRecord),
    id: Number(row["id"]),
  });
  const keeper =
    directory === undefined
      ? undefined
      : waitingKeeper(directory, {
          images: () =>
            all("SELECT id, body FROM image WHERE state = 'waiting' ORDER BY id").map(imageOf),
          owner: () => stateOwner(0o640),
        });
  if (keeper && !keeper.fits()) {
    try {
      locked(() => keeper.settle());
    } catch (error) {
      database.close();
      throw error;
    }
  }
  let imagesChanged = false;
  const transaction = <T>(work: () => T): T => {
    if (database.isTransaction) return work();
    imagesChanged = false;
    try {
      return locked(() => {
        const result = work();
        if (imagesChanged) keeper?.announce();
        return result;
      });
    } finally {
      // What stays in the list for want of room only stops a boot, and the next command takes it out.
      if (imagesChanged) attemptSync(() => locked(() => keeper?.settle()));
    }
  };
  const changeImages = <T>(work: () => T): T =>
    transaction(() => {
      imagesChanged = true;
      return work();
    });
  const imageValues = ({ guest, uuid, path: file, state, savedAtMs }: Omit<ImageRecord, "id">) =>
    // Of an image of xl's own it is the time of the file, which has parts of a millisecond; the column takes none.
    [guest, uuid, file, state, Math.trunc(savedAtMs)] as const;

  return {
    writable: directory !== undefined,
    transaction,
    images: () => all("SELECT id, body FROM image ORDER BY saved_at DESC, id DESC").map(imageOf),
    addImage(image) {
      const sql =
        "INSERT INTO image (guest, uuid, path, state, saved_at, body) VALUES (?, ?, ?, ?, ?, ?)";
      return changeImages(() => ({
        ...image,
        id: change(sql, ...imageValues(image), json(image)),
      }));
    },
    changeImage(id, changes) {
      changeImages(() => {
        const [row] = all("SELECT id, body FROM image WHERE id = ?", id);
        if (!row) throw corrupt(where, `no image ${id}`, "the image that is changed");
        const { id: _, ...image } = { ...imageOf(row), ...changes };
        const sql =
          "UPDATE image SET guest = ?, uuid = ?, path = ?, state = ?, saved_at = ?, body = ? WHERE id = ?";
        change(sql, ...imageValues(image), json(image), id);
      });
    },
    removeImage: (id) => void changeImages(() => change("DELETE FROM image WHERE id = ?", id)),
    events: (filter) => readEvents(all, parsed, filter),
    addEvent(event) {
      return transaction(() => {
        const { atMs, guest, uuid = null, domid = null, kind, by, detail } = event;
        if (joinEvent({ all, change, json, parsed }, event)) return false;
        const sql =
          "INSERT INTO event (at, guest, uuid, domid, kind, seen_by, detail) VALUES (?, ?, ?, ?, ?, ?, ?)";
        const id = change(sql, Math.trunc(atMs), guest, uuid, domid, kind, by, json(detail));
        if (id % PRUNE_EVERY === 0) change(PRUNE, id - MAX_EVENTS);
        return true;
      });
    },
    note(name) {
      const [row] = all("SELECT body FROM note WHERE name = ?", name);
      return row && parsed(row["body"]);
    },
    setNote(name, value) {
      const sql = "INSERT INTO note VALUES (?, ?) ON CONFLICT DO UPDATE SET body = excluded.body";
      change(sql, name, json(value, MAX_NOTE_BYTES));
    },
    operations: () =>
      all("SELECT * FROM operation ORDER BY id").map((row) => operationOf(row, parsed)),
    beginOperation(operation) {
      const { kind, guest, step, pid, pidStarted, bootId, data } = operation;
      const startedAtMs = Date.now();
      const sql =
        "INSERT INTO operation (kind, guest, step, started_at, pid, pid_started, boot_id, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
      const id = change(sql, kind, guest, step, startedAtMs, pid, pidStarted, bootId, json(data));
      return { ...operation, id, startedAtMs };
    },
    enterStep(id, step, data) {
      if (data === undefined) change("UPDATE operation SET step = ? WHERE id = ?", step, id);
      else change("UPDATE operation SET step = ?, data = ? WHERE id = ?", step, json(data), id);
    },
    endOperation: (id) => void change("DELETE FROM operation WHERE id = ?", id),
    [Symbol.dispose]: () => database.close(),
  };
}

type Sql = {
  readonly all: (sql: string, ...values: SQLInputValue[]) => Row[];
  readonly change: (sql: string, ...values: SQLInputValue[]) => number;
  readonly json: (value: unknown) => string;
  readonly parsed: (text: unknown) => Row;
};

/** Whether it is an event that others have written down; then what it knows is added to theirs. */
function joinEvent({ all, change, json, parsed }: Sql, event: Omit<GuestEvent, "id">): boolean {
  const { atMs, guest, uuid = null, domid = null, kind, by, detail } = event;
  const goesOn = detail["goesOn"];
  const isOnce = ONCE.has(kind) || (kind === "saved" && goesOn === undefined);
  const within = isOnce && domid !== null ? SAME_LIFE_MS : SAME_EVENT_MS;
  const near = all(
    "SELECT id, seen_by, detail FROM event WHERE at BETWEEN ? AND ? AND kind = ? AND (guest = ? OR uuid = ?) AND uuid IS ? AND domid IS ? ORDER BY id",
    ...[atMs - within, atMs + within, kind, guest, uuid, uuid, domid],
  );
  for (const row of near) {
    const known = parsed(row["detail"]);
    // A save of which the guest goes on, and its last one.
    if (known["goesOn"] !== goesOn) continue;
    const also = Array.isArray(known["alsoSeenBy"]) ? (known["alsoSeenBy"] as unknown[]) : [];
    // Each sees a thing once: what happens twice in a moment is two events of each. The logs are read by the watcher.
    const own = by === "domus";
    if ([row["seen_by"], ...also].some((one) => (one === "domus") === own)) continue;
    if (subjectOf(known) !== subjectOf(detail) && subjectOf(known) && subjectOf(detail)) continue;
    const both = own ? { ...known, ...detail } : { ...detail, ...known };
    const seenBy = own ? by : String(row["seen_by"]);
    const others = [...also, own ? row["seen_by"] : by];
    const sql = "UPDATE event SET seen_by = ?, detail = ? WHERE id = ?";
    change(sql, seenBy, json({ ...both, alsoSeenBy: others }), Number(row["id"]));
    return true;
  }
  return false;
}

/** What of a guest it is about, where a guest has several. */
function subjectOf({ code, vdev, nic, what }: Row): unknown {
  return code ?? vdev ?? nic ?? what;
}

/** All up to an id, but alarms and the last event of each guest. */
const PRUNE = `DELETE FROM event WHERE id <= ? AND kind <> 'alarm'
  AND id NOT IN (SELECT max(id) FROM event GROUP BY guest)`;

function readEvents(
  all: (sql: string, ...values: SQLInputValue[]) => Row[],
  parsed: (text: unknown) => Row,
  { guest, afterId = 0, limit = 1000 }: EventFilter = {},
): GuestEvent[] {
  const of = guest === undefined ? "" : "AND (guest = ? OR uuid = ?)";
  const names = guest === undefined ? [] : [guest, guest.toLowerCase()];
  const sql = `SELECT * FROM event WHERE id > ? ${of} ORDER BY at DESC, id DESC LIMIT ?`;
  return all(sql, afterId, ...names, limit)
    .toReversed()
    .map((row) => ({
      id: Number(row["id"]),
      atMs: Number(row["at"]),
      guest: String(row["guest"]),
      ...(typeof row["uuid"] === "string" && { uuid: row["uuid"] }),
      ...(row["domid"] !== null && { domid: Number(row["domid"]) }),
      kind: row["kind"] as GuestEvent["kind"],
      by: row["seen_by"] as GuestEvent["by"],
      detail: parsed(row["detail"]),
    }));
}

function operationOf(row: Row, parsed: (text: unknown) => Row): Operation {
  return {
    id: Number(row["id"]),
    kind: String(row["kind"]),
    guest: String(row["guest"]),
    step: String(row["step"]),
    startedAtMs: Number(row["started_at"]),
    pid: Number(row["pid"]),
    pidStarted: String(row["pid_started"]),
    bootId: String(row["boot_id"]),
    data: parsed(row["data"]),
  };
}
