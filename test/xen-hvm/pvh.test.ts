/**
 * A PVH guest on real Xen, from its start to its end. It needs hardware virtualisation, which QEMU emulates where there is no KVM; that
 * has hung, with all of Xen. So it is tried when somebody asks for it: `npm run test:hvm`.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { countingFiles, COUNTING_ARGS, COUNTING_MEMORY_MIB } from "../support/counting-guest.ts";
import { livesThrough, showGuest } from "../support/guest-life.ts";
import { testHost } from "../support/lab.ts";

test("is started, saved, restored, rebooted and stopped", async () => {
  const dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
  const host = await testHost({ name: "test-pvh" });
  onTestFinished(() => host.remove());
  const { image, kernel, ramdisk } = countingFiles(dir);
  await host.writeGuest({
    name: "pandora",
    memoryMib: COUNTING_MEMORY_MIB,
    disks: [{ image }],
    kernel,
    ramdisk,
    config: [
      'type = "pvh"',
      'uuid = "6b1f0c52-9a5f-4c0e-8d67-2f6a4b1c0d13"',
      // Else the guest dies of what QEMU calls RDTSC where it was RDTSCP.
      'tsc_mode = "native"',
      `extra = "${COUNTING_ARGS}"`,
      'vif = [ "bridge=xenbr0" ]',
    ],
  });
  await livesThrough(host, {
    name: "pandora",
    type: "pvh",
    disk: "/dev/vg0/pandora-disk",
    async meanwhile() {
      const { nics } = await showGuest(host, "pandora");
      expect(nics).toEqual([
        { mac: expect.stringMatching(/^00:16:3e:/) as string, bridge: "xenbr0" },
      ]);
    },
  });
});
