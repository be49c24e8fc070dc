/** Who uses a disk, on machines that are made up: LVM, RAID, btrfs and Xen are not on every one that runs tests. */
import { describe, expect, test } from "vitest";
import { attempt } from "../../../../src/base/failure.ts";
import { findDeviceUsers } from "../../../../src/host/local/device-users.ts";
import { scriptedHost } from "./scripted-system.ts";
import type { ScriptedSystem } from "./scripted-system.ts";

/** sda: sda1 mounted, sda2 a PV of vg-a with two volumes, one mounted, one encrypted; sdb and sdc: a RAID; sdd: a btrfs of two. */
const DISKS = {
  "/proc/self/mountinfo": [
    "20 1 8:1 / /boot rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "21 1 253:0 / / rw - ext4 /dev/mapper/vg--a-root rw,errors=remount-ro",
    "22 1 9:0 / /srv/my\\040data ro - xfs /dev/md0 ro,logdev=/dev/sdf",
    "23 1 0:44 / /mnt/b rw - btrfs /dev/sde rw,space_cache=v2",
    "24 1 0:21 / /proc rw - proc proc rw",
  ].join("\n"),
  "/proc/swaps": "Filename\tType\tSize\tUsed\tPriority\n/swap\\040file file 1048572 0 -2\n",
  "/sys/devices/pci/sda/dev": "8:0\n",
  "/sys/devices/pci/sda/sda1/dev": "8:1\n",
  "/sys/devices/pci/sda/sda1/partition": "1\n",
  "/sys/devices/pci/sda/sda2/dev": "8:2\n",
  "/sys/devices/pci/sda/sda2/partition": "2\n",
  "/sys/devices/pci/sda/sda3/dev": "8:3\n",
  "/sys/devices/pci/sda/sda3/partition": "3\n",
  "/sys/devices/pci/sdb/dev": "8:16\n",
  "/sys/devices/pci/sdd/dev": "8:48\n",
  "/sys/devices/pci/sde/dev": "8:64\n",
  "/sys/devices/pci/sdf/dev": "8:80\n",
  "/sys/devices/virtual/dm-0/dev": "253:0\n",
  "/sys/devices/virtual/dm-0/dm/name": "vg--a-root\n",
  "/sys/devices/virtual/dm-0/dm/uuid": "LVM-0123\n",
  "/sys/devices/virtual/dm-1/dev": "253:1\n",
  "/sys/devices/virtual/dm-1/dm/name": "vg--a-web1\n",
  "/sys/devices/virtual/dm-1/dm/uuid": "LVM-4567\n",
  "/sys/devices/virtual/dm-2/dev": "253:2\n",
  "/sys/devices/virtual/dm-2/dm/name": "secret\n",
  "/sys/devices/virtual/dm-2/dm/uuid": "CRYPT-LUKS2-1\n",
  "/sys/devices/virtual/md0/dev": "9:0\n",
  "/sys/devices/virtual/md0/ro": "0\n",
};

const LINKS = {
  "/sys/dev/block/8:0": "/sys/devices/pci/sda",
  "/sys/dev/block/8:1": "/sys/devices/pci/sda/sda1",
  "/sys/dev/block/8:2": "/sys/devices/pci/sda/sda2",
  "/sys/dev/block/8:3": "/sys/devices/pci/sda/sda3",
  "/sys/dev/block/8:16": "/sys/devices/pci/sdb",
  "/sys/dev/block/8:48": "/sys/devices/pci/sdd",
  "/sys/dev/block/8:80": "/sys/devices/pci/sdf",
  "/sys/dev/block/253:0": "/sys/devices/virtual/dm-0",
  "/sys/dev/block/253:1": "/sys/devices/virtual/dm-1",
  "/sys/dev/block/253:2": "/sys/devices/virtual/dm-2",
  "/sys/dev/block/9:0": "/sys/devices/virtual/md0",
  "/sys/class/block/sdd": "/sys/devices/pci/sdd",
  "/sys/class/block/sde": "/sys/devices/pci/sde",
  "/sys/devices/pci/sda/sda2/holders/dm-0": "/sys/devices/virtual/dm-0",
  "/sys/devices/pci/sda/sda2/holders/dm-1": "/sys/devices/virtual/dm-1",
  "/sys/devices/virtual/dm-1/holders/dm-2": "/sys/devices/virtual/dm-2",
  "/sys/devices/pci/sdb/holders/md0": "/sys/devices/virtual/md0",
  "/sys/fs/btrfs/01-02/devices/sdd": "/sys/devices/pci/sdd",
  "/sys/fs/btrfs/01-02/devices/sde": "/sys/devices/pci/sde",
  "/dev/disk/by-id/boot": "/dev/sda1",
};

const NODES = {
  "/dev/sda": "8:0",
  "/dev/sda1": "8:1",
  "/dev/sda2": "8:2",
  "/dev/sda3": "8:3",
  "/dev/sdb": "8:16",
  "/dev/sdd": "8:48",
  "/dev/sde": "8:64",
  "/dev/sdf": "8:80",
  "/dev/mapper/vg--a-root": "253:0",
  "/dev/mapper/vg--a-web1": "253:1",
  "/dev/md0": "9:0",
  "/swap file": 11,
  "/srv/web1.img": 12,
};

const MACHINE: ScriptedSystem = { files: DISKS, links: LINKS, nodes: NODES };

async function usersOf(path: string, more: Partial<ScriptedSystem> = {}): Promise<string[]> {
  const system = { ...MACHINE, ...more, files: { ...DISKS, ...more.files } };
  const users = await findDeviceUsers(scriptedHost(system), path, { patienceMs: 0 });
  return users.map(({ kind, what, writes }) => `${kind}: ${what}${writes ? "" : " (only reads)"}`);
}

describe("what the kernel does with a disk", () => {
  test("is a mount, under whatever name", async () => {
    for (const name of ["/dev/sda1", "/dev/disk/by-id/boot"])
      expect(await usersOf(name)).toEqual(["mount: mounted at /boot"]);
  });

  test("is what is built on it, once for each volume group, and what is mounted of that", async () => {
    expect(await usersOf("/dev/sda2")).toEqual([
      "mount: mounted at / (/dev/dm-0)",
      "lvm: part of volume group vg-a",
      "dm: open as the encrypted volume secret",
    ]);
    expect(await usersOf("/dev/mapper/vg--a-web1")).toEqual([
      "dm: open as the encrypted volume secret",
    ]);
  });

  test("of a disk counts for all of its partitions, of a partition not for the others", async () => {
    expect(await usersOf("/dev/sda")).toEqual([
      "mount: mounted at /boot (/dev/sda1)",
      "mount: mounted at / (/dev/dm-0)",
      "lvm: part of volume group vg-a",
      "dm: open as the encrypted volume secret",
    ]);
    expect(await usersOf("/dev/sda3")).toEqual([]);
  });

  test("of a whole disk counts for its partitions", async () => {
    const mount = "25 1 8:0 / /mnt/old rw - ext2 /dev/sda rw";
    const files = { "/proc/self/mountinfo": mount };
    expect(await usersOf("/dev/sda3", { files })).toEqual([
      "mount: mounted at /mnt/old (/dev/sda)",
    ]);
  });

  test("is a RAID, a btrfs of several devices, the log of an XFS, a swap file", async () => {
    expect(await usersOf("/dev/sdb")).toEqual([
      "mount: mounted at /srv/my data (/dev/md0) (only reads)",
      "md: part of the RAID /dev/md0",
    ]);
    expect(await usersOf("/dev/sdd")).toEqual(["mount: mounted at /mnt/b"]);
    expect(await usersOf("/dev/sdf")).toEqual(["mount: mounted at /srv/my data (only reads)"]);
    expect(await usersOf("/swap file")).toEqual(["swap: swap space (swap file)"]);
  });

  test("is a loop device on a file, and what is mounted of that; nothing when the loop device is meant itself", async () => {
    const more = {
      files: {
        "/proc/self/mountinfo": "26 1 7:3 / /mnt/web rw - ext4 /dev/loop3 rw",
        "/sys/devices/virtual/loop3/dev": "7:3\n",
        "/sys/devices/virtual/loop3/ro": "1\n",
        "/sys/devices/virtual/loop3/loop/backing_file": "/srv/web1.img\n",
      },
      links: {
        ...LINKS,
        "/sys/dev/block/7:3": "/sys/devices/virtual/loop3",
        "/sys/class/block/loop3": "/sys/devices/virtual/loop3",
      },
      nodes: { ...NODES, "/dev/loop3": "7:3" },
    };
    expect(await usersOf("/srv/web1.img", more)).toEqual([
      "mount: mounted at /mnt/web (/dev/loop3)",
      "loop: behind /dev/loop3 (only reads)",
    ]);
    expect(await usersOf("/dev/loop3", more)).toEqual(["mount: mounted at /mnt/web"]);
  });

  test("cannot be told without /proc, or of what is not there", async () => {
    const host = scriptedHost({ ...MACHINE, files: {} });
    expect(await attempt(() => findDeviceUsers(host, "/dev/sda1"))).toMatchObject({
      failure: { kind: "io", where: ["/proc/self/mountinfo"] },
    });
    expect(await attempt(() => findDeviceUsers(scriptedHost(MACHINE), "/dev/sdz"))).toMatchObject({
      failure: { kind: "missing" },
    });
  });
});

describe("processes", () => {
  const process = (comm: string, cmdline: string, flags: string) => ({
    files: {
      "/proc/812/comm": `${comm}\n`,
      "/proc/812/cmdline": cmdline.replaceAll(" ", "\0"),
      "/proc/812/fdinfo/4": `pos:\t0\nflags:\t${flags}\nmnt_id:\t29\n`,
    },
    open: { "/proc/812/fd/3": "/dev/null", "/proc/812/fd/4": "/srv/web1.img" },
  });

  test("that have it open are named, and whether they may write", async () => {
    expect(await usersOf("/srv/web1.img", process("dd", "dd", "0100001"))).toEqual([
      "process: open in dd (process 812)",
    ]);
    expect(await usersOf("/srv/web1.img", process("qemu-nbd", "qemu-nbd -r", "0100000"))).toEqual([
      "nbd: exported by qemu-nbd (process 812) (only reads)",
    ]);
    const sync = process("node", "/usr/bin/domus sync --serve", "0100002");
    expect(await usersOf("/srv/web1.img", sync)).toEqual([
      "sync: open in another domus sync (process 812)",
    ]);
  });

  test("that only hold its name, and udev that looks at it, are none", async () => {
    expect(await usersOf("/srv/web1.img", process("x", "x", "012000000"))).toEqual([]);
    expect(await usersOf("/srv/web1.img", process("(udev-worker)", "", "0100000"))).toEqual([]);
  });

  test("that serve a domain are that domain", async () => {
    const qemu = process("qemu-system-i38", "qemu-system-i386 -xen-domid 7 -nodefaults", "0100002");
    expect(await usersOf("/srv/web1.img", qemu)).toEqual(["guest: a disk of domain 7"]);
  });
});

describe("guests", () => {
  const disk = (path: string, more = {}) => ({
    pdev_path: path,
    vdev: "xvda",
    format: "raw",
    ...more,
  });
  const long = (...disks: object[]) =>
    JSON.stringify([{ domid: 5, config: { c_info: { name: "web1" }, disks } }]);
  const table = `Name ID Mem VCPUs State Time(s) UUID Reason-Code Security Label
web1  5  1024  2  -b----  31.4 01234567-89ab-cdef-0123-456789abcdef  -  -
`;
  const dom0 = { "/proc/xen/capabilities": "control_d\n" };

  test("that run with it are found by what libxl knows, however they name it", async () => {
    for (const path of ["/dev/mapper/vg--a-web1", "mapper/vg--a-web1"]) {
      const xl = { long: long(disk(path, { readwrite: 1 })), table };
      expect(await usersOf("/dev/mapper/vg--a-web1", { files: dom0, xl })).toContain(
        "guest: disk xvda of domain web1 (running)",
      );
    }
    const xl = { long: long(disk("/srv/web1.img")), table };
    expect(await usersOf("/srv/web1.img", { files: dom0, xl })).toEqual([
      "guest: disk xvda of domain web1 (running) (only reads)",
    ]);
    expect(await usersOf("/dev/sda3", { files: dom0, xl })).toEqual([]);
  });

  test("are found by what the block backend has open, without xl too", async () => {
    const backend = "/sys/bus/xen-backend/devices/vbd-9-51712";
    const files = { [`${backend}/physical_device`]: "8:3\n", [`${backend}/mode`]: "w\n" };
    expect(await usersOf("/dev/sda3", { files })).toEqual(["guest: a disk of domain 9"]);
    const hex = { [`${backend}/physical_device`]: "fd:1\n", [`${backend}/mode`]: "r\n" };
    expect(await usersOf("/dev/mapper/vg--a-web1", { files: hex })).toContain(
      "guest: a disk of domain 9 (only reads)",
    );
  });

  test("have what is mapped out of their disk, and no volume beside it", async () => {
    const mapping = {
      files: {
        ...dom0,
        "/sys/devices/virtual/dm-3/dev": "253:3\n",
        "/sys/devices/virtual/dm-3/dm/name": "web1p2\n",
      },
      links: {
        ...LINKS,
        "/sys/dev/block/253:3": "/sys/devices/virtual/dm-3",
        "/sys/devices/virtual/dm-1/holders/dm-3": "/sys/devices/virtual/dm-3",
        "/sys/devices/virtual/dm-3/slaves/dm-1": "/sys/devices/virtual/dm-1",
        "/sys/devices/virtual/dm-1/slaves/sda2": "/sys/devices/pci/sda/sda2",
        "/sys/devices/virtual/dm-0/slaves/sda2": "/sys/devices/pci/sda/sda2",
      },
      nodes: { ...NODES, "/dev/mapper/web1p2": "253:3" },
    };
    const having = (path: string) => ({
      ...mapping,
      xl: { long: long(disk(path, { readwrite: 1 })), table },
    });
    const built = ["guest: built on disk xvda of domain web1 (running)"];
    for (const path of ["/dev/mapper/vg--a-web1", "/dev/sda2", "/dev/sda"])
      expect(await usersOf("/dev/mapper/web1p2", having(path))).toEqual(built);
    for (const path of ["/dev/mapper/vg--a-root", "/dev/sda1", "/dev/sda3"])
      expect(await usersOf("/dev/mapper/web1p2", having(path))).toEqual([]);
    const backend = "/sys/bus/xen-backend/devices/vbd-9-51712";
    const served = { [`${backend}/physical_device`]: "fd:1\n", [`${backend}/mode`]: "w\n" };
    const files = { ...mapping.files, ...served, "/proc/xen/capabilities": "\n" };
    expect(await usersOf("/dev/mapper/web1p2", { ...mapping, files })).toEqual([
      "guest: built on a disk of domain 9",
    ]);
  });

  test("cannot be told when Xen does not answer; where no Xen runs nobody is asked", async () => {
    const xl = { stderr: "xl: cannot open the privileged command interface\n" };
    const host = scriptedHost({ ...MACHINE, files: { ...DISKS, ...dom0 }, xl });
    expect(await attempt(() => findDeviceUsers(host, "/dev/sda3"))).toMatchObject({
      failure: { kind: "failed", why: "xl says: xl: cannot open the privileged command interface" },
    });
    expect(await usersOf("/dev/sda3", { xl })).toEqual([]);
    const inside = { "/proc/xen/capabilities": "\n", "/sys/hypervisor/type": "xen\n" };
    expect(await usersOf("/dev/sda3", { xl, files: inside })).toEqual([]);
  });
});
