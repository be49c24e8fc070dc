import type { RootView } from "../../../../src/boot/root-device.ts";
import { rootAmbiguous } from "../../../../src/check/rules/root-ambiguous.ts";
import { rootDeviceName } from "../../../../src/check/rules/root-device-name.ts";
import { rootMissing } from "../../../../src/check/rules/root-missing.ts";
import { rootNoInit } from "../../../../src/check/rules/root-no-init.ts";
import { rootNoSubvolume } from "../../../../src/check/rules/root-no-subvolume.ts";
import { rootNotAFilesystem } from "../../../../src/check/rules/root-not-a-filesystem.ts";
import { rootNotFound } from "../../../../src/check/rules/root-not-found.ts";
import { goodDisk, goodDiskSpec, goodVolume, guestWith } from "../../../support/facts.ts";
import { testRule } from "../../../support/rule-tests.ts";

const lost = { where: undefined, format: undefined } as const;
const path = (value: string) => ({ ...lost, spec: { kind: "path", value, text: value } }) as const;
const generators = ["initramfs-tools", "dracut", "mkinitcpio", "unknown"] as const;

testRule(rootNotFound, {
  fires: {
    ...Object.fromEntries(
      generators.map((generator) => [
        generator,
        [guestWith({ root: lost, initramfs: { generator } }), "error"],
      ]),
    ),
    "root= is in the config": [
      guestWith({ root: path("/dev/xvda7"), config: { cmdline: "root=/dev/xvda7" } }),
      "error",
    ],
    "direct boot, no candidates": [
      guestWith({
        root: path("/dev/xvda7"),
        boot: { loader: "direct", initramfs: [] },
        volume: { format: "swap", looksLikeRoot: undefined, clean: undefined },
      }),
      "error",
    ],
    "not everything was read": [
      guestWith({
        root: { ...lost, complete: false },
        guest: {
          disks: [
            {
              ...goodDisk(),
              volumes: [
                { ...goodVolume(), format: "LVM2 physical volume", clean: undefined },
              ] as never,
            },
            {
              ...goodDisk(),
              spec: { ...goodDiskSpec(), vdev: "xvdb" },
              state: "not-read",
              volumes: [],
            },
          ],
        },
      }),
      "note?",
    ],
    "LVM was read, a disk was not": [
      guestWith({
        root: { ...lost, complete: false },
        guest: {
          disks: [
            {
              ...goodDisk(),
              volumes: [
                {
                  ...goodVolume(),
                  device: "xvda2",
                  format: "LVM2 physical volume",
                  clean: undefined,
                  assembled: true,
                },
                { ...goodVolume(), device: "/dev/mapper/vg0-home" },
              ] as never,
            },
            { ...goodDisk(), state: "unreadable", volumes: [] },
          ],
        },
      }),
      "note?",
    ],
    "in the network": [
      guestWith({
        root: {
          ...lost,
          complete: false,
          spec: { kind: "nfs", value: "/dev/nfs", text: "/dev/nfs" },
        },
      }),
      "note?",
    ],
    "only the initramfs knows": [
      guestWith({
        root: {
          ...lost,
          complete: false,
          spec: { kind: "other", value: "ZFS=rpool", text: "ZFS=rpool" },
        },
      }),
      "note?",
    ],
    "only the running guest knows": [
      guestWith({ root: { ...path("/dev/dm-0"), complete: false } }),
      "note?",
    ],
  },
  silent: {
    "sda in the config, xvda in root=": guestWith({
      root: path("/dev/xvda1"),
      volume: { device: "sda1" },
    }),
    "a name as on real hardware, which has its own code": guestWith({ root: path("/dev/sda1") }),
  },
});

testRule(rootDeviceName, {
  fires: {
    "sda1 where the disk is xvda": [guestWith({ root: path("/dev/sda1") }), "error"],
    "hdb1 where there is no such disk": [
      guestWith({ root: path("/dev/hdb1"), config: { type: "pvh" } }),
      "error",
    ],
    "sda1, and sda in the config too": [
      guestWith({
        root: { spec: { kind: "path", value: "/dev/sda1", text: "/dev/sda1" } },
        volume: { device: "sda1" },
      }),
      "error",
    ],
  },
  silent: {
    HVM: guestWith({ root: path("/dev/sda1"), config: { type: "hvm" } }),
    "a kernel of the Xen 3 days": guestWith({
      root: path("/dev/sda1"),
      kernel: { version: "2.6.18-6-xen-amd64" },
    }),
  },
});

testRule(rootMissing, {
  fires: {
    "nothing but links": [
      guestWith({ boot: { loader: "links", root: undefined, args: "", initramfs: [] } }),
      "warning?",
    ],
    "no initramfs": [
      guestWith({ boot: { root: undefined, args: "quiet", files: [], initramfs: [] } }),
      "error",
    ],
    "initramfs-tools": [
      guestWith({
        boot: { root: undefined, args: "quiet" },
        initramfs: { generator: "initramfs-tools" },
      }),
      "error",
    ],
    "a live system": [
      guestWith({
        boot: { root: undefined, args: "boot=live quiet" },
        initramfs: { generator: "initramfs-tools" },
      }),
      "warning?",
    ],
    mkinitcpio: [guestWith({ boot: { root: undefined, args: "quiet" } }), "warning?"],
  },
  silent: {
    "dracut has it in the image": guestWith({
      boot: {
        root: undefined,
        args: "quiet",
        initramfs: [
          {
            ...guestWith({}).boot!.initramfs[0]!,
            generator: "dracut",
            config: new Map([
              ["etc/cmdline.d/95root-dev.conf", " root=UUID=1234 rootfstype=ext4 "],
            ]),
          },
        ],
      },
    }),
  },
});

testRule(rootAmbiguous, {
  fires: {
    "a clone": [guestWith({ root: { rivals: [["xvdb", "partition 1", "ext4"]] } }), "warning"],
  },
});

testRule(rootNotAFilesystem, {
  fires: {
    "the whole disk": [
      guestWith({ root: { format: "partition table (mbr)", where: ["xvda"] } }),
      "error",
    ],
    swap: [guestWith({ root: { format: "swap" } }), "error"],
    LUKS: [guestWith({ root: { format: "LUKS" } }), "warning?"],
  },
});

const lacksInit = { looksLikeRoot: false, format: "btrfs" } as const;
const rootIs = (view: RootView) => ({ root: { format: "btrfs", view } });

testRule(rootNoInit, {
  fires: {
    "an empty root": [guestWith({ volume: { looksLikeRoot: false } }), "warning?"],
    "the default subvolume of btrfs": [
      guestWith({ volume: lacksInit, ...rootIs({ state: "there", looksLikeRoot: false }) }),
      "warning?",
    ],
    "another subvolume, though the default one is a root": [
      guestWith(rootIs({ option: "subvol=@home", state: "there", looksLikeRoot: false })),
      "warning?",
    ],
  },
  silent: {
    "the subvolume that is mounted has it": guestWith({
      volume: lacksInit,
      ...rootIs({ option: "subvol=@", state: "there", looksLikeRoot: true }),
    }),
    "a subvolume that could not be read": guestWith({
      volume: lacksInit,
      ...rootIs({ option: "subvol=@", state: "unread" }),
    }),
    "init=": guestWith({ volume: { looksLikeRoot: false }, boot: { args: "init=/opt/init" } }),
    unknown: guestWith({ volume: { looksLikeRoot: undefined } }),
  },
});

testRule(rootNoSubvolume, {
  fires: {
    "by name": [guestWith(rootIs({ option: "subvol=@gone", state: "missing" })), "error"],
    "by id, direct boot": [
      guestWith({
        ...rootIs({ option: "subvolid=999", state: "missing" }),
        boot: { loader: "direct" },
      }),
      "error",
    ],
  },
  silent: {
    "it could not be read": guestWith(rootIs({ option: "subvol=@", state: "unread" })),
    "it is there": guestWith(rootIs({ option: "subvol=@", state: "there", looksLikeRoot: true })),
  },
});
