import { bootFileUnreadable } from "../../../../src/check/rules/boot-file-unreadable.ts";
import { commandLineTooLong } from "../../../../src/check/rules/command-line-too-long.ts";
import { consoleMissing } from "../../../../src/check/rules/console-missing.ts";
import { kernelDamaged } from "../../../../src/check/rules/kernel-damaged.ts";
import { kernelMissing } from "../../../../src/check/rules/kernel-missing.ts";
import { kernelNotLinux } from "../../../../src/check/rules/kernel-not-linux.ts";
import { kernelNotPv } from "../../../../src/check/rules/kernel-not-pv.ts";
import { kernelNotPvh } from "../../../../src/check/rules/kernel-not-pvh.ts";
import { kernelPacking } from "../../../../src/check/rules/kernel-packing.ts";
import { kernelWidth } from "../../../../src/check/rules/kernel-width.ts";
import { memoryTooSmall } from "../../../../src/check/rules/memory-too-small.ts";
import { ramdiskMissing } from "../../../../src/check/rules/ramdisk-missing.ts";
import type { Failure } from "../../../../src/base/failure.ts";
import { goodKernel, guestWith, KERNEL_PATH, ROOT_UUID } from "../../../support/facts.ts";
import { testRule } from "../../../support/rule-tests.ts";

const corrupt: Failure = {
  kind: "corrupt",
  where: [KERNEL_PATH, "payload"],
  found: "the end of the file",
  expected: "4480000 bytes",
};
const limit: Failure = {
  kind: "limit",
  where: [KERNEL_PATH],
  what: "the unpacked size",
  limit: "512 MiB",
};
const direct = { boot: { loader: "direct" }, config: { bootloader: undefined } } as const;

testRule(kernelMissing, {
  fires: {
    "in the guest": [
      guestWith({
        kernelFile: { state: "missing", alternatives: ["/boot/vmlinuz-linux-lts", KERNEL_PATH] },
        boot: { kernel: undefined },
      }),
      "error",
    ],
    "in dom0": [
      guestWith({
        ...direct,
        kernelFile: { state: "missing", path: "/boot/vmlinuz-6.1", where: ["/boot/vmlinuz-6.1"] },
      }),
      "error",
    ],
    "in an HVM guest": [
      guestWith({ kernelFile: { state: "missing" }, config: { type: "hvm" } }),
      "error",
    ],
    ...Object.fromEntries(
      (["grub-legacy", "extlinux", "systemd-boot", "links"] as const).map((loader) => [
        `in an HVM guest with ${loader}`,
        [
          guestWith({
            kernelFile: { state: "missing" },
            config: { type: "hvm" },
            boot: { loader },
          }),
          "error",
        ],
      ]),
    ),
    "another bootloader": [
      guestWith({ kernelFile: { state: "missing" }, config: { bootloader: "/opt/fetch" } }),
      "error",
    ],
  },
});

testRule(ramdiskMissing, {
  fires: {
    "in the guest": [guestWith({ ramdiskFile: { state: "missing" } }), "error"],
    "in an HVM guest": [
      guestWith({ ramdiskFile: { state: "missing" }, config: { type: "hvm" } }),
      "error",
    ],
    "in an HVM guest with extlinux": [
      guestWith({
        ramdiskFile: { state: "missing" },
        config: { type: "hvm" },
        boot: { loader: "extlinux" },
      }),
      "error",
    ],
    "many alternatives": [
      guestWith({
        ramdiskFile: {
          state: "missing",
          alternatives: Array.from({ length: 20 }, (_, i) => `/boot/initrd.img-6.1.0-${i}`),
        },
      }),
      "error",
    ],
  },
});

testRule(bootFileUnreadable, {
  fires: {
    "a damaged filesystem": [
      guestWith({ kernelFile: { state: "unreadable", failure: corrupt } }),
      "warning?",
    ],
    "no reason": [guestWith({ ramdiskFile: { state: "unreadable" } }), "warning?"],
    "a kernel beyond the limit": [guestWith({ kernel: { failure: limit } }), "warning?"],
    "an initramfs beyond the limit": [guestWith({ segment: { failure: limit } }), "warning?"],
  },
  silent: {
    "damage inside the file": guestWith({ kernel: { failure: corrupt } }),
    "an unknown packing, which kernel-packing tells": guestWith({
      kernel: { packing: "unknown", failure: { kind: "unsupported", where: [], feature: "x" } },
    }),
  },
});

testRule(kernelDamaged, {
  fires: {
    empty: [
      guestWith({ kernel: { sizeBytes: 0, format: "unknown", packing: "unknown" } }),
      "error",
    ],
    "no kernel": [
      guestWith({
        kernel: {
          format: "unknown",
          packing: "unknown",
          failure: {
            kind: "corrupt",
            where: [KERNEL_PATH],
            found: "neither bzImage nor ELF",
            expected: "a Linux kernel",
          },
        },
      }),
      "error",
    ],
    "too old": [guestWith({ kernel: { bootProtocol: 0x207 } }), "error"],
    "cut off": [guestWith({ kernel: { failure: corrupt } }), "error"],
    "cut off, in dom0": [guestWith({ ...direct, kernel: { failure: corrupt } }), "error"],
    "cut off, HVM": [guestWith({ kernel: { failure: corrupt }, config: { type: "hvm" } }), "error"],
  },
  silent: {
    "old protocol, but HVM": guestWith({
      kernel: { bootProtocol: 0x207 },
      config: { type: "hvm" },
    }),
    "a limit of domus": guestWith({ kernel: { failure: limit } }),
    "the oldest protocol that Xen takes": guestWith({ kernel: { bootProtocol: 0x208 } }),
  },
});

const lz4 = (fix: "fixed" | "maybe" | "broken") =>
  guestWith({ kernel: { packing: "lz4" }, host: { lz4: fix } });

/** An xz kernel with a dictionary of so many MiB, on a Xen with these limits. */
const dictionary = (mib: number, takenBelow: number, refusedFrom: number) =>
  guestWith({
    kernel: { packing: "xz", version: "6.12.9-amd64", dictionaryBytes: mib << 20 },
    host: {
      dictionary: { takenBelowBytes: takenBelow << 20, refusedFromBytes: refusedFrom << 20 },
    },
  });

testRule(kernelPacking, {
  fires: {
    "zstd under Xen 4.14": [
      guestWith({ kernel: { packing: "zstd", version: "6.12.9-amd64" } }),
      "error",
    ],
    "zstd, the kernel in dom0": [guestWith({ ...direct, kernel: { packing: "zstd" } }), "error"],
    "lzo without its library": [
      guestWith({
        kernel: { packing: "lzo" },
        host: {
          uncertainPackings: [],
          kernelPackingsBecause: "libxenguest of Xen 4.14 is linked with liblzma",
        },
      }),
      "error",
    ],
    "bzip2, if it was built with it": [guestWith({ kernel: { packing: "bzip2" } }), "warning?"],
    "the lz4 frame format": [guestWith({ kernel: { packing: "lz4-frame" } }), "error"],
    "an unknown packing": [guestWith({ kernel: { packing: "unknown" } }), "error"],
    "lz4 under a Xen that cannot": [lz4("broken"), "error"],
    "lz4 under a Xen that may have the fix": [lz4("maybe"), "warning?"],
    "xz with a large dictionary": [dictionary(128, 128, 128), "error"],
    "xz with a large dictionary under a Xen that may take it": [
      dictionary(128, 128, 256),
      "warning?",
    ],
    "xz with a dictionary that no Xen takes": [dictionary(256, 256, 256), "error"],
  },
  silent: {
    "lz4 with the fix": lz4("fixed"),
    "xz with the dictionary of Linux before 6.12": dictionary(32, 128, 128),
    "an ELF": guestWith({ kernel: { packing: "none", format: "elf" } }),
    "HVM: GRUB loads it": guestWith({ kernel: { packing: "zstd" }, config: { type: "hvm" } }),
    "no kernel at all": guestWith({ kernel: { packing: "unknown", format: "unknown" } }),
  },
});

testRule(kernelNotPv, {
  fires: {
    "a 32-bit kernel without ENTRY": [
      guestWith({
        kernel: {
          pv: false,
          bits: 32,
          version: "5.10.0-23-686-pae",
          pvRefusal: {
            reason: "entry",
            detail: "it has no ENTRY note, and its ELF entry 0x1000000 lies outside the image",
          },
        },
      }),
      "error",
    ],
    "no notes": [
      guestWith({
        kernel: {
          pv: false,
          pvh: false,
          pvRefusal: {
            reason: "no-notes",
            detail: "it has no Xen ELF notes: it was built without Xen PV guest support",
          },
        },
      }),
      "error",
    ],
    "32 bits, no notes": [guestWith({ kernel: { pv: false, pvh: false, bits: 32 } }), "error"],
    "a UKI": [
      guestWith({
        kernel: {
          pv: false,
          pvh: false,
          format: "pe",
          pvRefusal: { reason: "format", detail: "it is an EFI program" },
        },
      }),
      "error",
    ],
    "in the shim": [
      guestWith({
        config: { type: "pvh", pvshim: true },
        kernel: { pv: false, pvRefusal: { reason: "loader", detail: 'LOADER is "x"' } },
      }),
      "error",
    ],
  },
  silent: {
    "a PVH guest": guestWith({ config: { type: "pvh" }, kernel: { pv: false } }),
    "an HVM guest": guestWith({ config: { type: "hvm" }, kernel: { pv: false } }),
    "a kernel that was not read": guestWith({
      kernel: { pv: false, failure: corrupt, pvRefusal: { reason: "format", detail: "no ELF" } },
    }),
  },
});

testRule(kernelNotPvh, {
  fires: {
    "an old kernel": [
      guestWith({
        config: { type: "pvh" },
        kernel: {
          pvh: false,
          version: "4.9.0-19-amd64",
          pvhRefusal: {
            reason: "no-phys32-entry",
            detail: "it has no PHYS32_ENTRY note: it was built without PVH guest support",
          },
        },
      }),
      "error",
    ],
    "no notes": [
      guestWith({ config: { type: "pvh" }, kernel: { pv: false, pvh: false } }),
      "error",
    ],
    "a Xen that refuses it yet": [
      guestWith({
        config: { type: "pvh" },
        kernel: {
          pv: false,
          pvhSince: {
            xen: "4.16",
            refusal: {
              reason: "entry",
              detail: "it has no ENTRY note, and its ELF entry 0x1000000 lies outside the image",
            },
          },
        },
      }),
      "error",
    ],
  },
  silent: {
    "the PV shim": guestWith({ config: { type: "pvh", pvshim: true }, kernel: { pvh: false } }),
    "a Xen that is new enough": guestWith({
      config: { type: "pvh" },
      host: { version: { major: 4, minor: 17, extra: "" } },
      kernel: { pvhSince: { xen: "4.16", refusal: { reason: "entry", detail: "x" } } },
    }),
  },
});

testRule(kernelWidth, {
  fires: {
    "32-bit PV": [guestWith({ kernel: { bits: 32 } }), "error"],
    "32-bit PV, assumed": [
      guestWith({ kernel: { bits: 32, pvh: false }, host: { source: "assumed" } }),
      "error",
    ],
    "no 64-bit PV": [guestWith({ host: { caps: ["hvm-3.0-x86_32"] } }), "error"],
    "PVH without VT-x": [
      guestWith({ config: { type: "pvh" }, host: { caps: ["xen-3.0-x86_64"] } }),
      "error",
    ],
    "HVM without VT-x": [
      guestWith({ config: { type: "hvm" }, host: { caps: ["xen-3.0-x86_64"] } }),
      "error",
    ],
  },
  silent: {
    "32-bit PV where it is": guestWith({
      kernel: { bits: 32 },
      host: { caps: ["xen-3.0-x86_64", "xen-3.0-x86_32p"] },
    }),
    "unknown caps": guestWith({ host: { caps: [] } }),
    "unknown width": guestWith({ kernel: { bits: undefined } }),
  },
});

testRule(kernelNotLinux, {
  fires: {
    pvgrub: [
      guestWith({
        ...direct,
        kernel: {
          path: "/usr/lib/grub-xen/grub-x86_64-xen.bin",
          xen: { guestOs: "GRUB", legacySection: false },
        },
      }),
      "note?",
    ],
    NetBSD: [guestWith({ kernel: { xen: { guestOs: "NetBSD", legacySection: false } } }), "note?"],
  },
  silent: { "no note": guestWith({ kernel: { xen: { legacySection: true } } }) },
});

// Debian 12's initramfs of 39 MB, 138 MB unpacked, and its kernel: the real builder says 208 MiB are too few, 209 do.
const bookworm = (memory: number, inflatesRamdisk = true) =>
  guestWith({
    config: { memory },
    host: { inflatesRamdisk },
    kernel: {
      version: "6.1.0-50-amd64",
      segments: [{ ...goodKernel().segments[0]!, paddr: 0x1000000n, memsz: 0x3a3e000 }],
    },
    initramfs: { sizeBytes: 39_124_845, unpackedBytes: 138_387_456 },
    segment: { compressedBytes: 39_124_845, cpioBytes: 138_387_456 },
  });

testRule(memoryTooSmall, {
  fires: {
    "the builder": [bookworm(160), "error"],
    "unpacking, for certain": [bookworm(190, false), "error"],
    "unpacking, barely": [bookworm(215, false), "warning"],
    "a tmpfs of half the memory": [
      guestWith({
        config: { memory: 300 },
        host: { inflatesRamdisk: false },
        boot: { root: undefined },
        initramfs: { unpackedBytes: 170_000_000 },
      }),
      "warning",
    ],
    "an initramfs beyond all bounds": [
      guestWith({ initramfs: { sizeBytes: 2 ** 31 }, segment: { compression: "zstd" } }),
      "error",
    ],
    PVH: [guestWith({ config: { type: "pvh", memory: 30, maxmem: 30 } }), "error"],
    "PVH that may have more later is built, and has too little to unpack": [
      guestWith({ config: { type: "pvh", memory: 30, maxmem: 512 } }),
      "error",
    ],
  },
  silent: {
    "the builder, with enough": bookworm(512),
    "an HVM guest with little, but enough": guestWith({ config: { type: "hvm", memory: 96 } }),
    "a kernel that was not read": guestWith({
      config: { memory: 16 },
      kernel: { segments: [], bits: undefined },
      initramfs: { unpackedBytes: 0, sizeBytes: 0 },
    }),
  },
});

const root = `root=UUID=${ROOT_UUID}`;
const long = Array.from({ length: 110 }, (_, i) => `word${i}=${i}`).join(" ");

testRule(commandLineTooLong, {
  fires: {
    "root= is cut off": [guestWith({ boot: { args: `${long} ${root}` } }), "error"],
    "what is lost does not matter": [
      guestWith({ boot: { args: `${root} ${long} quiet` } }),
      "warning",
    ],
    "the kernel's own limit": [
      guestWith({ config: { type: "hvm" }, boot: { args: `${root} ${long} ${long}` } }),
      "warning",
    ],
  },
  silent: {
    "PVH has no 1024": guestWith({
      config: { type: "pvh" },
      boot: { args: `${root} ${long} quiet` },
    }),
    "1023 bytes": guestWith({ boot: { args: "x".repeat(1023) } }),
  },
});

testRule(consoleMissing, {
  fires: {
    "ttyS0 in a PV guest": [
      guestWith({ boot: { args: `${root} console=tty0 console=ttyS0,115200` } }),
      "warning",
    ],
    "none in a PVH guest": [
      guestWith({ config: { type: "pvh" }, boot: { args: root } }),
      "warning",
    ],
    "tty1 only": [guestWith({ boot: { args: `${root} console=tty1` } }), "warning"],
  },
  silent: {
    "none in a PV guest: the kernel takes hvc0": guestWith({ boot: { args: root } }),
    "hvc0 with options": guestWith({ boot: { args: `${root} console=hvc0,115200` } }),
    HVM: guestWith({ config: { type: "hvm" }, boot: { args: root } }),
    "a kernel of the Xen 3 days": guestWith({
      kernel: { version: "2.6.18-6-xen-686" },
      boot: { args: "console=tty1" },
    }),
  },
});
