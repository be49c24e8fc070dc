/** domus watch on real Xen: a storm of changes, a watcher that is killed in the middle of it, and a domain that loses its xl. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { debianKernel } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import { testHost } from "../support/lab.ts";
import { hasBooted, installWatcher, LabWatcher } from "../support/lab-watcher.ts";

const KERNEL = "6.1-cloud";
const LONG = { timeout: 1_800_000 };

let host: LabHost;
let dir: string;
let config: string;
let watcher: LabWatcher;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  const image = join(dir, "guest.img");
  host = await testHost({ name: "test-watch" });
  makeExt4Guest(image, { kernel: KERNEL });
  config = await host.writeGuest({
    name: "pandora",
    memoryMib: 96,
    disks: [{ image }],
    kernel: debianKernel(KERNEL).vmlinuz,
    ramdisk: guestInitramfs(KERNEL),
    config: [
      'extra = "root=/dev/xvda console=hvc0 sysrq_always_enabled"',
      'on_crash = "preserve"',
      'on_reboot = "restart"',
    ],
  });
  await host.output("lvcreate -qqy -L 4m -n pandora-data vg0; groupadd --system domus");
  watcher = await installWatcher(host);
});

afterAll(async () => {
  if (watcher) console.log(watcher.report());
  await host.remove();
  rmSync(dir, { recursive: true, force: true });
});

let ups = 0;
const up = () => host.waitForConsole("pandora", hasBooted(++ups));

test("its state directory is for members of the group domus, too, as systemd starts it", async () => {
  const owned = await host.output("stat -c '%U %G %a' /var/lib/domus /var/lib/domus/records.db");
  expect(owned).toBe("root domus 750\nroot domus 640\n");
});

test("a storm of changes is seen as it happens, in order", LONG, async () => {
  const data = "/dev/vg0/pandora-data";
  await watcher.step(`xl create ${config}`, ["started"]);
  await up();
  for (let round = 0; round < 3; round++) {
    await watcher.step("xl pause pandora", ["paused"]);
    await watcher.step("xl unpause pandora", ["resumed"]);
  }
  for (let round = 0; round < 2; round++) {
    await watcher.step(`xl block-attach pandora ${data},raw,xvdb,rw`, ["attached"]);
    await watcher.step("xl block-detach pandora xvdb", ["detached"]);
  }
  await watcher.step("xl rename pandora mail", ["renamed"]);
  await watcher.step("xl rename mail pandora", ["renamed"]);
  await watcher.step("xl mem-set pandora 90m", ["config-changed"]);
  await watcher.step("xl save pandora /var/tmp/pandora.xl", ["saved"]);
  await watcher.step("xl restore /var/tmp/pandora.xl", ["restored"]);
  await watcher.step("xl pause pandora", ["paused"]);
  await watcher.step("xl unpause pandora", ["resumed"]);
  await watcher.step("xl sysrq pandora b", ["rebooted"], "guest");
  await up();
  await watcher.step("xl sysrq pandora c", ["crashed"], "guest");
  await watcher.step("xl destroy pandora", ["stopped"]);
  await watcher.step(`xl create -p ${config}`, ["created"]);
  await watcher.step("xl unpause pandora", ["started"]);
  await up();
  // Without a moment in between.
  await watcher.step(`xl destroy pandora; xl create ${config}`, ["stopped", "started"]);
  await up();
  await watcher.step("xl sysrq pandora o", ["stopped"], "guest");
});

test("what happens while it is dead is caught up", LONG, async () => {
  await watcher.step(`xl create ${config}`, ["started"]);
  await up();
  await watcher.kill();
  await host.output("xl pause pandora");
  await watcher.step(watcher.start, ["paused"], "late");
  await watcher.kill();
  await host.output(`xl unpause pandora && xl sysrq pandora o`);
  await expect
    .poll(async () => (await host.run("xl list pandora")).code, { timeout: 300_000, interval: 500 })
    .not.toBe(0);
  await host.output(`xl create ${config} && xl destroy pandora && xl create ${config}`);
  await up();
  await watcher.step(watcher.start, ["stopped", "started", "stopped", "started"], "late");
});

test("a domain that nobody watches over raises an alarm; its name is in the records", async () => {
  const [alarm] = await watcher.step("kill -9 $(pgrep -f '[x]l create')", ["alarm"]);
  expect(alarm).toMatchObject({ guest: "pandora", detail: { code: "domain-unwatched" } });
  await watcher.step("xl destroy pandora", ["stopped"]);
  const { stdout } = await host.run("domus history pandora --events --json");
  const { events } = JSON.parse(stdout) as { events: { kind: string; by: string }[] };
  expect(events.map(({ kind }) => kind)).toEqual(watcher.seen.map(({ kind }) => kind));
  expect(events.filter(({ by }) => by === "log").map(({ kind }) => kind)).toEqual([
    ...["paused", "stopped", "started", "stopped", "started"],
  ]);
  watcher.notes.push(await watcher.idleCost(20));
});
