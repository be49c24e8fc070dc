/**
 * An HVM guest with PV drivers on real Xen. It needs hardware virtualisation and a device model, which QEMU emulates in
 * QEMU where there is no KVM: slow, and it has hung. So it is tried when somebody asks for it: `npm run test:hvm`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "../../lab/host.ts";
import { countingFiles, COUNTING_ARGS, dataDisk } from "../support/counting-guest.ts";
import { livesThrough, showGuest } from "../support/guest-life.ts";
import { PATIENT } from "../support/lab-domus.ts";
import { testHost } from "../support/lab.ts";
import { need, sh } from "../support/need.ts";

const QCOW2 = "/srv/guests/mail.qcow2";

/** A device model hands the kernel to the guest byte by byte: this one has the fewest. */
const KERNEL = "5.10";

/** Of every HVM guest here. */
const HVM = [
  'type = "hvm"',
  // Else the guest dies of what QEMU calls RDTSC where it was RDTSCP.
  'tsc_mode = "native"',
  "vnc = 0",
];
/** Looking for PCI devices port by port goes to the device model each time: minutes of an emulated boot. */
const NO_SCAN = "pci=noearly";

let host: LabHost;
let dir: string;

beforeAll(async () => {
  need("qemu-img");
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  host = await testHost({ name: "test-hvm" });
});

afterAll(async () => {
  await host?.remove();
  rmSync(dir, { recursive: true, force: true });
});

test("with PV drivers, a qcow2 and a CD-ROM drive: started, saved, restored, rebooted, stopped", async () => {
  const { image, kernel, ramdisk } = countingFiles(dir, KERNEL);
  sh(`qemu-img convert -O qcow2 '${dataDisk(dir, "mail")}' '${dir}/mail.qcow2'`);
  await host.copyIn(join(dir, "mail.qcow2"), "/srv/guests");
  await host.output("truncate -s 2M /srv/disc.iso");
  await host.writeGuest({
    name: "windowless",
    memoryMib: 160,
    disks: [{ image }],
    kernel,
    ramdisk,
    config: [
      ...HVM,
      `disk += [ "${QCOW2},qcow2,xvdb,w", "/srv/disc.iso,raw,hdc,cdrom" ]`,
      'uuid = "6b1f0c52-9a5f-4c0e-8d67-2f6a4b1c0d15"',
      `extra = "${NO_SCAN} ${COUNTING_ARGS}"`,
      'vif = [ "bridge=xenbr0" ]',
    ],
  });
  await livesThrough(host, {
    ...{ name: "windowless", type: "hvm", disk: "/dev/vg0/windowless-disk" },
    // A drive without its disc stays so over a reboot.
    findings: ["config-drift"],
    async meanwhile() {
      await host.output("xl cd-eject windowless hdc", PATIENT);
      const { findings } = await showGuest(host, "windowless");
      expect(findings).toMatchObject([
        {
          code: "config-drift",
          severity: "note",
          what: "The disk hdc (/srv/disc.iso) of the config is hdc (empty) in the domain.",
        },
      ]);
      await host.output("xl cd-insert windowless hdc /srv/disc.iso raw", PATIENT);
      expect((await showGuest(host, "windowless")).findings).toEqual([]);
      await host.output("xl cd-eject windowless hdc", PATIENT);
    },
  });
});
