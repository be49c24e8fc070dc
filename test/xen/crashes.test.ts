/**
 * Guests that crash on real Xen, kept, left by the xl that watched over them, or again and again; and scripts for disks and network
 * cards that fail: what domus says of each, what stays behind, and the way out. The guests' kernel has no root: it panics.
 */
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { debianKernel } from "../../lab/debian.ts";
import type { LabHost } from "../../lab/host.ts";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { labDomus, PATIENT } from "../support/lab-domus.ts";
import type { LabDomus } from "../support/lab-domus.ts";
import { testHost } from "../support/lab.ts";
import { installWatcher } from "../support/lab-watcher.ts";
import type { LabWatcher } from "../support/lab-watcher.ts";

const STUB = "/var/lib/xen/save/pandora";
const DISK = "/srv/guests/pandora-disk.img";
const SCRIPTS = "/etc/xen/scripts";
const START = "start --anyway --limit 1800";
/** An emulated dom0 on a busy machine. */
const POLL = { timeout: 600_000, interval: 1000 };

let host: LabHost;
let dir: string;
let domus: LabDomus;
let watcher: LabWatcher;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  host = await testHost({ name: "test-crashes" });
  domus = labDomus(host);
  const image = join(dir, "disk.img");
  writeFileSync(image, "");
  truncateSync(image, 1024 ** 2);
  const config = await host.writeGuest({
    name: "pandora",
    memoryMib: 80,
    disks: [{ image, as: "file" }],
    kernel: debianKernel("6.1-cloud").vmlinuz,
    config: ['extra = "console=hvc0"', 'on_crash = "preserve"'],
  });
  const copy = (name: string, onCrash: string, ...more: readonly string[]) =>
    `sed -e 's/"pandora"/"${name}"/; /^disk/d' -e 's/"preserve"/"${onCrash}"/' ${config} > /etc/xen/${name}.cfg
     cat >> /etc/xen/${name}.cfg <<'END'\n${more.join("\n")}\nEND`;
  await host.output(
    [
      copy("orphan", "restart"),
      copy("again", "restart"),
      copy("lonely", "preserve", "vif = [ 'bridge=nobr7' ]"),
      copy("locked", "preserve", "disk = [ 'script=block-locked,vdev=xvda,target=array7' ]"),
    ].join("\n"),
  );
  watcher = await installWatcher(host);
});

afterAll(async () => {
  await host?.remove();
  rmSync(dir, { recursive: true, force: true });
});

type Found = {
  readonly code: string;
  readonly severity: string;
  readonly what: string;
  readonly next: string;
};

/** Of the guest, or of no guest, as `domus list` has it now: its state and its findings. */
async function listed(name?: string): Promise<{ state: string; findings: readonly Found[] }> {
  const { stdout, stderr } = await host.run("domus list --json", PATIENT);
  const document = JSON.parse(stdout) as {
    guests: { name: string; state: string; findings: readonly Found[] }[];
    findings: readonly Found[];
  };
  if (name === undefined) return { state: "", findings: document.findings };
  const guest = document.guests.find((one) => one.name === name);
  expect(guest, stderr).toBeDefined();
  return guest!;
}

const codes = ({ findings }: { readonly findings: readonly Found[] }) =>
  findings.map(({ severity, code }) => `${severity} ${code}`).toSorted();

/** What the watcher has said of the guest; of alarms, which. */
async function toldOf(name: string): Promise<string[]> {
  const events = (await watcher.told()).filter(({ guest }) => guest === name);
  return events.map(({ kind, detail }) =>
    kind === "alarm" ? `${String(detail["severity"])} ${String(detail["code"])}` : kind,
  );
}

/** As `xl list` has it; empty when there is no such domain. */
async function flagsOf(name: string): Promise<string> {
  return (await host.run(`xl list ${name} | tail -n 1 | awk '{print $(NF-1)}'`)).stdout.trim();
}

const crashes = (name: string) => expect.poll(() => flagsOf(name), POLL).toBe("---sc-");
const isThere = async (name: string) => (await host.run(`xl domid ${name}`)).code === 0;
const loops = () => host.output("losetup --noheadings --output BACK-FILE");

test("one that is kept: what it left, no image can be made of it, and how it is taken away", async () => {
  const started = await domus.ends(`${START} pandora`, EXIT.failed);
  expect(started).toMatch(/pandora did not come up: the kernel panicked: /);
  expect(started).toContain("domus stop --destroy-after 0 pandora takes it away");
  await crashes("pandora");
  // xl fails, and leaves a file with all that an image begins with.
  await host.output("mkdir -p /var/lib/xen/save");
  expect((await host.run(`xl save pandora ${STUB}`, PATIENT)).code).not.toBe(0);
  const bytes = Number(await host.output(`stat -c %s ${STUB}`));
  expect([bytes > 1000, bytes < 10_000]).toEqual([true, true]);
  const kept = await listed("pandora");
  expect(kept.state).toBe("crashed");
  expect(codes(kept)).toEqual(["warning domain-crashed", "warning image-incomplete"]);
  const crashed = kept.findings.find(({ code }) => code === "domain-crashed");
  expect(crashed?.next).toMatch(/xl dump-core \d+ FILE.*domus stop --destroy-after 0 pandora/);
  expect(await domus.refused("stop pandora")).toContain("Keep a dump first");
  expect(await domus.done("stop --destroy-after 0 pandora")).toContain("pandora was destroyed");
  // The stub saves nothing, and is in nobody's way.
  const stopped = await listed("pandora");
  expect(stopped.state).toBe("stopped");
  expect(codes(stopped)).toEqual(["warning image-incomplete"]);
  expect(await domus.refused(`restore --anyway ${STUB}`)).toMatch(/cut off|not whole|incomplete/);
  expect(await domus.done("start --anyway --dry-run pandora")).toContain("Would start pandora");
  await host.output(`rm ${STUB}`);
  const lived = ["started", "crashed", "stopped"];
  await expect.poll(() => toldOf("pandora"), POLL).toEqual(expect.arrayContaining(lived));
});

test("one whose xl was killed before: nobody acts on it, which is an alarm", async () => {
  await host.output("xl create -p /etc/xen/orphan.cfg", PATIENT);
  // What xl create leaves behind has begun its log: by that the watcher knows it.
  await host.output(
    "until grep -q '^Waiting for domain' /var/log/xen/xl-orphan.log; do sleep 0.2; done",
  );
  await host.output("kill -9 $(pgrep -f '[x]l create -p /etc/xen/orphan')");
  await host.output("xl unpause orphan");
  await crashes("orphan");
  await expect.poll(() => toldOf("orphan"), POLL).toContain("error domain-unwatched");
  const left = await listed("orphan");
  expect([left.state, codes(left)]).toEqual(["crashed", ["error domain-unwatched"]]);
  expect(left.findings[0]?.what).toContain("nobody acts on it: it is not started again");
  const wayOut = "domus stop --destroy-after 0 orphan";
  for (const command of [`${START} orphan`, "reboot --anyway orphan"])
    expect(await domus.refused(command), command).toContain(wayOut);
  await domus.done("stop --destroy-after 0 orphan");
  expect(await isThere("orphan")).toBe(false);
});

test("one that crashes again and again: said once, alarmed once, and ended for good", async () => {
  const started = await domus.ends(`${START} again`, EXIT.failed);
  expect(started).toMatch(/again did not come up: the kernel panicked: /);
  expect(started).toContain('xl starts it again whenever it crashes (on_crash is "restart")');
  const loop = "error crash-loop";
  await expect.poll(() => toldOf("again"), POLL).toContain(loop);
  await expect.poll(async () => codes(await listed("again")), POLL).toContain(loop);
  // In whatever moment of a life it comes.
  expect(await domus.done("stop --destroy-after 0 again")).toContain("again was destroyed");
  await expect
    .poll(async () => (await host.run("pgrep -f '[x]l create /etc/xen/again'")).code, POLL)
    .toBe(1);
  expect(await isThere("again")).toBe(false);
  const alarms = (await toldOf("again")).filter((text) => text === loop);
  expect(alarms).toHaveLength(1);
  expect(await host.console("again")).toContain("Kernel panic");
  await watcher.kill();
});

test("a script that fails: its reason, and nothing is left", async () => {
  await host.output(
    `printf '%s\\n' '#!/bin/bash' '. /etc/xen/scripts/block-common.sh' 'echo "mdadm: array7 is locked" >&2; exit 1' > ${SCRIPTS}/block-locked
     chmod +x ${SCRIPTS}/block-locked`,
  );
  const lonely = await domus.ends("start --anyway --no-wait lonely", EXIT.failed);
  expect(lonely).toMatch(/Could not find bridge device nobr7.*Nothing of it is left\./);
  const locked = await domus.ends("start --anyway --no-wait locked", EXIT.failed);
  expect(locked).toMatch(/block-locked add \[\d+\] exited with error status 1/);
  expect(locked).toMatch(/xen-hotplug\.log since then: .*mdadm: array7 is locked/);
  expect([await isThere("lonely"), await isThere("locked"), await loops()]).toEqual([
    ...[false, false, ""],
  ]);
  expect(await host.output("ls -A /run/xen-hotplug")).toBe("");
});

test("a script that is killed half-way, as after its 40 s: what it had set up, and a lock", async () => {
  await host.output(
    `set -e
     cd ${SCRIPTS}; mv block block.whole
     printf '%s\\n' '#!/bin/bash' '[ "$1" = add ] || exec ${SCRIPTS}/block.whole "$@"' 'losetup -f "$(xenstore-read "$XENBUS_PATH/params")"' 'kill -9 $$' > block
     chmod +x block`,
  );
  // Without domus it stays.
  expect((await host.run("xl create /etc/xen/pandora.cfg", PATIENT)).code).not.toBe(0);
  expect(await loops()).toBe(`${DISK}\n`);
  const left = await listed("pandora");
  expect(codes(left)).toEqual(["warning hotplug-left-over"]);
  const refused = await domus.refused("start --anyway --no-wait pandora");
  const letGo = /losetup -d \/dev\/loop\d+/.exec(refused)?.[0];
  expect(letGo, refused).toBeDefined();
  await host.output(letGo!);
  // udev may have it open for a moment.
  await expect.poll(loops, POLL).toBe("");
  const failed = await domus.ends("start --anyway --no-wait pandora", EXIT.failed);
  expect(failed).toMatch(/block add \[\d+\] died due to fatal signal/);
  expect(failed).toContain("it was let go of");
  expect([await loops(), await isThere("pandora")]).toEqual(["", false]);
  await host.output(`mv ${SCRIPTS}/block.whole ${SCRIPTS}/block`);
  // What a script that was killed had started has its lock from it (locking.sh takes descriptor 200).
  await host.output(
    `mkdir -p /run/xen-hotplug
     setsid bash -c 'exec 200<>/run/xen-hotplug/block; flock 200; echo $$ > /run/holder; exec sleep 1000' < /dev/null > /dev/null 2>&1 &
     while [ ! -s /run/holder ]; do sleep 0.1; done`,
    PATIENT,
  );
  const pid = (await host.output("cat /run/holder")).trim();
  await expect
    .poll(async () => (await listed()).findings.map(({ what }) => what).join("\n"), POLL)
    .toContain(`Process ${pid} (sleep) holds the lock /run/xen-hotplug/block`);
  await host.output(`kill ${pid}`);
});
