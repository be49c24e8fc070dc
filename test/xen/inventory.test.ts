/** domus list on real Xen: a guest that runs, is paused, is saved, is started beside its image, and crashes. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { debianKernel } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest } from "../../lab/guest.ts";
import type { LabHost } from "../../lab/host.ts";
import { testHost } from "../support/lab.ts";

const KERNEL = "6.1-cloud";
const MEMORY_MIB = 96;
const IMAGE = "/var/lib/xen/save/pandora";

let host: LabHost;
let dir: string;
let config: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), "domus-xen-"));
  const image = join(dir, "guest.img");
  host = await testHost({ name: "test-inventory" });
  makeExt4Guest(image, { kernel: KERNEL });
  config = await host.writeGuest({
    name: "pandora",
    memoryMib: MEMORY_MIB,
    disks: [{ image }],
    kernel: debianKernel(KERNEL).vmlinuz,
    ramdisk: guestInitramfs(KERNEL),
    config: [
      'extra = "root=/dev/xvda console=hvc0 sysrq_always_enabled"',
      'vif = [ "mac=00:16:3e:00:00:01,bridge=xenbr0" ]',
      'on_crash = "preserve"',
    ],
  });
  await host.output(`mkdir -p /etc/xen/auto && ln -s ${config} /etc/xen/auto/pandora.cfg`);
});

afterAll(async () => {
  await host.remove();
  rmSync(dir, { recursive: true, force: true });
});

type Listed = { readonly code: number; readonly guest: Record<string, unknown> };

/** What domus list says of the only guest there is. */
async function list(): Promise<Listed> {
  const { code, stdout } = await host.run("domus list --json");
  const { domains, guests } = JSON.parse(stdout) as {
    domains: string;
    guests: Record<string, unknown>[];
  };
  expect(domains).toBe("listed");
  expect(guests.map(({ name }) => name)).toEqual(["pandora"]);
  return { code, guest: guests[0]! };
}

const found = (code: string) => [expect.objectContaining({ code })];

test("a guest that is stopped, runs, and is paused", async () => {
  expect(await list()).toMatchObject({
    code: 0,
    guest: {
      state: "stopped",
      config: { path: config, autostart: ["/etc/xen/auto/pandora.cfg"] },
      disks: [{ vdev: "xvda", backing: "block-device" }],
      findings: [],
    },
  });
  await host.output(`xl create ${config}`);
  await host.waitForConsole("pandora", /userland reached/);
  expect(await list()).toMatchObject({
    code: 0,
    guest: {
      state: "running",
      type: "pv",
      memoryBytes: MEMORY_MIB * 1024 ** 2,
      domains: [{ name: "pandora", matchedBy: "name" }],
      nics: [{ mac: "00:16:3e:00:00:01", bridge: "xenbr0" }],
      findings: [],
    },
  });
  await host.output("xl pause pandora");
  expect((await list()).guest["state"]).toBe("paused");
  await host.output("xl unpause pandora");
});

const drift = (part: string) =>
  expect.objectContaining({ code: "config-drift", what: expect.stringContaining(part) as string });

test("a disk that was attached live, in the config and back", async () => {
  const data = "/dev/vg0/pandora-data";
  const findings = async () => (await list()).guest["findings"];
  const before = await host.output(`cat ${config}`);
  await host.output("lvcreate -qqy -L 4m -n pandora-data vg0");
  await host.output(`xl block-attach pandora ${data},raw,xvdb,rw`);
  expect(await findings()).toEqual([drift(`xvdb (${data}) is in the domain`)]);
  await host.output("domus persist --dry-run pandora");
  expect(await host.output(`cat ${config}`)).toBe(before);
  expect(await host.output("domus persist pandora")).toMatch(/^\+.*xvdb/m);
  const after = await host.output(`cat ${config}`);
  expect(after.split("\n").filter((line) => !before.includes(line))).toEqual([
    expect.stringContaining(`${data},raw,xvdb,rw`),
  ]);
  expect(await host.output(`cat ${config}.domus-*`)).toBe(before);
  expect(await findings()).toEqual([]);
  await host.output("xl block-detach pandora xvdb");
  expect(await findings()).toEqual([drift("is in the config, and not in the domain")]);
  await host.output("domus persist --revert pandora");
  expect(await findings()).toEqual([]);
  expect(await host.output("xl block-list pandora | wc -l")).toBe("3\n");
  await host.output("xl block-detach pandora xvdb");
  await host.output("domus persist pandora");
  expect(await host.output(`cat ${config}`)).toBe(before);
  expect(await findings()).toEqual([]);
});

test("a guest that is saved, whole and cut off", async () => {
  await host.output(`mkdir -p /var/lib/xen/save && xl save pandora ${IMAGE}`);
  const sizeBytes = Number(await host.output(`stat -c %s ${IMAGE}`));
  const { code, guest } = await list();
  expect(code).toBe(0);
  expect(guest).toMatchObject({
    state: "saved",
    domains: [],
    images: [
      {
        path: IMAGE,
        sizeBytes,
        end: "complete",
        xen: "4.17",
        name: "pandora",
        restoredAtBoot: true,
        matchedBy: "name",
      },
    ],
    findings: found("image-waiting"),
  });
  await host.output(`cp -p ${IMAGE} /root/whole && truncate -s -8 ${IMAGE}`);
  expect((await list()).guest).toMatchObject({
    state: "saved",
    images: [{ end: "cut-off" }, { end: "complete" }],
  });
  await host.output("mv /root/whole /var/tmp/");
  expect((await list()).guest).toMatchObject({
    state: "stopped",
    images: [{ end: "cut-off" }],
    findings: found("image-incomplete"),
  });
  await host.output(`mv /var/tmp/whole ${IMAGE}`);
});

test("a guest that was started beside its image", async () => {
  await host.output(`xl create ${config}`);
  expect(await list()).toMatchObject({
    code: 3,
    guest: { state: "running", findings: found("image-stale") },
  });
  await host.output(`rm ${IMAGE}`);
  expect(await list()).toMatchObject({ code: 0, guest: { findings: [] } });
});

test("a guest that crashed and was kept, and one that no config describes", async () => {
  await host.waitForConsole("pandora", /(userland reached[\s\S]*){2}/);
  await host.output("xl sysrq pandora c");
  await expect
    .poll(async () => (await list()).guest["state"], { timeout: 600_000, interval: 1000 })
    .toBe("crashed");
  await host.output(`mv ${config} /root/pandora.txt`);
  expect(await list()).toMatchObject({
    code: 0,
    guest: {
      ...{ state: "crashed", config: null },
      findings: [...found("domain-crashed"), ...found("guest-without-config")],
    },
  });
  const { stdout } = await host.run("domus list --json");
  expect(JSON.parse(stdout)).toMatchObject({ findings: found("auto-link-broken") });
  await host.output("xl destroy pandora");
});
