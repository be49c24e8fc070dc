import { diskMissing } from "../../../../src/check/rules/disk-missing.ts";
import { diskUnknownFormat } from "../../../../src/check/rules/disk-unknown-format.ts";
import { diskUnreadable } from "../../../../src/check/rules/disk-unreadable.ts";
import { filesystemDirty } from "../../../../src/check/rules/filesystem-dirty.ts";
import { hvmNoBootCode } from "../../../../src/check/rules/hvm-no-boot-code.ts";
import { hvmNoEfiLoader } from "../../../../src/check/rules/hvm-no-efi-loader.ts";
import { noBootEntry } from "../../../../src/check/rules/no-boot-entry.ts";
import { onCrashEvidence } from "../../../../src/check/rules/on-crash-evidence.ts";
import { pygrubBlind } from "../../../../src/check/rules/pygrub-blind.ts";
import { pygrubEntry } from "../../../../src/check/rules/pygrub-entry.ts";
import {
  bareGuest,
  goodDisk,
  goodDiskSpec,
  goodGuest,
  guestWith,
  KERNEL_PATH,
} from "../../../support/facts.ts";
import { testRule } from "../../../support/rule-tests.ts";

const io = (errno: string) => ({ kind: "io", where: ["xvda"], op: "open", errno }) as const;

testRule(diskMissing, {
  fires: {
    "a volume": [guestWith({ disk: { state: "missing", volumes: [] } }), "error"],
    "an image file": [
      guestWith({ disk: { state: "missing", target: "/srv/xen/pandora.img", volumes: [] } }),
      "error",
    ],
    "a CD-ROM": [
      guestWith({
        disk: {
          state: "missing",
          target: "/srv/iso/debian.iso",
          spec: { ...goodDiskSpec(), vdev: "xvdc", cdrom: true },
          volumes: [],
        },
      }),
      "error",
    ],
  },
  silent: { "an empty drive": guestWith({ disk: { state: "empty-cdrom" } }) },
});

testRule(diskUnreadable, {
  fires: {
    "not as root": [
      guestWith({ disk: { state: "unreadable", failure: io("EACCES") } }),
      "warning?",
    ],
    "a broken disk": [guestWith({ disk: { state: "unreadable", failure: io("EIO") } }), "warning?"],
    "damaged data": [
      guestWith({
        disk: {
          state: "unreadable",
          failure: { kind: "corrupt", where: ["xvda"], found: "0", expected: "1" },
        },
      }),
      "warning?",
    ],
    "no reason": [guestWith({ disk: { state: "unreadable" } }), "warning?"],
  },
  silent: {
    "no image of the format in the config, which has its own code": guestWith({
      disk: {
        state: "unreadable",
        failure: { kind: "corrupt", where: ["xvda", "qcow2"], found: "0", expected: "1" },
        findings: [
          {
            code: "disk-format-mismatch",
            severity: "error",
            where: ["xvda"],
            what: "",
            why: "",
            next: "",
          },
        ],
      },
    }),
  },
});

const qcow2 = {
  ...goodDisk(),
  spec: { ...goodDiskSpec(), format: "qcow2", vdev: "xvdb" },
  target: "/srv/xen/data.qcow2",
  state: "not-read",
  failure: {
    kind: "unsupported",
    where: ["xvdb"],
    feature: "qcow2 images with a backing file (base.img)",
  },
  volumes: [],
} as const;

testRule(diskUnknownFormat, {
  fires: {
    qcow2: [guestWith({ guest: { disks: [goodDisk(), qcow2] } }), "note"],
    "a script's": [
      guestWith({
        disk: {
          ...qcow2,
          spec: { ...goodDiskSpec(), script: "block-iscsi" },
          failure: {
            kind: "unsupported",
            where: ["xvda"],
            feature: "a disk that the script block-iscsi attaches",
          },
        },
        boot: { loader: "direct" },
        config: { bootloader: undefined, kernel: "/boot/vmlinuz" },
      }),
      "note",
    ],
  },
});

testRule(filesystemDirty, {
  fires: { "a running guest": [guestWith({ volume: { clean: false } }), "note"] },
  silent: { "unknown state": guestWith({ volume: { clean: undefined } }) },
});

const tried = [
  { where: ["xvda", "partition 1", "ext4"], said: "no loader configuration" },
  {
    where: ["xvda", "partition 2", "xfs"],
    said: "xvda > partition 2 > xfs: bigtime is not supported",
  },
];

const noPlan = { boot: undefined, bootTried: tried } as const;
const custom = { config: { bootloader: "/usr/local/bin/fetch-kernel" } } as const;

testRule(noBootEntry, {
  speaksOnBareGuest: true,
  fires: {
    "neither kernel= nor bootloader=, and no disks": [bareGuest(), "error"],
    "neither kernel= nor bootloader=": [
      guestWith({ guest: { ...noPlan, pygrub: undefined }, config: { bootloader: undefined } }),
      "error",
    ],
    "another bootloader": [
      guestWith({ guest: { ...noPlan, pygrub: undefined }, ...custom }),
      "warning?",
    ],
    "an LVM member": [
      guestWith({
        guest: { ...noPlan, pygrub: undefined },
        ...custom,
        volume: { format: "LVM2 physical volume", clean: undefined },
      }),
      "warning?",
    ],
    "a disk that is not read": [
      guestWith({ guest: { boot: undefined, pygrub: undefined, disks: [qcow2] } }),
      "warning?",
    ],
    HVM: [
      guestWith({
        guest: { ...noPlan, pygrub: undefined },
        config: { type: "hvm", bootloader: undefined },
      }),
      "warning?",
    ],
    "HVM, a logical volume that lacks a disk": [
      guestWith({
        boot: { loader: "hvm-disk", root: undefined },
        guest: { pygrub: undefined },
        config: { type: "hvm", bootloader: undefined },
        volume: { device: "/dev/mapper/vg0-root", format: "unknown", clean: undefined },
      }),
      "warning?",
    ],
    "many volumes": [
      guestWith({
        guest: {
          boot: undefined,
          pygrub: undefined,
          bootTried: Array.from({ length: 40 }, () => tried[0]!),
        },
      }),
      "warning?",
    ],
  },
  silent: {
    "the disk is missing": guestWith({ guest: { boot: undefined }, disk: { state: "missing" } }),
    "HVM, a system that domus does not know": guestWith({
      boot: { loader: "hvm-disk", root: undefined },
      config: { type: "hvm", bootloader: undefined },
      volume: { format: "NTFS", clean: undefined },
    }),
    "pygrub finds nothing, which has its own code": guestWith({
      guest: { ...noPlan, pygrub: { blind: [] } },
    }),
  },
});

const blind = ["partition 1: btrfs is not read", "partition 2: LVM is not read"];

testRule(pygrubBlind, {
  fires: {
    "a plan that only GRUB sees": [guestWith({ guest: { pygrub: { blind } } }), "error"],
    "no plan": [guestWith({ guest: { pygrub: { blind: [] }, boot: undefined } }), "error"],
  },
});

const seen = goodGuest().pygrub!.entry!;

testRule(pygrubEntry, {
  fires: {
    "another kernel": [
      guestWith({
        guest: {
          pygrub: {
            blind: [],
            entry: {
              ...seen,
              title: "Arch Linux LTS",
              index: 2,
              kernelPath: "/boot/vmlinuz-linux-lts",
            },
          },
        },
      }),
      "warning",
    ],
    "another initramfs": [
      guestWith({
        guest: {
          pygrub: {
            blind: [],
            entry: { ...seen, title: "fallback", ramdiskPath: "/boot/initramfs-fallback.img" },
          },
        },
      }),
      "warning",
    ],
    "another command line": [
      guestWith({
        guest: {
          pygrub: {
            blind: [],
            entry: { ...seen, title: "rescue", args: "root=/dev/xvda1 single" },
          },
        },
      }),
      "warning",
    ],
  },
  silent: {
    "a double slash": guestWith({
      guest: { pygrub: { blind: [], entry: { ...seen, kernelPath: `/${KERNEL_PATH}` } } },
    }),
    "no loader configuration that domus reads": guestWith({
      guest: {
        configured: undefined,
        pygrub: { blind: [], entry: { ...seen, kernelPath: "/boot/x" } },
      },
    }),
  },
});

testRule(onCrashEvidence, {
  fires: {
    "the default": [guestWith({ config: { onCrash: "destroy", onCrashWritten: false } }), "note"],
    restart: [guestWith({ config: { onCrash: "restart" } }), "note"],
  },
  silent: { coredump: guestWith({ config: { onCrash: "coredump-restart" } }) },
});

const firmware = {
  firmware: "bios",
  looked: [{ where: ["hda"], said: "its first sector has no boot code, only zeroes" }],
  complete: true,
} as const;

testRule(hvmNoBootCode, {
  fires: { "an empty first sector": [guestWith({ guest: { hvm: firmware } }), "warning?"] },
  silent: {
    "boot code": guestWith({
      guest: { hvm: { ...firmware, start: { where: ["hda"], what: "boot code" } } },
    }),
    "a disk that was not read": guestWith({ guest: { hvm: { ...firmware, complete: false } } }),
    "no disks": guestWith({ guest: { hvm: { ...firmware, looked: [] } } }),
    UEFI: guestWith({ guest: { hvm: { ...firmware, firmware: "uefi" } } }),
  },
});

const uefi = {
  firmware: "uefi",
  looked: [{ where: ["hda"], said: "no EFI system partition that can be read" }],
  complete: true,
} as const;

testRule(hvmNoEfiLoader, {
  fires: { "no EFI system partition": [guestWith({ guest: { hvm: uefi } }), "warning?"] },
  silent: {
    "a loader": guestWith({ guest: { hvm: { ...uefi, start: { where: ["hda"], what: "x" } } } }),
    "a disk that was not read": guestWith({ guest: { hvm: { ...uefi, complete: false } } }),
    BIOS: guestWith({ guest: { hvm: { ...uefi, firmware: "bios" } } }),
  },
});
