/**
 * The cases that boot inspection is known to get wrong, numbered, each with the tests that hold it. The index is
 * checked: a test that is renamed or taken away is missed here. Cases that no other file has are below it.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { findRoot, parseRoot } from "../../src/boot/root-device.ts";
import { commandLineTooLong } from "../../src/check/rules/command-line-too-long.ts";
import { memoryTooSmall } from "../../src/check/rules/memory-too-small.ts";
import { rootDeviceName } from "../../src/check/rules/root-device-name.ts";
import { rootFstab } from "../../src/check/rules/root-fstab.ts";
import { rootNotFound } from "../../src/check/rules/root-not-found.ts";
import type { GuestFacts, VolumeFacts } from "../../src/check/facts.ts";
import { goodKernel, goodSegment, goodVolume, guestWith } from "../support/facts.ts";

/** `file: words of a test in it`. */
const INDEX: Readonly<Record<string, readonly string[]>> = {
  "1: a whole disk of ext4 with blocks of 1 KiB, 64bit, metadata_csum": [
    "real/disk/fs/ext4/differential.test.ts: ext2, 1 KiB blocks",
    "real/disk/fs/ext4/journal.test.ts: 1 KiB blocks",
  ],
  "2: GPT with ESP, /boot and root; a stub that leads to the real configuration": [
    "unit/boot/loader/loaders.test.ts: search.fs_uuid r00t root",
    "unit/boot/loader/corpus.test.ts: corpus",
    "real/guest/efi.test.ts: UEFI",
  ],
  "3: GPT with entries elsewhere, one copy only, 4 KiB sectors, many entries, wrong CRCs": [
    "real/disk/tables.test.ts: entries moved to sector 64 by sgdisk -j",
    "unit/disk/table/gpt.test.ts: entries elsewhere",
    "unit/disk/table/gpt.test.ts: with a wrong header CRC",
    "unit/disk/table/gpt.test.ts: 200 entries, the last in use",
    "unit/guest/disks/open-disks.test.ts: a GPT for sectors of 4096 bytes in a file",
  ],
  "4: a chain of logical partitions, a loop in it, an active partition with another kernel": [
    "real/disk/tables.test.ts: a chain that is bent back to its start",
    "unit/disk/table/mbr.test.ts: a record that links to itself ends the chain",
    "real/boot/pygrub-view.test.ts: the first partition with an entry, whatever is active",
  ],
  "5: LVM2 in pieces, missing, striped, thin, a wrapped ring, areas that differ": [
    "real/disk/lvm/groups.test.ts: linear, in pieces, over several volumes, striped",
    "real/disk/lvm/groups.test.ts: mirrors, RAID1, thin volumes, snapshots",
    "real/disk/lvm/groups.test.ts: through every wrap of a small ring",
    "real/disk/lvm/groups.test.ts: an older copy of one disk",
    "real/guest/lvm-root.test.ts: LVM2",
  ],
  "6: XFS of both versions with all that mkfs knows": [
    "real/disk/fs/xfs/features.test.ts: mkfs",
    "real/disk/fs/xfs/version4.test.ts: ftype",
    "real/disk/fs/xfs/differential.test.ts: 64 KiB blocks",
  ],
  "7: btrfs: default subvolume, compressed and inline extents, a device missing": [
    "real/disk/fs/btrfs/devices.test.ts: raid1",
    "real/disk/fs/btrfs/features.test.ts: subvol",
    "real/guest/btrfs-root.test.ts: the default subvolume is for the kernel only",
  ],
  "8: ext4 with every feature": [
    "real/disk/fs/ext4/features.test.ts: bigalloc",
    "real/disk/fs/ext4/features.test.ts: casefold",
    "real/disk/fs/ext4/features.test.ts: inline_data",
    "unit/disk/fs/resolve.test.ts: too many links",
  ],
  "9: a dirty journal": [
    "real/disk/fs/ext4/journal.test.ts: a dirty journal written by debugfs",
    "real/disk/fs/ext4/journal.test.ts: a dirty journal left by the kernel",
    "real/disk/fs/xfs/log.test.ts: log",
  ],
  "10: what a grub.cfg means": [
    "real/boot/grub2/choose.test.ts: grub-emu",
    "unit/boot/loader/grub2/choose.test.ts: saved in grubenv",
    "unit/boot/loader/grub2/bls.test.ts: newest first, the rescue entry last",
    "unit/boot/loader/grub-default.test.ts: a default that points nowhere",
    "real/guest/pvgrub.test.ts: on its own platform",
  ],
  "11: extlinux and GRUB legacy": [
    "unit/boot/loader/extlinux/loader.test.ts: INCLUDE",
    "unit/boot/loader/grub-legacy/loader.test.ts: fallback",
    "unit/boot/loader/grub-legacy/loader.test.ts: default saved",
  ],
  "12: an initramfs that this kernel cannot unpack": [
    "real/ground-truth/initramfs-qemu.test.ts: zstd, kernel built without it",
    "unit/boot/initramfs/read-initramfs.test.ts: early microcode and two gzip images",
    "real/boot/initramfs.test.ts: odc",
  ],
  "13: the matrix of kernels": [
    "real/ground-truth/builder.test.ts: test.each(cases)",
    "unit/boot/kernel/xen-notes.test.ts: Xxn",
    "unit/boot/kernel/read-kernel.test.ts: describe",
  ],
  "14: the least memory": [
    "unit/xen/builder-memory.test.ts: PV, gzip, unpacked by Xen",
    "real/xen/builder-memory.test.ts: made-up kernels",
    "unit/hard-cases.test.ts: 208 MiB",
  ],
  "15: a root that is not what root= says": [
    "unit/hard-cases.test.ts: root= names nothing",
    "unit/check/rules/around-rules.test.ts: rootFstab",
    "unit/check/rules/initramfs-rules.test.ts: initramfsVersion",
    "unit/check/rules/initramfs-rules.test.ts: initramfsNoBlkfront",
  ],
  "16: long command lines, and such that break out of an answer": [
    "unit/hard-cases.test.ts: a command line of",
    "real/pygrub/hostile.test.ts: a NUL in the arguments makes no new item of the answer",
  ],
  "17: hostile and damaged disks": [
    "unit/disk/table/gpt.test.ts: hostile headers, with good CRCs",
    "unit/disk/fs/ext4/hostile.test.ts: hostile images",
    "unit/disk/fs/xfs/hostile.test.ts: mutations of all structures, sealed again",
    "unit/disk/fs/btrfs/hostile.test.ts: mutations of all structures",
    "unit/disk/fs/fat/hostile.test.ts: hostile volumes",
    "unit/disk/fs/iso9660/hostile.test.ts: a CE that leads to itself",
    "unit/boot/loader/grub2/hostile.test.ts: 100,000 nested submenus",
    "unit/boot/initramfs/cpio.test.ts: a million empty names end in a limit",
    "unit/boot/initramfs/read-initramfs.test.ts: bombs stop at the limit",
    "unit/host/local.test.ts: a file that shrinks under the reader",
    "real/pygrub/hostile.test.ts: nothing is left behind",
    "real/fuzz.test.ts: fuzz",
  ],
};

describe("hard case", () => {
  test.each(Object.entries(INDEX))("%s", (_, places) => {
    for (const place of places) {
      const [file = "", words = ""] = place.split(": ");
      expect(readFileSync(join(import.meta.dirname, "..", file), "utf8"), place).toContain(words);
    }
  });
});

/** Debian 12's kernel 6.1 with an initramfs of 39 MB, 138 MB unpacked; Xen's builder is asked in test/real/xen. */
function bookworm(memory: number, inflatesRamdisk: boolean): GuestFacts {
  const size = 39_124_845;
  return guestWith({
    config: { memory, maxmem: memory },
    host: { inflatesRamdisk },
    kernel: {
      version: "6.1.0-50-amd64",
      segments: [
        { ...goodKernel().segments[0]!, paddr: 0x1000000n, memsz: 77_594_624 - 16_777_216 },
      ],
    },
    initramfs: { sizeBytes: size, unpackedBytes: 138_387_456 },
    segment: { ...goodSegment(), compressedBytes: size, cpioBytes: 138_387_456 },
  });
}

test.each([
  [208, "up to Xen 4.19", true, true],
  [209, "up to Xen 4.19", true, false],
  [113, "from Xen 4.20 on", false, true],
  [114, "from Xen 4.20 on", false, false],
])("14: %i MiB %s", (memory, _, inflates, refused) => {
  const said = memoryTooSmall.check(bookworm(memory, inflates)).map(({ what }) => what);
  expect(said.some((what) => what.includes("Xen cannot build it"))).toBe(refused);
});

const volume = (change: Partial<VolumeFacts>): VolumeFacts => ({ ...goodVolume(), ...change });
const VOLUMES = [
  volume({}),
  volume({
    where: ["vg-new/root"],
    device: "/dev/mapper/vg--new-root",
    aliases: ["/dev/vg-new/root"],
    uuid: "11111111-2222-4333-8444-555555555555",
    label: "other",
    partuuid: "",
  }),
];

function rooted(args: string, fstab?: string): GuestFacts {
  const { disks } = guestWith({});
  const device = (text: string) => findRoot(parseRoot(text)!, VOLUMES, true);
  const rootFiles = {
    where: ["xvda"],
    tlsLibc: false,
    xenLibc: false,
    ...(fstab !== undefined && {
      fstabRoot: { where: ["fstab"], device: device(`root=${fstab}`) },
    }),
  };
  return guestWith({
    boot: { args, root: device(args) },
    guest: { disks: [{ ...disks[0]!, volumes: VOLUMES }], rootFiles },
  });
}

describe("15: a root that is not there, or another one", () => {
  test.each([
    "root=UUID=99999999-0000-4000-8000-000000000000",
    "root=LABEL=nosuch",
    "root=PARTUUID=8f2e1c3a-02",
    "root=/dev/xvda7",
    "root=/dev/mapper/vg--old-root",
    "root=/dev/vg-old/root",
  ])("root= names nothing: %s", (args) => {
    expect(rootNotFound.check(rooted(args)).map(({ severity }) => severity)).toEqual(["error"]);
  });

  test.each(["root=LABEL=root", "root=PARTUUID=8F2E1C3A-01", "root=/dev/vg-new/root"])(
    "%s is there",
    (args) => expect(rootNotFound.check(rooted(args))).toEqual([]),
  );

  test("/dev/sda1 where the guest's disk is xvda", () => {
    expect(rootDeviceName.check(rooted("root=/dev/sda1"))).toHaveLength(1);
  });

  test("fstab disagrees; the same filesystem by another name does not", () => {
    expect(rootFstab.check(rooted("root=LABEL=root", "/dev/vg-new/root"))).toHaveLength(1);
    expect(rootFstab.check(rooted("root=LABEL=root", "UUID=99999999-0"))).toHaveLength(1);
    expect(rootFstab.check(rooted("root=LABEL=root", "PARTUUID=8f2e1c3a-01"))).toEqual([]);
  });
});

test.each([
  [1023, []],
  [1024, ["error"]],
  [2100, ["error"]],
])("16: a command line of %i bytes whose root= comes last", (length, severities) => {
  const end = " root=LABEL=root";
  const args = "x".repeat(length - end.length) + end;
  const found = commandLineTooLong.check(guestWith({ boot: { args } }));
  expect(found.map(({ severity }) => severity)).toEqual(severities);
});
