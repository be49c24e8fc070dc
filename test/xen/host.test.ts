/** The lab itself: real Xen in QEMU, guests on it, its plug pulled, and back to fresh. */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { debianKernel } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest, reached } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import { RELEASES } from "../../lab/releases.ts";
import { testHost } from "../support/lab.ts";

const KERNEL = "6.1-cloud";

let host: LabHost;
let dir: string;
let image: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  image = join(dir, "guest.img");
  host = await testHost({ name: "test-host" });
  makeExt4Guest(image, { kernel: KERNEL });
});

afterAll(async () => {
  await host.remove();
  rmSync(dir, { recursive: true, force: true });
});

describe("the host", () => {
  test("runs the Xen of its release", async () => {
    const info = await host.output("xl info");
    expect(/xen_version\s*:\s*(\S+)/.exec(info)?.[1]).toMatch(
      new RegExp(`^${RELEASES[host.release].xen.replace(".", "\\.")}\\.`),
    );
    expect(await host.output("xl list")).toMatch(/^Domain-0 +0 +1024/m);
  });

  test("has a volume group, a bridge, and no failed unit", async () => {
    expect((await host.output("vgs --noheadings -o vg_name")).trim()).toBe("vg0");
    expect(await host.output("ip -br addr show xenbr0")).toContain(`${host.address}/24`);
    expect(await host.output("systemctl --failed --no-legend")).toBe("");
  });

  test("runs domus's own build", async () => {
    expect(await host.output("domus --version")).toMatch(/^\d+\.\d+\.\d+\n$/);
  });

  test("tells exit codes, both outputs, and that time is up", async () => {
    const ran = await host.run("cat; echo out; echo err >&2; exit 7", { input: "in\n" });
    expect(ran).toEqual({ code: 7, stdout: "in\nout\n", stderr: "err\n", timedOut: false });
    expect((await host.run("sleep 60", { timeoutMs: 500 })).timedOut).toBe(true);
    await expect(host.output("exit 3")).rejects.toThrow("ended with exit code 3");
  });

  test("gives files back as it got them", async () => {
    const copy = join(dir, "copy");
    await host.copyIn(image, "/srv/copies");
    await host.copyOut("/srv/copies/guest.img", copy);
    execFileSync("cmp", [image, copy]);
    await host.output("rm -r /srv/copies");
  });
});

describe("a PV guest", () => {
  const { vmlinuz, version } = debianKernel(KERNEL);

  test("reaches its userland with kernel= from dom0", async () => {
    const config = await host.writeGuest({
      name: "direct",
      disks: [{ image }],
      kernel: vmlinuz,
      ramdisk: guestInitramfs(KERNEL),
      config: ['extra = "root=/dev/xvda console=hvc0"'],
    });
    await host.output(`xl create ${config}`);
    await host.waitForConsole("direct", /userland reached/);
    expect(await host.console("direct")).toContain(reached("/dev/xvda", version));
    await host.output("xl shutdown -ww direct");
    expect(await host.output("xl list")).not.toContain("direct");
  });

  test("reaches its userland through Xen's own pygrub", async () => {
    const config = await host.writeGuest({
      name: "stock",
      disks: [{ image, as: "file" }],
      config: ['bootloader = "pygrub"'],
    });
    await host.output(`xl create ${config}`);
    await host.waitForConsole("stock", /userland reached/);
    expect(await host.console("stock")).toContain(reached("/dev/xvda", version));
    await host.output("xl destroy stock");
  });
});

test("keeps what it had synced when its plug is pulled", async () => {
  await host.output("echo kept > /root/kept; sync /root/kept; lvcreate -qqy -L 4m -n kept vg0");
  const boots = Number(await host.output("journalctl --list-boots --quiet | wc -l"));
  await host.killPower();
  expect(host.isUp).toBe(false);
  await host.powerOn();
  expect(await host.output("cat /root/kept")).toBe("kept\n");
  expect(await host.output("lvs --noheadings -o lv_name vg0/kept")).toContain("kept");
  expect(Number(await host.output("journalctl --list-boots --quiet | wc -l"))).toBe(boots + 1);
  expect(await host.output("dumpe2fs -h /dev/vda 2>&1")).toMatch(/Filesystem state: +clean\n/);
  expect(await host.output("hostname; ip -br addr show xenbr0")).toMatch(
    new RegExp(`^${host.name}\n.*${host.address}/24`),
  );
});

test("is fresh after reset", async () => {
  await host.output("touch /root/dirt; lvcreate -qqy -L 4m -n dirt vg0");
  await host.reset();
  expect((await host.run("ls /root/dirt /etc/xen/direct.cfg")).stdout).toBe("");
  expect(await host.output("lvs --noheadings vg0")).toBe("");
  expect(await host.output("xl list | wc -l")).toBe("2\n");
});

test("reaches another host and is reached by it", async () => {
  const other = await testHost({ name: "test-other" });
  onTestFinished(() => other.remove());
  expect(other.address).not.toBe(host.address);
  expect(await host.output(`ping -c 3 -W 20 ${other.address}`)).toContain(" 0% packet loss");
  expect(await other.output(`ssh root@${host.address} hostname`)).toBe("test-host\n");
});
