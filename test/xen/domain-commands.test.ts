/** domus stop, reboot, pause, resume, attach and detach on real Xen, and what is seen of a boot on its console. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { debianKernel } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import { EXIT } from "../../src/cli/exit-codes.ts";
import type { ExitCode } from "../../src/cli/exit-codes.ts";
import { killedEarly } from "../support/killed-early.ts";
import { labDomus, PATIENT } from "../support/lab-domus.ts";
import { testHost } from "../support/lab.ts";

const KERNEL = "6.1-cloud";
const IMAGE = "/var/tmp/pandora.image";
const LONG = "--limit 1800";
const DATA = "/dev/vg0/data";

let host: LabHost;
let dir: string;
let config: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  const image = join(dir, "guest.img");
  host = await testHost({ name: "test-commands" });
  makeExt4Guest(image, { kernel: KERNEL });
  const kernel = debianKernel(KERNEL).vmlinuz;
  config = await host.writeGuest({
    name: "pandora",
    memoryMib: 80,
    disks: [{ image }],
    kernel,
    ramdisk: guestInitramfs(KERNEL),
    config: [
      'uuid = "0f6c2a51-8a0d-4c33-9a55-3d2b7c9e1f10"',
      'extra = "root=/dev/xvda console=hvc0"',
    ],
  });
  // Without an initramfs this kernel has no driver for the disk that its root is on. It waits before it panics, and its domain goes
  // then: domus listens by that time, however slow dom0 is. The other disks are somebody's.
  await host.output(
    `set -e
     lvcreate -qqy -L 4m -n data vg0
     lvcreate -qqy -L 4m -n shared vg0
     truncate -s 4M /srv/shared.img
     ln -s /srv/shared.img /srv/alias.img
     sed -e 's/"pandora"/"broken"/; /^ramdisk/d; /^uuid/d; s/console=hvc0/& rootdelay=10/' -e 's|phy:[^,]*|phy:${DATA}|' ${config} > /etc/xen/broken.cfg
     sed -e 's/"pandora"/"second"/; /^uuid/d' -e 's|^disk.*|disk = [ "phy:/dev/vg0/shared,xvda,w", "file:/srv/shared.img,xvdb,w" ]|' ${config} > /etc/xen/second.cfg`,
  );
});

afterAll(async () => {
  await host?.remove();
  rmSync(dir, { recursive: true, force: true });
});

const domus = (words: string, wanted: ExitCode = EXIT.done) => labDomus(host).ends(words, wanted);
const domidOf = async (name: string) => (await host.output(`xl domid ${name}`)).trim();
/** One that waited for an interrupt when it was paused is blocked, too. */
const PAUSED = /^-[b-]p---$/;
const stateOf = async (name: string) =>
  (await host.output(`xl list ${name} | tail -n 1 | awk '{print $(NF-1)}'`)).trim();

test("a boot that fails is seen, with its reason", async () => {
  const text = await domus(`start --anyway ${LONG} broken`, EXIT.failed);
  expect(text).toMatch(/broken did not come up: the kernel panicked: VFS: Unable to mount root fs/);
  await expect
    .poll(async () => (await host.run("xl domid broken")).code, {
      timeout: 600_000,
      interval: 1000,
    })
    .not.toBe(0);
});

test("a guest that comes up again, and one that would not", async () => {
  await host.output(`xl create ${config}`, PATIENT);
  await host.waitForConsole("pandora", /userland reached/, PATIENT.timeoutMs);
  const before = await domidOf("pandora");
  expect(await domus(`reboot ${LONG} pandora`)).toMatch(
    /pandora is up again, as domain \d+: a shell/,
  );
  const after = await domidOf("pandora");
  expect(after).not.toBe(before);
  await host.output("mv /srv/guests/pandora/initrd* /root/");
  expect(await domus("reboot pandora", EXIT.refused)).toMatch(
    /pandora would not come back: .*initrd/,
  );
  expect(await domidOf("pandora")).toBe(after);
  await host.output("mv /root/initrd* /srv/guests/pandora/");
});

test("a disk that another guest has is not attached, under whatever name", async () => {
  await host.output("xl create -p /etc/xen/second.cfg", PATIENT);
  for (const disk of ["/dev/mapper/vg0-shared", "/srv/alias.img"])
    expect(await domus(`attach pandora ${disk},raw,xvdb,w`, EXIT.refused)).toMatch(
      /of domain second/,
    );
});

test("of two that attach one disk at the same moment, one gets it", async () => {
  const attach = (name: string, disk: string) =>
    `(domus attach ${name} ${disk},raw,xvdd,w > /dev/null 2>&1; echo $?) &`;
  const codes = await host.output(
    `${attach("pandora", DATA)} ${attach("second", "/dev/mapper/vg0-data")} wait`,
    PATIENT,
  );
  expect(codes.trim().split("\n").sort()).toEqual([String(EXIT.done), String(EXIT.refused)]);
  const users = await host.output("for d in pandora second; do xl block-list $d; done");
  expect(users.match(/^51760 /gm)).toHaveLength(1);
  await host.output("xl destroy second", PATIENT);
  if ((await host.output("xl block-list pandora")).includes("51760"))
    await domus("detach pandora xvdd");
});

test("half a domain that has no name yet goes when it is that of the guest, and else stays", async () => {
  const early = await killedEarly(host, dir);
  const nameless = async () =>
    (await host.output("xl list -v")).split("\n").filter((line) => line.startsWith("(null) "));
  expect((await host.run(`${early} xl create /etc/xen/broken.cfg`, PATIENT)).code).not.toBe(0);
  const before = await nameless();
  // Its name comes later; that it has used nothing and that it is paused is known from the first moment on.
  expect(before).toEqual([
    expect.stringMatching(/^\(null\) +\d+ +0 +0 +-[b-]p--- +0\.0 [0-9a-f-]{36} /),
  ]);
  const { code, stderr } = await host.run(`${early} domus start --anyway broken`, PATIENT);
  expect([code, stderr]).toEqual([EXIT.failed, expect.stringContaining("Nothing of it is left")]);
  expect(await nameless()).toEqual(before);
  await host.output(`xl destroy ${before[0]!.split(/ +/)[1]}`, PATIENT);
});

test("a disk is attached and detached, in the domain and in the config", async () => {
  const before = await host.output(`cat ${config}`);
  const vdevs = async () =>
    (await host.output("xl block-list pandora | tail -n +2 | cut -d ' ' -f 1")).trim();
  await domus(`attach --persist pandora ${DATA},raw,xvdb,rw`);
  expect(await vdevs()).toBe("51712\n51728");
  expect(await host.output(`grep -c ${DATA},raw,xvdb,rw ${config}`)).toBe("1\n");
  expect(await domus("detach --persist pandora xvdb")).toContain("does not have the disk xvdb");
  expect(await vdevs()).toBe("51712");
  expect(await host.output(`cat ${config}`)).toBe(before);
});

test("a guest is stopped, and its domain is gone by then", async () => {
  expect(await domus("stop pandora")).toMatch(/pandora has shut down, after \d+ s/);
  expect((await host.run("xl domid pandora")).code).not.toBe(0);
});

test("a guest that is paused goes on, unless an image was made of it", async () => {
  await host.output(`xl create ${config}`, PATIENT);
  await host.waitForConsole("pandora", /(userland reached[\s\S]*){3}/, PATIENT.timeoutMs);
  await host.output(`xl save -p pandora ${IMAGE}`, PATIENT);
  const refused = await domus("resume --also /var/tmp pandora", EXIT.refused);
  expect(refused).toContain(`${IMAGE} is an image of it`);
  expect(await stateOf("pandora")).toMatch(PAUSED);
  // xl of this Xen no longer looks after a guest that it has saved: domus takes its domain away in the end.
  expect(await domus("resume --anyway pandora")).toContain("No process of xl looks after");
  expect(await stateOf("pandora")).toMatch(/^[rb-][b-]-/);
  expect(await domus("pause pandora")).toContain("is paused");
  expect(await stateOf("pandora")).toMatch(PAUSED);
  await host.output("xl unpause pandora");
  expect(await domus("stop pandora")).toContain("pandora has shut down");
  expect((await host.run("xl domid pandora")).code).not.toBe(0);
});
