/** What domus list says of loop devices and locks that scripts of Xen's have left. */
import { describe, expect, test } from "vitest";
import { readInventory } from "../../../../src/guest/inventory/inventory.ts";
import { fakeDom0, xlList } from "../../../support/dom0.ts";
import type { Dom0Options, FakeDomain } from "../../../support/dom0.ts";
import { domainJson, PANDORA_UUID } from "../../../support/save-image.ts";

const DISK = "/srv/pandora.img";
const CONFIG = `name = "pandora"\nuuid = "${PANDORA_UUID}"\nmemory = 128\ndisk = ["${DISK},raw,xvda,w"]\n`;
const CREATE = "xl\0create\0/etc/xen/other.cfg\0";

async function left(
  files: Dom0Options["files"],
  { links = {}, domains = [] }: { links?: Dom0Options["links"]; domains?: FakeDomain[] } = {},
) {
  const { guests, findings } = await readInventory(
    fakeDom0({
      files: {
        ...{ "/etc/xen/pandora.cfg": CONFIG, [DISK]: "disk", "/proc/1/cmdline": "init\0" },
        ...files,
      },
      links,
      programs: xlList(domains),
    }),
  );
  return [...guests.flatMap((guest) => guest.findings), ...findings].filter(
    ({ code }) => code === "hotplug-left-over",
  );
}

describe("a loop device behind a guest's disk", () => {
  const loop = { "/sys/class/block/loop3/loop/backing_file": `${DISK}\n` };
  const live = { ...domainJson(), disks: [{ pdev_path: DISK, vdev: "xvda", readwrite: 1 }] };
  const domain = { domid: 3, name: "pandora", uuid: PANDORA_UUID, config: live };

  test("that no domain has is left over", async () => {
    const [finding, ...more] = await left(loop);
    expect(more).toEqual([]);
    expect(finding?.what).toBe(
      `The disk xvda (${DISK}) of pandora is behind /dev/loop3, though no domain has it.`,
    );
    expect(finding?.next).toContain("losetup -d /dev/loop3");
  });

  test("by another name of the file, too", async () => {
    const files = { "/sys/class/block/loop3/loop/backing_file": "/mnt/same.img\n" };
    expect(await left(files, { links: { "/mnt/same.img": DISK } })).toHaveLength(1);
    expect(
      await left({ "/sys/class/block/loop3/loop/backing_file": "/etc/x\n", "/etc/x": "" }),
    ).toEqual([]);
  });

  test("is in order while a domain has it, one is being made, or something is built on it", async () => {
    expect(await left(loop, { domains: [domain] })).toEqual([]);
    expect(await left(loop, { domains: [{ ...domain, config: null }] })).toEqual([]);
    // With a domain that nobody watches, the inventory looks at what xl does.
    const uuid = PANDORA_UUID.replace("2", "3");
    const config = { ...domainJson("other", uuid), disks: [] };
    const unwatched = { domid: 4, name: "other", uuid, config };
    expect(await left(loop, { domains: [unwatched] })).toHaveLength(1);
    expect(await left({ ...loop, "/proc/9/cmdline": CREATE }, { domains: [unwatched] })).toEqual(
      [],
    );
    expect(await left({ ...loop, "/sys/class/block/loop3/holders/dm-2": "" })).toEqual([]);
  });
});

test("a lock of the scripts that a process holds", async () => {
  const lock = { "/run/xen-hotplug/block": "", "/proc/55/cmdline": "/usr/bin/mdadm\0--wait\0" };
  const links = { "/proc/55/fd/201": "/run/xen-hotplug/block" };
  const [finding, ...more] = await left(lock, { links });
  expect(more).toEqual([]);
  expect(finding).toMatchObject({
    where: ["/run/xen-hotplug/block"],
    what: expect.stringContaining("Process 55 (mdadm) holds the lock") as string,
    next: expect.stringContaining("kill 55") as string,
  });
  expect(await left(lock)).toEqual([]);
  expect(await left({ "/proc/55/cmdline": "x\0" }, { links })).toEqual([]);
});
