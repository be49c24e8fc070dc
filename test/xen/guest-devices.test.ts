/**
 * A PV guest on real Xen with devices of all kinds: a qcow2 that QEMU serves, CD-ROM drives with a disc and without, a NIC without a
 * MAC address of its own. What is attached live and what is edited meanwhile, and what becomes of each at the two next boots.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "../../lab/host.ts";
import {
  countingFiles,
  COUNTING_ARGS,
  dataDisk,
  lastTick,
  nextTick,
} from "../support/counting-guest.ts";
import { showGuest } from "../support/guest-life.ts";
import type { ShownGuest } from "../support/guest-life.ts";
import { labDomus, PATIENT } from "../support/lab-domus.ts";
import type { LabDomus } from "../support/lab-domus.ts";
import { testHost } from "../support/lab.ts";
import { need, sh } from "../support/need.ts";

const CONFIG = "/etc/xen/pandora.cfg";
const QCOW2 = "/srv/guests/mail.qcow2";
const HOT = "/dev/vg0/hot";
const HOT_MAC = "00:16:3e:77:00:02";
const LONG = "--limit 1800";
/** Of a test with many commands, on a busy machine. */
const PATIENT_TEST_MS = 2_400_000;

let host: LabHost;
let dir: string;
let domus: LabDomus;

beforeAll(async () => {
  need("qemu-img", "tune2fs");
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  host = await testHost({ name: "test-devices" });
  domus = labDomus(host);
  const { image, kernel, ramdisk } = countingFiles(dir);
  // The same disk before and after somebody has been at it.
  const raw = dataDisk(dir, "mail");
  sh(`qemu-img convert -O qcow2 '${raw}' '${dir}/mail.qcow2'
      tune2fs -L parcels '${raw}' && qemu-img convert -O qcow2 '${raw}' '${dir}/renamed.qcow2'`);
  await host.copyIn(
    ["mail", "renamed"].map((name) => join(dir, `${name}.qcow2`)),
    "/srv/guests",
  );
  await host.writeGuest({
    name: "pandora",
    memoryMib: 112,
    disks: [{ image }],
    kernel,
    ramdisk,
    config: [
      `disk += [ "${QCOW2},qcow2,xvdb,w" ]`,
      'uuid = "6b1f0c52-9a5f-4c0e-8d67-2f6a4b1c0d14"',
      `extra = "${COUNTING_ARGS}"`,
      'vif = [ "bridge=xenbr0" ]',
    ],
  });
  // Never unpaused: a kernel waits minutes for a PV drive that is empty.
  await host.output(
    `set -e
     lvcreate -qqy -L 4m -n hot vg0
     truncate -s 1M /srv/disc.iso
     sed -e 's/"pandora"/"drives"/; /^uuid/d; /^disk *=/d' -e 's|^disk +=.*|disk = [ ",empty,xvda,cdrom", "/srv/disc.iso,raw,xvdb,cdrom" ]|' ${CONFIG} > /etc/xen/drives.cfg`,
  );
});

afterAll(async () => {
  await host?.remove();
  rmSync(dir, { recursive: true, force: true });
});

/** What the devices of the domain are, by Xen. */
async function attached(): Promise<string> {
  return host.output(
    "xl block-list pandora | awk '{print $1}'; xl network-list pandora | awk '{print $3}'",
  );
}

/** Findings that say how domain and config differ, and there are no others. */
function driftOf({ findings }: ShownGuest): { readonly what: string; readonly why: string }[] {
  expect(findings.filter(({ code }) => code !== "config-drift")).toEqual([]);
  return findings.map(({ what, why }) => ({ what, why }));
}

const shown = () => showGuest(host, "pandora");

test("CD-ROM drives without a disc and with one: nothing is said to differ", async () => {
  await host.output("xl create -p -q /etc/xen/drives.cfg", PATIENT);
  const { state, disks, findings } = await showGuest(host, "drives");
  expect([state, findings]).toEqual(["paused", []]);
  expect(disks).toMatchObject([
    { vdev: "xvda", cdrom: true, backing: "empty" },
    { vdev: "xvdb", cdrom: true, backing: "file" },
  ]);
  await host.output("xl destroy drives; rm /etc/xen/drives.cfg", PATIENT);
});

let firstMac: string | null | undefined;

test("a qcow2 that QEMU serves: nothing is said to differ", async () => {
  expect(await domus.done(`start ${LONG} pandora`)).toContain("pandora is up");
  await nextTick(host, "pandora", { boot: 1, tick: 3 });
  const { disks, nics, findings } = await shown();
  expect(disks).toMatchObject([
    { vdev: "xvda", format: "raw", backing: "block-device" },
    { vdev: "xvdb", format: "qcow2", target: QCOW2, backing: "file" },
  ]);
  expect(nics).toMatchObject([{ mac: expect.stringMatching(/^00:16:3e:/) as string }]);
  expect(findings).toEqual([]);
  firstMac = nics[0]?.mac;
});

test("a qcow2 is in use, by whatever name, though Xen's scripts never look at one", async () => {
  await host.output(
    `ln ${QCOW2} /srv/hard.qcow2
     sed -e 's/"pandora"/"twin"/; /^uuid/d; /^disk *=/d' -e 's|^disk +=.*|disk = [ "/srv/hard.qcow2,qcow2,xvda,w" ]|' ${CONFIG} > /etc/xen/twin.cfg`,
  );
  expect(await domus.refused("start twin")).toContain("pandora");
  await host.output("rm /etc/xen/twin.cfg /srv/hard.qcow2");
});

test(
  "attached live, and edited meanwhile: what a reboot keeps and what a new start makes of it",
  { timeout: PATIENT_TEST_MS },
  async () => {
    const before = await host.output(`cat ${CONFIG}`);
    await domus.done(`attach pandora ${HOT},raw,xvde,rw`);
    await domus.done(`attach --nic mac=${HOT_MAC},bridge=xenbr0 pandora`);
    await host.output(`sed -i 's/^vcpus = 1/vcpus = 2/' ${CONFIG}`);
    const lost = expect.stringContaining("once it is shut down and created again") as string;
    const unseen = expect.stringContaining("does not look at the config") as string;
    const predicted = [
      {
        what: expect.stringContaining(`xvde (${HOT}) is in the domain, and not`) as string,
        why: lost,
      },
      {
        what: expect.stringContaining(`${HOT_MAC} on xenbr0 is in the domain, and not`) as string,
        why: lost,
      },
      { what: "The config says vcpus 2; the domain has 1.", why: unseen },
      { what: "The config says maxvcpus 2; the domain has 1.", why: unseen },
    ];
    expect(driftOf(await shown())).toEqual(predicted);
    const had = await attached();

    const said = await domus.done(`reboot ${LONG} pandora`);
    expect(said).toContain(`A reboot does not read ${CONFIG}`);
    await nextTick(host, "pandora", { boot: 2, tick: 3 });
    expect(await attached()).toBe(had);
    const rebooted = await shown();
    expect(rebooted.nics.map(({ mac }) => mac)).toEqual([firstMac, HOT_MAC]);
    expect(driftOf(rebooted)).toEqual(predicted);

    await domus.done("stop --wait 1800 pandora");
    await domus.done(`start ${LONG} pandora`);
    await nextTick(host, "pandora", { boot: 3, tick: 3 });
    const now = await shown();
    expect(driftOf(now)).toEqual([]);
    expect([now.vcpus, now.disks.map(({ vdev }) => vdev)]).toEqual([2, ["xvda", "xvdb"]]);
    // xl has made up another one, which is as it should be.
    expect(now.nics).toHaveLength(1);
    expect([firstMac, HOT_MAC]).not.toContain(now.nics[0]?.mac);
    expect(await host.output(`diff - ${CONFIG} | grep '^[<>]'`, { input: before })).toBe(
      "< vcpus = 1\n> vcpus = 2\n",
    );
  },
);

test(
  "saved with a qcow2: QEMU writes to it as it ends, which is no change; what somebody else writes is",
  { timeout: PATIENT_TEST_MS },
  async () => {
    await domus.done("save pandora");
    const saved = await lastTick(host, "pandora");
    const { images } = await shown();
    expect(images).toMatchObject([{ end: "complete", proof: { verdict: "unchanged" } }]);

    await host.output(
      `cp -p ${QCOW2} /srv/as-saved.qcow2; cat /srv/guests/renamed.qcow2 > ${QCOW2}`,
    );
    const why = await domus.refused("restore --anyway pandora");
    expect(why).toMatch(
      /xvdb \(\/srv\/guests\/mail\.qcow2\): The file was last written at .* ext4 on whole disk: its content/,
    );
    expect(why).not.toContain("xvda");
    // As it was again, times and all but the inode's own: every byte of it is compared.
    await host.output(`cp -p /srv/as-saved.qcow2 ${QCOW2}`);
    await domus.done("restore pandora");
    expect((await nextTick(host, "pandora", saved)).boot).toBe(3);
    // The image has the MAC address in it that the config has not.
    expect(driftOf(await shown())).toEqual([]);
  },
);
