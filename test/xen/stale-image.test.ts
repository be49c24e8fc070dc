/**
 * A save image that is older than the disks: restored, it destroys the filesystem. First that it does so without domus; then
 * every way to it, and what domus says there. At the end of each, e2fsck is asked about the disk.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { LabHost } from "../../lab/host.ts";
import {
  countingFiles,
  COUNTING_ARGS,
  COUNTING_MEMORY_MIB,
  dataDisk,
  lastTick,
  nextTick,
  readCountingDisk,
  wrongTicks,
} from "../support/counting-guest.ts";
import { labDomus, PATIENT } from "../support/lab-domus.ts";
import type { LabDomus } from "../support/lab-domus.ts";
import { installWatcher } from "../support/lab-watcher.ts";
import { testHost } from "../support/lab.ts";

const UUID = "6b1f0c52-9a5f-4c0e-8d67-2f6a4b1c0d11";
const DISK = "/dev/vg0/pandora-disk";
const CONFIG = "/etc/xen/pandora.cfg";
/** The same guest past domus-pygrub, with its kernel in dom0. */
const BY_HAND = "/root/by-hand.cfg";
const PRISTINE = "/var/tmp/pristine";

let host: LabHost;
let dir: string;
let domus: LabDomus;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  host = await testHost({ name: "test-stale" });
  domus = labDomus(host);
  const { image, kernel, ramdisk } = countingFiles(dir);
  const data = ["mail", "music"].map((name) => ({ image: dataDisk(dir, name) }));
  await host.writeGuest({
    name: "pandora",
    memoryMib: COUNTING_MEMORY_MIB,
    disks: [{ image }, ...data],
    kernel,
    ramdisk,
    config: [`uuid = "${UUID}"`, `extra = "${COUNTING_ARGS}"`],
  });
  await host.output(
    `set -e
     mv ${CONFIG} ${BY_HAND}
     sed -e '/^kernel/d; /^ramdisk/d' -e 's/^extra.*/bootloader = "domus-pygrub"/' ${BY_HAND} > ${CONFIG}
     dd if=${DISK} of=${PRISTINE} bs=1M conv=sparse status=none
     sync`,
  );
});

afterAll(async () => {
  await host?.remove();
  rmSync(dir, { recursive: true, force: true });
});

type Shown = {
  readonly guests: readonly {
    readonly images: readonly {
      readonly proof?: { readonly disks: readonly { readonly proof: string }[] };
    }[];
  }[];
};

/** By xl alone. */
async function isRunning(): Promise<boolean> {
  return (await host.run("xl domid pandora")).code === 0;
}

/** The disk of a guest that has ended is whole, and nothing that it had flushed is gone. */
async function expectWhole(): Promise<void> {
  const { fsckCode, fsck, ticks } = await readCountingDisk(host, DISK);
  expect(fsckCode, fsck).toBe(0);
  expect(wrongTicks(ticks, await host.console("pandora"))).toBe(undefined);
}

test("without domus: save, start, write, stop, restore, and the filesystem is destroyed", async () => {
  await host.output(`xl create -q ${BY_HAND}`, PATIENT);
  await nextTick(host, "pandora", { boot: 1, tick: 3 });
  await host.output("xl save pandora /var/tmp/old", PATIENT);
  const saved = await lastTick(host, "pandora");
  await host.output(`xl create -q ${BY_HAND}`, PATIENT);
  await nextTick(host, "pandora", { boot: 2, tick: 15 });
  await host.output("xl shutdown -ww pandora", PATIENT);
  await expectWhole();
  // xl says nothing, and ends with 0
  await host.output("xl restore /var/tmp/old", PATIENT);
  // the console's log has the ticks of boot 2 behind those of boot 1
  await host.waitForConsole("pandora", new RegExp(`tick 1 ${saved.tick + 15}\\b`));
  await host.output("xl destroy pandora");
  const { fsckCode, fsck } = await readCountingDisk(host, DISK);
  expect(fsckCode, fsck).toBeGreaterThanOrEqual(4);
  await host.output(
    `dd if=${PRISTINE} of=${DISK} bs=1M conv=fsync status=none; rm /var/tmp/old
     : > /var/log/xen/console/guest-pandora.log`,
  );
});

test("saved by domus: nothing starts it but a restore, also after a power failure", async () => {
  await domus.done("start pandora");
  await nextTick(host, "pandora", { boot: 1, tick: 3 });
  await domus.done("save pandora");
  const saved = await lastTick(host, "pandora");
  expect(await isRunning()).toBe(false);

  // What dom0 counted is gone; what is on the disks proves that nobody wrote.
  await host.killPower();
  await host.powerOn();
  expect(await domus.refused("start pandora")).toMatch(/image.*waits|waits.*image/i);
  const byXl = await host.run(`xl create ${CONFIG}`, PATIENT);
  expect(byXl.code).not.toBe(0);
  expect(await host.output("cat /var/log/xen/bootloader.*.log")).toContain("domus restore pandora");
  expect(await isRunning()).toBe(false);

  await domus.done("restore pandora");
  const later = await nextTick(host, "pandora", saved);
  expect(later.boot).toBe(1);
  await host.output("xl shutdown -ww pandora", PATIENT);
  await expectWhole();
});

test("dom0 wrote to a disk: renamed one with tune2fs, mounted it, checked another", async () => {
  await domus.done("start pandora");
  await nextTick(host, "pandora", { boot: 2, tick: 3 });
  await domus.done("save pandora");
  await domus.done("restore --dry-run pandora");
  // This kernel says of logical volumes that it does not count, and does.
  expect(await host.output(`cat /sys/dev/block/$(stat -Lc %Hr:%Lr ${DISK})/queue/iostats`)).toBe(
    "0\n",
  );
  const { guests } = JSON.parse(await host.output("domus show --json pandora", PATIENT)) as Shown;
  expect(guests[0]?.images[0]?.proof?.disks.map(({ proof }) => proof)).toEqual([
    "counters",
    "counters",
    "counters",
  ]);
  // No file is changed by it, nor is anything mounted.
  await host.output(`tune2fs -L parcels ${DISK}2`);
  const renamed = await domus.refused("restore pandora");
  expect(renamed).toMatch(/xvdb \(\S*-disk2\): .*ext4 on whole disk: its content is not the same/);
  for (const vdev of ["xvda", "xvdc"]) expect(renamed).not.toContain(vdev);
  await host.output(
    `set -e
     mount ${DISK}2 /mnt; echo a second letter > /mnt/letter; umount /mnt
     e2fsck -fy ${DISK}3`,
  );
  const why = await domus.refused("restore pandora");
  for (const vdev of ["xvdb", "xvdc"]) expect(why).toContain(vdev);
  expect(why).not.toContain("xvda");
  expect(why).not.toContain("--anyway");
  // Nor is it a matter of how much one wants it.
  await domus.refused("restore --anyway pandora");
  // A block of data, past every filesystem, and with the same bytes: only the kernel's counters have seen it.
  await host.output(
    `dd if=${DISK} of=${DISK} bs=4096 skip=8000 seek=8000 count=1 conv=notrunc,fsync status=none`,
  );
  const raw = await domus.refused("restore pandora");
  expect(raw).toMatch(/xvda \(\S*-disk\): Since then 8 sectors of 512 bytes were written/);
});

const IMAGES = "/var/lib/domus/images";

test("started and restored by hand: the watcher says both at once, and domus takes no part", async () => {
  const watcher = await installWatcher(host);
  await host.output(`xl create -q ${BY_HAND}`, PATIENT);
  await watcher.alarm("image-bypassed");
  await nextTick(host, "pandora", { boot: 3, tick: 3 });
  await host.output("xl shutdown -ww pandora", PATIENT);
  expect(await domus.refused("restore pandora")).toContain("xvda");
  await expectWhole();

  const image = (await host.output(`ls ${IMAGES}/*.xl`)).trim();
  await host.output(`xl restore ${image}`, PATIENT);
  const { detail } = await watcher.alarm("image-restored-unseen");
  expect(detail).toMatchObject({ severity: "error", what: expect.stringContaining("had changed") });
  await host.output(
    `xl destroy pandora; dd if=${PRISTINE} of=${DISK} bs=1M conv=fsync status=none`,
    PATIENT,
  );
  // The watcher has written down that it was restored: nothing is in the way of a start, and it is not offered again.
  await domus.done("start pandora");
  await host.output("xl destroy pandora");
  expect(await domus.refused(`restore --anyway ${image}.restored`)).toContain("not offered");
});
