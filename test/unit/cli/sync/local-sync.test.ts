/** What a copy sees of commands that give disks to guests, through the records of this machine. */
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { localSyncPorts } from "../../../../src/cli/sync/local-sync.ts";
import { claimsFor } from "../../../../src/guest/guard/disk-claims.ts";
import { withOperation } from "../../../../src/guest/lifecycle/journal.ts";
import { readReaches } from "../../../../src/host/local/block-graph.ts";
import { localHost } from "../../../../src/host/local/local-host.ts";
import { isMarkAlive, ownMark } from "../../../../src/host/local/process-mark.ts";
import { openRecords } from "../../../../src/host/local/records-db.ts";

let dir = "";
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "domus-claims-"));
  vi.stubEnv("DOMUS_STATE_DIR", dir);
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true });
});

test("a disk that a memory image waits for has to stay as it is, under any name", async () => {
  const [path, alias, image] = ["disk.img", "alias.img", "image"].map((name) => join(dir, name));
  for (const file of [path!, image!]) writeFileSync(file, "bytes");
  symlinkSync(path!, alias!);
  const ports = localSyncPorts();
  const findUsers = (one: string) => ports.findUsers(one);
  using records = openRecords(dir);
  const { id } = records.addImage({
    ...{ guest: "pandora", uuid: "u1", path: image!, state: "waiting" },
    savedAtMs: Date.UTC(2026, 0, 2, 3, 4, 5),
    disks: [{ vdev: "xvda", path: path!, readonly: false }],
  });
  const what = `the disk xvda (${path}) of pandora, whose memory image ${image} waits since 2026-01-02 03:04:05 UTC`;
  const user = { kind: "image", what, writes: false };
  expect(await findUsers(alias!)).toEqual([user]);
  expect(await findUsers(image!)).toEqual([]);
  records.changeImage(id, { state: "aside" });
  expect(await findUsers(alias!)).toEqual([]);
});

test("a disk that is being given to a guest has a user, under any name, as long as that lasts", async () => {
  const [path, alias] = [join(dir, "disk.img"), join(dir, "alias.img")];
  writeFileSync(path, "disk");
  symlinkSync(path, alias);
  writeFileSync(join(dir, "other.img"), "other");
  const ports = localSyncPorts();
  const findUsers = (one: string) => ports.findUsers(one);
  expect(await findUsers(path)).toEqual([]);
  using records = openRecords(dir);
  const host = localHost();
  const guard = {
    findUsers: async () => [],
    copyState: async () => undefined,
    reachesOf: (paths: readonly string[]) => readReaches(host, paths),
    waitingImages: async () => [],
  };
  const disks = await claimsFor(guard, [{ path, writes: true }]);
  const journal = { records, self: ownMark(), isAlive: isMarkAlive };
  const start = { kind: "start", guest: "web", step: "create", data: { disks } };
  await withOperation(journal, start, async () => {
    const what = `taken by domus start web (process ${process.pid})`;
    expect(await findUsers(alias)).toEqual([{ kind: "guest", what, writes: true }]);
    expect(await findUsers(join(dir, "other.img"))).toEqual([]);
  });
  expect(await findUsers(alias)).toEqual([]);
  // One that was killed, and left no xl behind.
  records.beginOperation({ ...start, ...ownMark(), pidStarted: "0" });
  expect(await findUsers(alias)).toEqual([]);
});
