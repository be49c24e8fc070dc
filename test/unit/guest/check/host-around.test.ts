import { describe, expect, test } from "vitest";
import { missing } from "../../../../src/base/failure.ts";
import { readHostAround } from "../../../../src/guest/check/host-around.ts";
import type { Host } from "../../../../src/host/host.ts";

const absent = (path: string) => Promise.reject(missing([path], "such file or directory"));

/** A dom0 of text files, devices (`null`) and links. */
function hostOf(
  files: Readonly<Record<string, string | null>>,
  { links = {}, live = true }: { links?: Readonly<Record<string, string>>; live?: boolean } = {},
): Host {
  const paths = Object.keys(files);
  return {
    name: "dom0",
    live,
    run: () => absent("run"),
    openBlock: absent,
    readFile: async (path) => {
      const text = files[path];
      return text === undefined || text === null ? absent(path) : new TextEncoder().encode(text);
    },
    list: async (path) => {
      const inside = paths.filter((one) => one.startsWith(`${path}/`));
      if (inside.length === 0) return absent(path);
      return [...new Set(inside.map((one) => one.slice(path.length + 1).split("/")[0]!))].sort();
    },
    kind: async (name) => {
      const path = links[name] ?? name;
      if (files[path] === null) return "block-device";
      if (path in files) return "file";
      return paths.some((one) => one.startsWith(`${path}/`)) ? "directory" : "missing";
    },
    realPath: async (path) => links[path] ?? path,
  };
}

const config = (name: string, rest = "") =>
  `name = "${name}"\nbootloader = "pygrub"\nmemory = 64\n${rest}\n`;

const FILES = {
  "/etc/xen/mail.cfg": config(
    "mail",
    `vif = ['mac=00:16:3E:00:00:01,bridge=br0', 'bridge=br0']\ndisk = ['/dev/vg0/mail,raw,xvda,rw', '/srv/iso,,hdc,cdrom']`,
  ),
  "/etc/xen/broken.cfg": "name = [",
  "/etc/xen/xl.conf": 'vif.default.bridge="br7"\nvif.default.script="vif-nat"\n',
  "/dev/dm-3": null,
  "/proc/mounts": [
    "proc /proc proc rw 0 0",
    "/dev/mapper/vg0-mail1 /mnt/a\\040b ext4 ro,relatime 0 0",
    "/dev/loop0 /loop ext4 rw 0 0",
    "/dev/sda1 / ext4 rw 0 0",
    "/dev/",
  ].join("\n"),
  "/proc/swaps": "Filename Type Size\n/dev/sda2 partition 1 0 -2\n",
  "/sys/class/block/dm-7/slaves/dm-3": "",
  "/sys/class/block/loop0/loop/backing_file": "/srv/web.img\n",
  "/sys/class/block/sda1/partition": "1\n",
  "/sys/class/net/br0/bridge/x": "",
  "/sys/class/net/eth0/mtu": "",
};
const LINKS = {
  "/dev/vg0/mail": "/dev/dm-3",
  "/dev/mapper/vg0-mail1": "/dev/dm-7",
  "/sys/class/block/sda1": "/sys/devices/pci/block/sda/sda1",
};

describe("what is around a guest", () => {
  test("other guests, by their configs", async () => {
    const { guests } = await readHostAround(hostOf(FILES, { links: LINKS }));
    expect(guests).toEqual([
      {
        name: "mail",
        configPath: "/etc/xen/mail.cfg",
        realPath: "/etc/xen/mail.cfg",
        macs: ["00:16:3e:00:00:01"],
        disks: [
          {
            vdev: "xvda",
            target: "/dev/vg0/mail",
            key: "/dev/dm-3",
            readonly: false,
            blockDevice: true,
          },
          { vdev: "hdc", target: "/srv/iso", key: "/srv/iso", readonly: true, blockDevice: false },
        ],
      },
    ]);
  });

  test("mounts, down to what they lie on", async () => {
    const { mounts } = await readHostAround(hostOf(FILES, { links: LINKS }));
    const told = mounts?.map(({ mountPoint, readonly, keys }) => [mountPoint, readonly, keys]);
    expect(told).toEqual([
      ["/mnt/a b", true, ["/dev/dm-7", "/dev/dm-3"]],
      ["/loop", false, ["/dev/loop0", "/srv/web.img"]],
      ["/", false, ["/dev/sda1", "/dev/sda"]],
      ["swap", false, ["/dev/sda2"]],
    ]);
  });

  test("bridges, and what xl.conf says of them", async () => {
    const around = await readHostAround(hostOf(FILES));
    expect(around.interfaces).toEqual([
      { name: "br0", bridge: true },
      { name: "eth0", bridge: false },
    ]);
    expect(around).toMatchObject({ defaultBridge: "br7", defaultScript: "vif-nat" });
  });

  test("of a file tree only the files are believed; names of one logical volume are one", async () => {
    const files = {
      "/etc/xen/a.cfg": config("a", "disk = ['/dev/vg-0/x,raw,xvda,rw']"),
      "/etc/xen/b.cfg": config("b", "disk = ['phy:mapper/vg--0-x,xvda,w']"),
      "/proc/mounts": "/dev/sda1 / ext4 rw 0 0\n",
    };
    const around = await readHostAround(hostOf(files, { live: false }));
    expect(around.guests.map(({ disks }) => disks[0]!.key)).toEqual([
      "/dev/mapper/vg--0-x",
      "/dev/mapper/vg--0-x",
    ]);
    expect(around).not.toHaveProperty("mounts");
    expect(around).not.toHaveProperty("interfaces");
    expect(around.defaultBridge).toBe("xenbr0");
  });

  test("a host without configs", async () => {
    const around = await readHostAround(hostOf({ "/nothing": "" }));
    expect(around).toEqual({ guests: [], defaultBridge: "xenbr0" });
  });
});
