/**
 * An HVM guest without PV drivers on real Xen: it hears nothing of what xl tells a guest, and is saved and restored all the same. It
 * needs hardware virtualisation and a device model, as its neighbours here: `npm run test:hvm`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import type { LabHost } from "../../lab/host.ts";
import { EXIT } from "../../src/cli/exit-codes.ts";
import { wrongTicks, type Tick } from "../support/counting-guest.ts";
import { showGuest } from "../support/guest-life.ts";
import { labDomus, PATIENT } from "../support/lab-domus.ts";
import { testHost } from "../support/lab.ts";
import { TICKING_DISK_BYTES, tickingDisk, ticksOnDisk } from "../support/ticking-guest.ts";

const DISK = "/dev/vg0/plain-disk";
const SPARE = "/dev/vg0/spare";
const LAST_SECTOR = TICKING_DISK_BYTES / 512 - 1;
const LIMIT = "--limit 1800";

async function lastTick(host: LabHost): Promise<Tick> {
  return (await ticksOnDisk(host, DISK)).at(-1) ?? { boot: 0, tick: 0 };
}

/** Until it has counted on beyond `after`; one that has booted anew has not. */
async function ticksOn(host: LabHost, after: Tick): Promise<void> {
  const further = async () => {
    const { boot, tick } = await lastTick(host);
    return boot === after.boot ? tick : -1;
  };
  await expect.poll(further, { timeout: 600_000, interval: 2000 }).toBeGreaterThan(after.tick);
}

test("is started, paused, saved, restored and destroyed; it cannot be asked to stop or reboot", async () => {
  const dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const image = tickingDisk(dir);
  const host = await testHost({ name: "test-no-pv" });
  onTestFinished(() => host.remove());
  const domus = labDomus(host);
  await host.writeGuest({
    name: "plain",
    memoryMib: 64,
    disks: [{ image, vdev: "hda" }],
    config: [
      'type = "hvm"',
      'uuid = "6b1f0c52-9a5f-4c0e-8d67-2f6a4b1c0d16"',
      // Else the guest dies of what QEMU calls RDTSC where it was RDTSCP.
      'tsc_mode = "native"',
      'serial = "pty"',
      "vnc = 0",
      'vif = [ "bridge=xenbr0" ]',
    ],
  });

  await host.output("lvcreate -qqy -L 4m -n spare vg0");

  // On its serial port.
  expect(await domus.done(`start ${LIMIT} plain`)).toContain(
    "plain is up, as domain 1: it asks for a login.",
  );
  await ticksOn(host, { boot: 1, tick: 3 });
  expect(await showGuest(host, "plain")).toMatchObject({
    ...{ state: "running", type: "hvm", findings: [] },
    domains: [{ domid: 1, watched: true }],
    disks: [{ vdev: "hda", target: DISK, format: "raw" }],
  });
  expect(await domus.done("list")).toMatch(/plain running 64 MiB/);

  const unasked = await domus.ends("stop plain", EXIT.failed);
  expect(unasked).toContain("plain cannot be asked to shut down: it has no drivers for Xen");
  expect(unasked).toContain("domus stop --acpi plain presses its power button");
  const kept = await domus.ends("reboot --anyway plain", EXIT.failed);
  expect(kept).toContain("plain cannot be asked to reboot: it has no drivers for Xen");
  expect(await domus.ends("stop --acpi --wait 10 plain", EXIT.failed)).toContain(
    "It does not listen to its power button, or takes that long.",
  );
  // libxl gives it a device all the same.
  const given = await domus.done(`attach plain ${SPARE},raw,xvdb,rw`);
  expect(given).toContain("plain does not use it so far: an HVM guest needs PV drivers");
  const stuck = await domus.ends("detach plain xvdb", EXIT.failed);
  expect(stuck).toContain("xl block-detach --force 1 xvdb");
  await host.output("xl block-detach --force 1 xvdb", PATIENT);
  await domus.done("pause plain");
  expect((await showGuest(host, "plain")).state).toBe("paused");
  const paused = await lastTick(host);
  await domus.done("resume plain");
  await ticksOn(host, paused);

  await domus.done("save plain");
  const saved = await lastTick(host);
  const { state, images, findings } = await showGuest(host, "plain");
  expect([state, findings.map(({ code }) => code)]).toEqual(["saved", ["image-waiting"]]);
  expect(images).toMatchObject([
    { end: "complete", deviceModel: true, proof: { verdict: "unchanged" } },
  ]);
  expect(await domus.refused("start plain")).toMatch(/plain is saved: its image \S+ waits/);
  await domus.done("restore plain");
  // With the memory that it had: it counts on, and has not booted.
  await ticksOn(host, saved);

  await domus.done("save plain");
  await host.output(`printf changed | dd of=${DISK} bs=512 seek=${LAST_SECTOR} conv=notrunc,fsync`);
  expect(await domus.refused("restore plain")).toMatch(
    /The disks of plain have changed since it was saved .* hda \(\S+\): .*its content is not the same/,
  );
  expect(await domus.done(`start --discard-image ${LIMIT} plain`)).toContain("plain is up");
  await ticksOn(host, { boot: 2, tick: 3 });

  const ended = await domus.done("stop --destroy-after 5 plain");
  expect(ended).toContain("hears nothing: pressing its power button");
  expect(ended).toContain("plain was destroyed");
  expect((await showGuest(host, "plain")).state).toBe("stopped");
  // Of two boots, and none is missing.
  expect(wrongTicks(await ticksOnDisk(host, DISK), "")).toBe(undefined);
});
