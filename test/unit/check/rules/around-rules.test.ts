import type { HostAround, Neighbour, UnfinishedCopy } from "../../../../src/check/host-around.ts";
import { bridgeMissing } from "../../../../src/check/rules/bridge-missing.ts";
import { diskMounted } from "../../../../src/check/rules/disk-mounted.ts";
import { diskReadOnly } from "../../../../src/check/rules/disk-read-only.ts";
import { diskUnfinished } from "../../../../src/check/rules/disk-unfinished.ts";
import { diskShared } from "../../../../src/check/rules/disk-shared.ts";
import { duplicateMac } from "../../../../src/check/rules/duplicate-mac.ts";
import { duplicateName } from "../../../../src/check/rules/duplicate-name.ts";
import { duplicateUuid } from "../../../../src/check/rules/duplicate-uuid.ts";
import { libcTls } from "../../../../src/check/rules/libc-tls.ts";
import { rootFstab } from "../../../../src/check/rules/root-fstab.ts";
import { swapShared } from "../../../../src/check/rules/swap-shared.ts";
import { initramfsNoVolumeDriver } from "../../../../src/check/rules/initramfs-no-volume-driver.ts";
import type { GuestChange } from "../../../support/facts.ts";
import { goodDiskSpec, goodInitramfs, guestWith, VERSION } from "../../../support/facts.ts";
import { testRule } from "../../../support/rule-tests.ts";

const UUID = "8a3b1f0e-0d9c-4b1a-9a51-0a4cf1c1e111";
const MAC = "00:16:3e:01:02:03";

const self: Neighbour = {
  name: "pandora",
  configPath: "/etc/xen/pandora.cfg",
  realPath: "/etc/xen/pandora.cfg",
  uuid: UUID,
  macs: [MAC],
  disks: [
    {
      vdev: "xvda",
      target: "/dev/vg0/pandora",
      key: "/dev/dm-3",
      readonly: false,
      blockDevice: true,
    },
  ],
};
const other: Neighbour = {
  ...self,
  name: "mail",
  configPath: "/etc/xen/mail.cfg",
  realPath: "/etc/xen/mail.cfg",
  uuid: "11111111-1111-4111-8111-111111111111",
  macs: ["00:16:3e:0a:0b:0c"],
  disks: [{ ...self.disks[0]!, vdev: "xvdb", target: "/dev/mapper/vg0-mail", key: "/dev/dm-4" }],
};

/** The good guest with one neighbour like this, on a host like that. */
function beside(
  neighbour: Partial<Neighbour>,
  change: GuestChange = {},
  host: Partial<HostAround> = {},
) {
  const around = {
    self,
    guests: [self, { ...other, ...neighbour }],
    defaultBridge: "xenbr0",
    ...host,
  };
  const config = { uuid: UUID, vifs: [{ text: "", mac: MAC, bridge: "br0" }], ...change.config };
  return guestWith({ ...change, config, guest: { around, ...change.guest } });
}

const copy = { name: "pandora", configPath: "/etc/xen/pandora-old.cfg", realPath: "/old" };

testRule(duplicateName, {
  fires: { "a copy of the config": [beside(copy), "warning"] },
  silent: {
    "another guest": beside({}),
    "a link to the same file": beside({ ...copy, realPath: self.realPath }),
  },
});

testRule(duplicateUuid, {
  fires: { "a clone": [beside({ uuid: UUID }), "warning"] },
  silent: {
    "another guest": beside({}),
    "a copy, which duplicate-name tells of": beside({ ...copy, uuid: UUID }),
    "no uuid in either": beside({ uuid: undefined as never }, { config: { uuid: undefined } }),
  },
});

testRule(duplicateMac, {
  fires: {
    "a clone": [beside({ macs: [MAC] }), "warning"],
    "twice in one guest": [
      guestWith({
        config: {
          vifs: [
            { text: "", mac: MAC },
            { text: "", mac: MAC.toUpperCase() },
          ],
        },
      }),
      "warning",
    ],
  },
  silent: { "another guest": beside({}) },
});

const shared = { disks: [{ ...other.disks[0]!, key: "/dev/dm-3" }] };
const readonly = { disks: [{ ...shared.disks[0]!, readonly: true }] };
const swap = { volume: { format: "swap" } } as const;

testRule(diskShared, {
  fires: {
    "both write": [beside(shared), "warning"],
    "one reads": [beside(readonly), "warning"],
  },
  silent: {
    "disks of their own": beside({}),
    "both read": beside(readonly, {
      guest: {
        around: {
          self: { ...self, disks: [{ ...self.disks[0]!, readonly: true }] },
          guests: [{ ...other, ...readonly }],
          defaultBridge: "xenbr0",
        },
      },
    }),
    "a second config of the same guest": beside({ ...shared, name: "pandora" }),
    swap: beside(shared, swap),
  },
});

testRule(swapShared, {
  fires: { "both write": [beside(shared, swap), "warning"] },
  silent: { "not swap": beside(shared), "disks of their own": beside({}, swap) },
});

const mount = (keys: string[], change = {}) => ({
  mounts: [
    { device: "/dev/mapper/vg0-pandora", mountPoint: "/mnt", readonly: false, keys, ...change },
  ],
});

testRule(diskMounted, {
  fires: {
    "the device itself": [beside({}, {}, mount(["/dev/dm-3"])), "error"],
    "a partition on it": [beside({}, {}, mount(["/dev/dm-9", "/dev/dm-3"])), "warning"],
    "swap of dom0": [beside({}, {}, mount(["/dev/dm-3"], { mountPoint: "swap" })), "warning"],
    "read by dom0, written by the guest": [
      beside({}, {}, mount(["/dev/dm-3"], { readonly: true })),
      "error",
    ],
  },
  silent: { "something else": beside({}, {}, mount(["/dev/dm-1", "/dev/sda3", "/dev/sda"])) },
});

const ro = { spec: { ...goodDiskSpec(), readonly: true } };

testRule(diskReadOnly, {
  fires: {
    "read-only in dom0": [guestWith({ disk: { deviceReadOnly: true } }), "error"],
    "the root, in the config": [guestWith({ disk: ro }), "warning"],
    "with a journal to replay": [guestWith({ disk: ro, volume: { clean: false } }), "error"],
  },
  silent: {
    "read-only in both": guestWith({
      disk: { ...ro, deviceReadOnly: true },
      root: { where: ["xvdb"] },
    }),
    "a live system": guestWith({ disk: ro, volume: { format: "iso9660" } }),
    "another disk": guestWith({ disk: ro, root: { where: ["xvdb", "ext4"] } }),
  },
});

const interfaces = [
  { name: "lo", bridge: false },
  { name: "eth0", bridge: false },
  { name: "br0", bridge: true },
];
const vif = (change: object) => ({ config: { vifs: [{ text: "", ...change }] } });

testRule(bridgeMissing, {
  fires: {
    "no such device": [beside({}, vif({ bridge: "xenbr1" }), { interfaces }), "error"],
    "the default one": [beside({}, vif({}), { interfaces }), "error"],
    "no bridge": [beside({}, vif({ bridge: "eth0" }), { interfaces }), "warning?"],
  },
  silent: {
    "it is there": beside({}, {}, { interfaces }),
    "the default of xl.conf": beside({}, vif({}), { interfaces, defaultBridge: "br0" }),
    "another script": beside({}, vif({ script: "vif-route" }), { interfaces }),
    "another script by default": beside({}, vif({}), {
      interfaces,
      defaultScript: "/etc/xen/scripts/vif-openvswitch",
    }),
    "a driver domain": beside({}, vif({ bridge: "x", backend: "net" }), { interfaces }),
    "a host that is not running": beside({}, vif({ bridge: "xenbr1" })),
  },
});

const fstab = (device: object) => ({
  guest: {
    rootFiles: {
      where: ["xvda"],
      tlsLibc: false,
      xenLibc: false,
      fstabRoot: {
        where: ["xvda", "partition 1", "ext4", "/etc/fstab", "line 3"],
        device: {
          spec: { kind: "uuid" as const, value: "u", text: "UUID=u" },
          complete: true,
          ...device,
        },
      },
    },
  },
});

testRule(rootFstab, {
  fires: {
    "another filesystem": [guestWith(fstab({ where: ["xvdb", "ext4"] })), "warning"],
    "nothing at all": [guestWith(fstab({})), "warning"],
  },
  silent: {
    "the same by another name": guestWith(fstab({ where: ["xvda", "partition 1", "ext4"] })),
    "not everything was read": guestWith(fstab({ complete: false })),
    "a root that was not found": guestWith({ ...fstab({}), root: { where: undefined } }),
  },
});

const tls = (change: object = {}) => ({
  kernel: { bits: 32 as const },
  guest: { rootFiles: { where: ["xvda"], tlsLibc: true, xenLibc: false, ...change } },
});
const host32 = { host: { caps: ["xen-3.0-x86_32p", "hvm-3.0-x86_32"] } };

testRule(libcTls, {
  fires: {
    "a 32-bit Xen": [guestWith({ ...tls(), ...host32 }), "warning"],
    "a 64-bit Xen": [guestWith(tls()), "note"],
  },
  silent: {
    "with libc6-xen": guestWith({ ...tls({ xenLibc: true }), ...host32 }),
    "no /lib/tls": guestWith({ ...tls({ tlsLibc: false }), ...host32 }),
    "a 64-bit kernel": guestWith({ ...tls(), ...host32, kernel: {} }),
    HVM: guestWith({ ...tls(), ...host32, config: { type: "hvm" } }),
  },
});

const onLvm = {
  volume: { device: "/dev/mapper/vg0-root", modules: ["dm_mod", "dm_raid", "raid1"] },
};
const carrying = (...names: string[]) => {
  const modules = goodInitramfs().modules.get(VERSION)!;
  const loadable = new Set([...modules.loadable, ...names]);
  return { modules: new Map([[VERSION, { ...modules, loadable }]]) };
};

testRule(initramfsNoVolumeDriver, {
  fires: {
    "none of them": [guestWith(onLvm), "error"],
    "all but raid1": [guestWith({ ...onLvm, initramfs: carrying("dm_mod", "dm_raid") }), "error"],
  },
  silent: {
    "all of them": guestWith({ ...onLvm, initramfs: carrying("dm_mod", "dm_raid", "raid1") }),
    "built in": guestWith({
      ...onLvm,
      kernel: {
        config: new Map([
          ["CONFIG_BLK_DEV_DM", "y"],
          ["CONFIG_DM_RAID", "y"],
          ["CONFIG_MD_RAID1", "y"],
        ]),
      },
    }),
    "nobody knows what is built in": guestWith({
      ...onLvm,
      initramfs: {
        modules: new Map([
          [
            VERSION,
            { loadable: new Set<string>(), builtin: new Set<string>(), builtinKnown: false },
          ],
        ]),
      },
    }),
  },
});

const unfinished = {
  key: "/dev/dm-3",
  record: "/var/lib/domus/sync/dev-vg0-pandora-0123456789abcdef.domus-sync",
  source: "hosta:/dev/vg0/pandora",
  begunMs: Date.UTC(2026, 10, 21, 8, 15),
};

/** The good guest, with such a copy to its disk. */
function copiedTo(one: UnfinishedCopy) {
  const around = { self, guests: [self], defaultBridge: "xenbr0", unfinished: [one] };
  return guestWith({ guest: { around } });
}

testRule(diskUnfinished, {
  fires: {
    "a copy that was cut off": [copiedTo(unfinished), "error"],
    "a record that cannot be read": [
      copiedTo({ key: unfinished.key, record: "/srv/a b.img.domus-sync" }),
      "error",
    ],
  },
  silent: {
    "a copy to another disk": copiedTo({ ...unfinished, key: "/dev/dm-4" }),
    "no copy at all": beside({}),
  },
});
