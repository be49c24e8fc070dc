import type { Failure } from "../../../../src/base/failure.ts";
import { MIB } from "../../../../src/base/units.ts";
import type { Compression } from "../../../../src/bytes/decompress/format.ts";
import { initramfsCompression } from "../../../../src/check/rules/initramfs-compression.ts";
import { initramfsCpio } from "../../../../src/check/rules/initramfs-cpio.ts";
import { initramfsGzipMembers } from "../../../../src/check/rules/initramfs-gzip-members.ts";
import { initramfsJunk } from "../../../../src/check/rules/initramfs-junk.ts";
import { initramfsLz4Frame } from "../../../../src/check/rules/initramfs-lz4-frame.ts";
import { initramfsMissing } from "../../../../src/check/rules/initramfs-missing.ts";
import { initramfsNoBlkfront } from "../../../../src/check/rules/initramfs-no-blkfront.ts";
import { initramfsNoInit } from "../../../../src/check/rules/initramfs-no-init.ts";
import { initramfsNoLvm } from "../../../../src/check/rules/initramfs-no-lvm.ts";
import { initramfsNoMdadm } from "../../../../src/check/rules/initramfs-no-mdadm.ts";
import { initramfsNoRootFs } from "../../../../src/check/rules/initramfs-no-root-fs.ts";
import { initramfsTruncated } from "../../../../src/check/rules/initramfs-truncated.ts";
import { initramfsVersion } from "../../../../src/check/rules/initramfs-version.ts";
import { initramfsXzCheck } from "../../../../src/check/rules/initramfs-xz-check.ts";
import { initramfsZstdWindow } from "../../../../src/check/rules/initramfs-zstd-window.ts";
import { kernelNoInitramfs } from "../../../../src/check/rules/kernel-no-initramfs.ts";
import {
  goodFile,
  goodKernel,
  goodSegment,
  guestWith,
  IMAGE_PATH,
  VERSION,
} from "../../../support/facts.ts";
import { testRule } from "../../../support/rule-tests.ts";

const corrupt: Failure = {
  kind: "corrupt",
  where: [IMAGE_PATH],
  found: "the end of the data",
  expected: "more of it",
};
const limit: Failure = {
  kind: "limit",
  where: [IMAGE_PATH],
  what: "the unpacked size",
  limit: "1 GiB",
};

/** Both drivers built in, and a root= that the kernel understands: it needs no initramfs. */
const selfSufficient = {
  config: new Map([
    ["CONFIG_XEN_BLKDEV_FRONTEND", "y"],
    ["CONFIG_EXT4_FS", "y"],
  ]),
};
const byDevice = { spec: { kind: "path", value: "/dev/xvda1", text: "/dev/xvda1" } } as const;
const early = {
  ...goodSegment(),
  compression: "none",
  early: true,
  compressedBytes: 4096,
  entries: 5,
} as const;
const version = (supported: Compression[], own = VERSION) => ({
  version: own,
  decompressors: { source: "version", supported, notConfigured: [], initramfs: true } as const,
});

const supported = goodKernel().decompressors!.supported;
const notConfigured = {
  version: "5.10.0-30-amd64",
  decompressors: { source: "table", supported: ["gzip"], notConfigured: ["zstd"], initramfs: true },
} as const;

testRule(initramfsCompression, {
  fires: {
    "zstd for a kernel of 2017": [
      guestWith({ segment: { compression: "zstd" }, initramfs: { initSegment: 0 } }),
      "error",
    ],
    "behind the part with init": [
      guestWith({
        initramfs: {
          segments: [goodSegment(), { ...goodSegment(), compression: "zstd" }],
          initSegment: 0,
        },
      }),
      "warning?",
    ],
    "zstd, made by initramfs-tools": [
      guestWith({ segment: { compression: "zstd" }, initramfs: { generator: "initramfs-tools" } }),
      "error",
    ],
    "zstd, in dom0": [
      guestWith({
        segment: { compression: "zstd" },
        boot: { loader: "direct" },
        config: { bootloader: undefined },
        initramfs: { generator: "dracut" },
      }),
      "error",
    ],
    "not configured": [
      guestWith({
        segment: { compression: "zstd" },
        kernel: notConfigured,
        initramfs: { generator: "unknown" },
      }),
      "error",
    ],
    "behind microcode": [
      guestWith({
        initramfs: {
          segments: [early, { ...goodSegment(), offset: 4096, compression: "zstd" }],
          generator: "booster",
        },
      }),
      "error",
    ],
    "the kernel needs none": [
      guestWith({ segment: { compression: "zstd" }, kernel: selfSufficient, root: byDevice }),
      "warning",
    ],
    "the second gzip part, which Xen does not inflate": [
      guestWith({
        initramfs: { segments: [goodSegment(), { ...goodSegment(), offset: 6_200_000 }] },
        kernel: {
          decompressors: { source: "table", supported: ["xz"], notConfigured: [], initramfs: true },
        },
      }),
      "error",
    ],
    "too old by its version": [
      guestWith({ segment: { compression: "zstd" }, kernel: version(supported as Compression[]) }),
      "error",
    ],
    "new enough by its version": [
      guestWith({ segment: { compression: "zstd" }, kernel: version(["gzip", "zstd"], "5.15.1") }),
      "warning?",
    ],
    "gzip, where Xen leaves it to the kernel": [
      guestWith({
        host: { inflatesRamdisk: false },
        kernel: {
          decompressors: {
            source: "ikconfig",
            supported: ["xz"],
            notConfigured: ["gzip"],
            initramfs: true,
          },
        },
      }),
      "error",
    ],
  },
  silent: {
    "gzip, which Xen inflates": guestWith({
      kernel: {
        decompressors: { source: "table", supported: [], notConfigured: ["gzip"], initramfs: true },
      },
    }),
    xz: guestWith({ segment: { compression: "xz", xzCheck: "crc32" } }),
    "not compressed": guestWith({ segment: { compression: "none" } }),
    "nothing known of the kernel": guestWith({
      segment: { compression: "zstd" },
      kernel: { decompressors: undefined },
    }),
  },
});

testRule(initramfsLz4Frame, {
  fires: { "lz4 without -l": [guestWith({ segment: { compression: "lz4-frame" } }), "error"] },
  silent: { "lz4 -l": guestWith({ segment: { compression: "lz4" } }) },
});

testRule(initramfsXzCheck, {
  fires: {
    crc64: [guestWith({ segment: { compression: "xz", xzCheck: "crc64" } }), "error"],
    unknown: [guestWith({ segment: { compression: "xz", xzCheck: "unknown" } }), "error"],
  },
  silent: {
    none: guestWith({ segment: { compression: "xz", xzCheck: "none" } }),
    crc32: guestWith({ segment: { compression: "xz", xzCheck: "crc32" } }),
  },
});

testRule(initramfsZstdWindow, {
  fires: {
    "--long=31": [
      guestWith({ segment: { compression: "zstd", zstdWindowBytes: 2048 * MIB } }),
      "error",
    ],
    "--long=28, and memory for it": [
      guestWith({ segment: { compression: "zstd", zstdWindowBytes: 256 * MIB } }),
      "error",
    ],
    "--long, and no memory for it": [
      guestWith({
        segment: { compression: "zstd", zstdWindowBytes: 128 * MIB },
        config: { memory: 144 },
      }),
      "error",
    ],
  },
  silent: {
    "a small window in a small guest": guestWith({
      segment: { compression: "zstd", zstdWindowBytes: 8 * MIB },
      config: { memory: 64 },
    }),
    "128 MiB": guestWith({ segment: { compression: "zstd", zstdWindowBytes: 128 * MIB } }),
  },
});

testRule(initramfsCpio, {
  fires: {
    odc: [guestWith({ segment: { cpio: "odc" } }), "error"],
    bin: [guestWith({ segment: { cpio: "bin", compression: "none" } }), "error"],
    "bin in a gzip, which Xen inflates": [guestWith({ segment: { cpio: "bin" } }), "error"],
    "bin in a gzip, which the kernel inflates": [
      guestWith({ segment: { cpio: "bin" }, host: { inflatesRamdisk: false } }),
      "error",
    ],
    crc: [guestWith({ segment: { cpio: "crc" } }), "error"],
    "a tar in a gzip": [guestWith({ segment: { cpio: "not-cpio", failure: corrupt } }), "error"],
    "odc, and the kernel needs none": [
      guestWith({ segment: { cpio: "odc" }, kernel: selfSufficient, root: byDevice }),
      "warning",
    ],
  },
  silent: {
    "crc for a newer kernel": guestWith({ segment: { cpio: "crc" }, kernel: { version: "6.1.0" } }),
    "a stream that is damaged from its start": guestWith({
      segment: { cpio: "not-cpio", cpioBytes: 0, failure: corrupt },
    }),
  },
});

testRule(initramfsTruncated, {
  fires: {
    gzip: [guestWith({ segment: { failure: corrupt }, initramfs: { failure: corrupt } }), "error"],
    zstd: [
      guestWith({
        segment: { compression: "zstd", failure: corrupt },
        initramfs: { failure: corrupt },
        kernel: { version: "6.1.0" },
      }),
      "error",
    ],
    "empty, and the kernel needs none, but Xen takes no empty file": [
      guestWith({
        initramfs: { segments: [], sizeBytes: 0 },
        kernel: selfSufficient,
        root: byDevice,
      }),
      "error",
    ],
    "the kernel needs none": [
      guestWith({
        segment: { failure: corrupt },
        initramfs: { failure: corrupt },
        kernel: selfSufficient,
        root: byDevice,
      }),
      "warning",
    ],
    "a plain archive, which the kernel takes as it is": [
      guestWith({ segment: { compression: "none", failure: corrupt } }),
      "warning?",
    ],
    "behind the part with init": [
      guestWith({
        initramfs: {
          segments: [goodSegment(), { ...goodSegment(), compression: "zstd", failure: corrupt }],
          initSegment: 0,
          failure: corrupt,
        },
      }),
      "warning?",
    ],
    "the part with init": [
      guestWith({
        initramfs: {
          segments: [early, { ...goodSegment(), failure: corrupt }],
          failure: corrupt,
        },
      }),
      "error",
    ],
    empty: [guestWith({ initramfs: { segments: [], sizeBytes: 0 } }), "error"],
  },
  silent: {
    "a limit of domus": guestWith({ segment: { failure: limit } }),
    "xz with crc64": guestWith({
      segment: { compression: "xz", xzCheck: "crc64", failure: corrupt },
      initramfs: { failure: corrupt },
    }),
    odc: guestWith({ segment: { cpio: "odc", failure: corrupt }, initramfs: { failure: corrupt } }),
    "a zstd window beyond bounds": guestWith({
      segment: { compression: "zstd", zstdWindowBytes: 2048 * MIB, failure: corrupt },
      initramfs: { failure: corrupt },
    }),
    "junk from the start": guestWith({ initramfs: { segments: [], junkAt: 0, failure: corrupt } }),
  },
});

testRule(initramfsJunk, {
  fires: {
    "at the end": [guestWith({ initramfs: { junkAt: 6_199_000 } }), "warning"],
    "from the start": [
      guestWith({ initramfs: { segments: [], junkAt: 0, failure: corrupt } }),
      "error",
    ],
    "behind microcode": [guestWith({ initramfs: { segments: [early], junkAt: 4096 } }), "error"],
  },
});

const two = (first: number, second: number) => ({
  segments: [
    { ...goodSegment(), entries: first },
    { ...goodSegment(), offset: 6_200_000, entries: second },
  ],
});

testRule(initramfsGzipMembers, {
  fires: {
    "the large part is lost": [guestWith({ initramfs: two(3, 420) }), "error"],
    "a small part is lost": [guestWith({ initramfs: two(420, 3) }), "warning?"],
  },
  silent: {
    "Xen 4.20 leaves it to the kernel": guestWith({
      initramfs: two(3, 420),
      host: { inflatesRamdisk: false },
    }),
    "HVM: GRUB loads it": guestWith({ initramfs: two(3, 420), config: { type: "hvm" } }),
    "microcode first: Xen inflates nothing": guestWith({
      initramfs: { segments: [early, { ...goodSegment(), offset: 4096 }] },
    }),
  },
});

testRule(kernelNoInitramfs, {
  fires: {
    "a kernel that needs one": [
      guestWith({
        kernel: {
          decompressors: { source: "config", supported: [], notConfigured: [], initramfs: false },
        },
      }),
      "error",
    ],
    "a kernel that needs none": [
      guestWith({
        kernel: {
          ...selfSufficient,
          decompressors: { source: "config", supported: [], notConfigured: [], initramfs: false },
        },
        root: byDevice,
      }),
      "warning",
    ],
  },
});

const lvm = {
  spec: { kind: "path", value: "/dev/mapper/vg0-root", text: "/dev/vg0/root" },
} as const;
const none = { files: [goodFile("kernel")], initramfs: [] } as const;

testRule(initramfsMissing, {
  fires: {
    "a UUID": [
      guestWith({ boot: { ...none, kernel: { ...goodKernel(), ...selfSufficient } } }),
      "error",
    ],
    "blkfront is a module": [
      guestWith({
        boot: {
          ...none,
          kernel: { ...goodKernel(), config: new Map([["CONFIG_XEN_BLKDEV_FRONTEND", "m"]]) },
          root: { ...byDevice, format: "ext4", complete: true },
          loader: "direct",
        },
      }),
      "error",
    ],
    "a logical volume": [
      guestWith({ boot: { ...none, root: { ...lvm, format: "ext4", complete: true } } }),
      "error",
    ],
    "nothing is known": [
      guestWith({ boot: { ...none, root: { ...byDevice, format: "ext4", complete: true } } }),
      "warning?",
    ],
  },
  silent: {
    "all is built in": guestWith({
      boot: {
        ...none,
        kernel: { ...goodKernel(), ...selfSufficient },
        root: { ...byDevice, format: "ext4", complete: true },
      },
    }),
    "one is built into the kernel": guestWith({
      boot: {
        ...none,
        kernel: { ...goodKernel(), config: new Map([["CONFIG_INITRAMFS_SOURCE", "/root/tree"]]) },
      },
    }),
  },
});

testRule(initramfsNoInit, {
  fires: {
    "no /init": [guestWith({ initramfs: { init: false } }), "error"],
    "microcode only": [guestWith({ initramfs: { init: false, segments: [early] } }), "error"],
  },
  silent: {
    rdinit: guestWith({ initramfs: { init: false }, boot: { args: "rdinit=/bin/sh" } }),
    "a damaged image": guestWith({ initramfs: { init: false, failure: corrupt } }),
    "a kernel that needs none": guestWith({
      initramfs: { init: false },
      kernel: selfSufficient,
      root: byDevice,
    }),
  },
});

const other = {
  moduleVersions: ["4.11.6-1-ARCH"],
  modules: new Map([
    ["4.11.6-1-ARCH", { loadable: new Set(["xen_blkfront"]), builtin: new Set<string>() }],
  ]),
};

testRule(initramfsVersion, {
  fires: {
    "another version": [guestWith({ initramfs: other }), "error"],
    "drivers built in": [guestWith({ initramfs: other, kernel: selfSufficient }), "warning"],
    HVM: [guestWith({ initramfs: other, config: { type: "hvm" } }), "warning"],
  },
  silent: {
    "no modules at all": guestWith({ initramfs: { moduleVersions: [], modules: new Map() } }),
    "kernel version unknown": guestWith({ initramfs: other, kernel: { version: undefined } }),
    "two versions, one is right": guestWith({
      initramfs: { moduleVersions: ["4.11.6-1-ARCH", VERSION] },
    }),
  },
});

const modules = (loadable: string[], builtin: string[], more = {}) => ({
  modules: new Map([
    [VERSION, { loadable: new Set(loadable), builtin: new Set(builtin), ...more }],
  ]),
});

testRule(initramfsNoBlkfront, {
  fires: {
    "made on other hardware": [
      guestWith({ initramfs: modules(["virtio_blk", "ext4"], ["hvc_xen"]) }),
      "error",
    ],
    "the file is there, but modprobe does not find it": [
      guestWith({
        initramfs: modules(["xen_blkfront"], ["hvc_xen"], { listed: new Set(["ext4"]) }),
      }),
      "error",
    ],
    HVM: [
      guestWith({ initramfs: modules(["ahci"], ["hvc_xen"]), config: { type: "hvm" } }),
      "warning",
    ],
    "nobody says what is built in": [
      guestWith({ initramfs: { ...modules(["virtio_blk"], []), generator: "initramfs-tools" } }),
      "warning?",
    ],
    "a configuration without Xen": [
      guestWith({
        initramfs: modules([], []),
        kernel: { config: new Map([["CONFIG_64BIT", "y"]]) },
      }),
      "error",
    ],
  },
  silent: {
    "built in": guestWith({ initramfs: modules(["ext4"], ["xen_blkfront"]) }),
    "built in, by the configuration": guestWith({
      initramfs: modules([], []),
      kernel: selfSufficient,
    }),
    "modules of another version": guestWith({ initramfs: other }),
    "an image that was not read to its end": guestWith({
      initramfs: modules([], ["x"]),
      segment: { failure: limit },
    }),
    "a root in the network": guestWith({
      initramfs: modules([], ["x"]),
      root: { spec: { kind: "nfs", value: "/dev/nfs", text: "/dev/nfs" } },
    }),
  },
});

testRule(initramfsNoRootFs, {
  fires: {
    "no ext4": [guestWith({ initramfs: modules(["xen_blkfront"], ["hvc_xen"]) }), "error"],
    "xfs, and dracut": [
      guestWith({
        initramfs: { ...modules(["xen_blkfront", "ext4"], ["hvc_xen"]), generator: "dracut" },
        root: { format: "xfs" },
      }),
      "error",
    ],
    "ext4 without crc32c": [
      guestWith({ initramfs: modules(["ext4", "jbd2"], ["hvc_xen"]) }),
      "warning?",
    ],
  },
  silent: {
    "ext3 by ext4's driver": guestWith({ root: { format: "ext3" } }),
    "crc32c built in": guestWith({
      initramfs: modules(["ext4"], []),
      kernel: { config: new Map([["CONFIG_CRYPTO_CRC32C", "y"]]) },
    }),
    "a kernel that has crc32c as a library": guestWith({
      kernel: { version: "6.14.0" },
      initramfs: {
        modules: new Map([["6.14.0", { loadable: new Set(["ext4"]), builtin: new Set(["x"]) }]]),
      },
    }),
    "an unknown filesystem": guestWith({ initramfs: modules([], ["x"]), root: { format: "zfs" } }),
  },
});

testRule(initramfsNoLvm, {
  fires: {
    "no tools": [guestWith({ root: lvm }), "error"],
    "no tools, initramfs-tools": [
      guestWith({ root: lvm, initramfs: { generator: "initramfs-tools" } }),
      "error",
    ],
    "found by its UUID, tools for encryption only": [
      guestWith({
        volume: { device: "/dev/mapper/vg0-root", where: ["vg0/root"] },
        root: { where: ["vg0/root"] },
        initramfs: { tools: { lvm: false, cryptsetup: true, mdadm: false, btrfs: false } },
      }),
      "error",
    ],
  },
  silent: {
    "with tools": guestWith({
      root: lvm,
      initramfs: { tools: { lvm: true, cryptsetup: false, mdadm: false, btrfs: false } },
    }),
    "an encrypted volume": guestWith({
      root: {
        spec: { kind: "path", value: "/dev/mapper/luks-1234", text: "/dev/mapper/luks-1234" },
      },
    }),
    "a partition": guestWith({ root: byDevice }),
  },
});

const onArray = { volume: { device: "md0", where: ["md0"] }, root: { where: ["md0"] } };

testRule(initramfsNoMdadm, {
  fires: {
    "a mirror": [guestWith(onArray), "warning?"],
    "a mirror with a name, dracut": [
      guestWith({
        volume: { device: "md/root", where: ["md/root"] },
        root: { where: ["md/root"] },
        initramfs: { generator: "dracut" },
      }),
      "warning?",
    ],
  },
  silent: {
    "with mdadm": guestWith({
      ...onArray,
      initramfs: { tools: { lvm: false, cryptsetup: false, mdadm: true, btrfs: false } },
    }),
    "a disk with a name like that": guestWith({
      volume: { device: "mdx", where: ["mdx"] },
      root: { where: ["mdx"] },
    }),
  },
});
