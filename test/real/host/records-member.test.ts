/** The records of root, read by an unprivileged user who is in the group of the state directory, and by one who is not. */
import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { openRecords } from "../../../src/host/local/records-db.ts";
import { writeKeptFile } from "../../../src/host/local/kept-file.ts";
import { makeStateDirectory } from "../../../src/host/local/state-owner.ts";
import { needRoot } from "../../support/need.ts";

const GID = 54_321;
const SCRIPT = join(import.meta.dirname, "../../support/as-member.ts");

function stateDirectory(): string {
  needRoot("a directory is given to a group");
  const directory = mkdtempSync(join(tmpdir(), "domus-member-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  chownSync(directory, 0, GID);
  chmodSync(directory, 0o750);
  return directory;
}

function share(directory: string): void {
  for (const name of ["records.db", "records.db-wal", "records.db-shm"]) {
    if (!statSync(join(directory, name), { throwIfNoEntry: false })) continue;
    chownSync(join(directory, name), 0, GID);
    chmodSync(join(directory, name), 0o640);
  }
}

function asMember(directory: string, gid = GID): Record<string, unknown> {
  const out = execFileSync(process.execPath, [SCRIPT, directory, String(gid)], {
    encoding: "utf8",
  });
  return JSON.parse(out) as Record<string, unknown>;
}

const EVENT = { atMs: 1, guest: "a", kind: "saved", by: "domus", detail: {} } as const;
const SEEN = { events: ["saved"], writable: false };

test("a member reads them while somebody writes and while nobody does, and writes nothing", () => {
  const directory = stateDirectory();
  const records = openRecords(directory);
  records.addEvent(EVENT);
  share(directory);
  const busy = asMember(directory);
  expect(busy).toMatchObject({ read: SEEN, written: expect.stringMatching(/failed/) });
  records[Symbol.dispose]();
  expect(asMember(directory)).toMatchObject({
    read: SEEN,
    written: expect.stringMatching(/failed/),
  });
});

test("who is not in the group learns that nothing can be read, or that there is nothing", () => {
  const directory = stateDirectory();
  using records = openRecords(directory);
  records.addEvent(EVENT);
  share(directory);
  const { read } = asMember(directory, GID + 1);
  expect(read).not.toEqual(SEEN);
});

test("what is kept beside them is for the group of the directory, and for nobody else", () => {
  const directory = stateDirectory();
  expect(writeKeptFile(directory, "checks.json", "{}")).toBe(true);
  const { gid, mode } = statSync(join(directory, "checks.json"));
  expect([gid, (mode & 0o777).toString(8)]).toEqual([GID, "640"]);
  chmodSync(directory, 0o700);
  expect(writeKeptFile(directory, "checks.json", "{}")).toBe(true);
  expect((statSync(join(directory, "checks.json")).mode & 0o777).toString(8)).toBe("600");
  writeFileSync(join(directory, "file"), "");
  expect(writeKeptFile(join(directory, "file"), "checks.json", "{}")).toBe(false);
});

test("a state directory that is older than the group, or that systemd has made, is given to the group", () => {
  const directory = stateDirectory();
  // A group that every Debian has; what systemd makes for StateDirectory=.
  const group = { group: "games" };
  const gid = 60;
  const owner = () => {
    const { gid: of, mode } = statSync(directory);
    return [of, (mode & 0o777).toString(8)];
  };
  chownSync(directory, 0, 0);
  makeStateDirectory(directory, { ...group, isOwn: true });
  expect(owner()).toEqual([gid, "750"]);
  // Somebody else's directory that was named with DOMUS_STATE_DIR stays as it is.
  chownSync(directory, 0, 0);
  chmodSync(directory, 0o700);
  makeStateDirectory(directory, group);
  expect(owner()).toEqual([0, "700"]);
  rmSync(directory, { recursive: true });
  makeStateDirectory(directory, group);
  expect(owner()).toEqual([gid, "750"]);
});
