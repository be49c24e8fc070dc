import { mkdirSync, mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import {
  configChanges,
  parseKnownConfigs,
  readConfigFiles,
} from "../../../../src/guest/watch/config-files.ts";
import type { KnownConfigs } from "../../../../src/guest/watch/config-files.ts";
import { eventText } from "../../../../src/guest/watch/event-text.ts";
import type { Host } from "../../../../src/host/host.ts";
import { treeHost } from "../../../../src/host/local/tree-host.ts";
import type { GuestEvent } from "../../../../src/host/records.ts";

const WEB = 'name = "web"\nmemory = 512\ndisk = ["/dev/vg0/web,raw,xvda,rw"]\n';
const START_MS = 1_700_000_000_000;

let dir = "";
let host: Host;
/** Of the last write; each is a minute after the one before. */
let atMs = START_MS;
let known: KnownConfigs | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-configs-"));
  mkdirSync(join(dir, "etc/xen/auto"), { recursive: true });
  atMs = START_MS;
  known = undefined;
  host = {
    ...treeHost(dir),
    // The time of a change of the inode is that of the test, which is not past.
    stampOf: async (path) => `${path} ${readFileSync(join(dir, path), "latin1").length} ${atMs}`,
  };
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(name: string, text: string): void {
  atMs += 60_000;
  const path = join(dir, "etc/xen", name);
  writeFileSync(path, text);
  utimesSync(path, atMs / 1000, atMs / 1000);
}

async function look(own: readonly GuestEvent[] = []) {
  const now = (await readConfigFiles(host, known, atMs + 20_000))!;
  const events = known ? configChanges(known, now, () => own) : [];
  // As it comes back from the records.
  known = parseKnownConfigs(JSON.parse(JSON.stringify(now)));
  expect(known).toEqual(now);
  return events;
}

const said = (events: readonly Pick<GuestEvent, "guest" | "kind" | "detail">[]) =>
  events.map((event) => `${event.guest}: ${eventText(event)}`);

test("which settings changed, from what to what, at the time of the file", async () => {
  write("web.cfg", WEB);
  expect(await look()).toEqual([]);
  expect(await look()).toEqual([]);
  write("web.cfg", `${WEB.replace("512", "1024")}vcpus = 2\n`);
  const events = await look();
  expect(events).toMatchObject([{ atMs, by: "watcher", kind: "config-changed" }]);
  expect(said(events)).toEqual([
    "web: config-changed /etc/xen/web.cfg: memory 512 -> 1024, vcpus = 2",
  ]);
  write("web.cfg", WEB.replace('["/dev/vg0/web', '["/dev/vg0/web,raw,xvda,rw", "/dev/vg0/data'));
  expect(said(await look())).toEqual([
    "web: config-changed /etc/xen/web.cfg: memory 1024 -> 512, disk [/dev/vg0/web,raw,xvda,rw] -> [/dev/vg0/web,raw,xvda,rw, /dev/vg0/data,raw,xvda,rw], vcpus is gone",
  ]);
});

test("comments are no setting, and a touched file is no change", async () => {
  write("web.cfg", WEB);
  await look();
  write("web.cfg", `# mine\n${WEB}`);
  expect(said(await look())).toEqual([
    "web: config-changed /etc/xen/web.cfg (no setting: comments, order or layout)",
  ]);
  write("web.cfg", `# mine\n${WEB}`);
  expect(await look()).toEqual([]);
});

test("new files, and files that are gone; what an editor puts back at once was never gone", async () => {
  write("web.cfg", WEB);
  await look();
  write("db.cfg", WEB.replace("web", "db"));
  expect(said(await look())).toEqual(["db: config-changed /etc/xen/db.cfg is new"]);
  rmSync(join(dir, "etc/xen/db.cfg"));
  expect(await look()).toEqual([]);
  write("db.cfg", WEB.replace("web", "db"));
  expect(await look()).toEqual([]);
  rmSync(join(dir, "etc/xen/db.cfg"));
  expect(await look()).toEqual([]);
  expect(said(await look())).toEqual(["db: config-changed /etc/xen/db.cfg is removed"]);
  expect(await look()).toEqual([]);
});

test("a directory that cannot be read has lost none of its configs", async () => {
  write("web.cfg", WEB);
  write("db.cfg", WEB.replace("web", "db"));
  await look();
  rmSync(join(dir, "etc/xen/db.cfg"));
  expect(await look()).toEqual([]);
  const readable = host;
  const fail = async () => {
    throw ioFailure(["/etc/xen"], "list", "ESTALE");
  };
  host = { ...host, list: fail };
  for (let looks = 0; looks < 3; looks++) expect(await look()).toEqual([]);
  host = readable;
  expect(said(await look())).toEqual(["db: config-changed /etc/xen/db.cfg is removed"]);
});

test("passwords are not kept, a broken config is still its guest's, and what domus wrote is told by domus", async () => {
  write("web.cfg", `${WEB}vncpasswd = "secret"\n`);
  await look();
  expect(JSON.stringify(known)).not.toContain("secret");
  write("web.cfg", 'memory = [\nvncpasswd="secret"\n');
  const events = await look();
  expect(events).toMatchObject([{ guest: "web" }]);
  expect(JSON.stringify([events, known])).not.toContain("secret");
  write("web.cfg", WEB);
  const own: GuestEvent = {
    ...{ id: 1, atMs: atMs + 100, guest: "web", kind: "config-changed", by: "domus" },
    detail: { config: "/etc/xen/web.cfg" },
  };
  expect(await look([own])).toEqual([]);
});

test("one that is being written is as it was; without stamps nothing is read", async () => {
  write("web.cfg", WEB);
  await look();
  write("web.cfg", WEB.slice(0, 20));
  const settled = host;
  host = { ...host, stampOf: async () => undefined };
  expect(await look()).toEqual([]);
  write("web.cfg", WEB.replace("512", "256"));
  host = settled;
  expect(said(await look())).toEqual(["web: config-changed /etc/xen/web.cfg: memory 512 -> 256"]);
  expect(await readConfigFiles({ ...host, stampOf: undefined! }, known, atMs)).toBe(undefined);
});

test("one that is being written when the watcher looks for the first time is no news later", async () => {
  write("web.cfg", WEB);
  const settled = host;
  host = { ...host, stampOf: async () => undefined };
  await look();
  expect(await look()).toEqual([]);
  host = settled;
  expect(await look()).toEqual([]);
  write("web.cfg", WEB.replace("512", "256"));
  expect(said(await look())).toEqual(["web: config-changed /etc/xen/web.cfg: memory 512 -> 256"]);
});

test("what was kept by another version is forgotten, not believed", () => {
  for (const value of [undefined, null, 5, {}, { version: 2, atMs: 1, files: [] }])
    expect(parseKnownConfigs(value)).toBe(undefined);
  for (const file of [null, 5, {}, { path: "x", guest: "y" }])
    expect(parseKnownConfigs({ version: 1, atMs: 1, files: [file] })).toBe(undefined);
});
