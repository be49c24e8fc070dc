/** Guest facts of any shape that the types allow: fields there or not, numbers and texts that nobody expects. */
import * as fc from "fast-check";
import type { Failure } from "../../src/base/failure.ts";
import type { InitramfsFacts } from "../../src/boot/initramfs/initramfs-facts.ts";
import type { GuestFacts, PlannedBoot } from "../../src/check/facts.ts";
import {
  bareGuest,
  changed,
  goodConfig,
  goodGuest,
  goodHost,
  goodInitramfs,
  goodKernel,
  goodSegment,
  goodVolume,
} from "./facts.ts";
import { goodDisk, goodDiskSpec, goodFile, goodRoot } from "./facts.ts";

/** The field as it is, one of the other values, or, when it is optional, not there. */
type Options = Readonly<Record<string, readonly unknown[]>>;

function vary<T extends object>(base: T, options: Options): fc.Arbitrary<T> {
  const fields = Object.entries(options).map(([key, values]) => {
    const kept = (base as Record<string, unknown>)[key];
    return [
      key,
      fc.oneof(fc.constant(kept), ...values.map((value) => fc.constant(value))),
    ] as const;
  });
  return fc.record(Object.fromEntries(fields)).map((change) => changed(base, change as never));
}

const odd = ["", "\u001b[2J", "../..", "constructor", "x".repeat(5000), "root=", "a'b $(c)"];
const numbers = [0, 1, -1, 2 ** 31, Number.MAX_SAFE_INTEGER];

const failure = fc.constantFrom<Failure | undefined>(
  undefined,
  { kind: "io", where: [], op: "read", errno: "EIO" },
  { kind: "corrupt", where: ["a"], found: "b", expected: "c" },
  { kind: "unsupported", where: ["a"], feature: "f" },
  { kind: "missing", where: ["a"], what: "w" },
  { kind: "limit", where: ["a"], what: "w", limit: "1" },
);

const withFailure = <T extends { readonly failure?: Failure }>(base: fc.Arbitrary<T>) =>
  fc.tuple(base, failure).map(([value, why]) => changed(value, { failure: why } as never));

const segment = withFailure(
  vary(goodSegment(), {
    offset: numbers,
    compressedBytes: numbers,
    cpioBytes: numbers,
    entries: numbers,
    compression: ["none", "zstd", "xz", "lz4", "lz4-frame", "bzip2", "lzo", "lzma"],
    cpio: ["crc", "odc", "bin", "not-cpio"],
    early: [true],
    xzCheck: [undefined, "none", "crc64", "unknown"],
    zstdWindowBytes: numbers,
  }),
);

const initramfs: fc.Arbitrary<InitramfsFacts> = fc
  .tuple(
    withFailure(
      vary(goodInitramfs(), {
        path: odd,
        sizeBytes: numbers,
        unpackedBytes: numbers,
        init: [false],
        generator: ["initramfs-tools", "dracut", "booster", "busybox", "unknown"],
        moduleVersions: [[], ["6.1.0"], odd],
        modules: [new Map()],
        config: [undefined, new Map([["etc/cmdline.d/a.conf", "root=x"]])],
        junkAt: [undefined, 0, 512],
      }),
    ),
    fc.array(segment, { maxLength: 3 }),
  )
  .map(([image, segments]) => ({ ...image, segments }));

const kernel = withFailure(
  vary(goodKernel(), {
    path: odd,
    sizeBytes: numbers,
    format: ["elf", "pe", "unknown"],
    bootProtocol: [undefined, 0x207],
    version: [undefined, "5.10.0-30-amd64", "6.14.1", "2.6.18", "what"],
    packing: ["none", "unknown", "zstd", "lz4", "lz4-frame", "bzip2", "lzo", "xz", "lzma"],
    bits: [undefined, 32],
    segments: [
      [],
      [{ ...goodKernel().segments[0]!, paddr: 2n ** 64n - 1n, memsz: Number.MAX_SAFE_INTEGER }],
    ],
    xen: [undefined, { legacySection: true }, { guestOs: "GRUB", legacySection: false }],
    pv: [false],
    pvh: [false],
    pvRefusal: [
      undefined,
      { reason: "format", detail: "" },
      { reason: "loader", detail: "its LOADER" },
    ],
    pvhRefusal: [undefined, { reason: "no-phys32-entry", detail: "it has none" }],
    pvhSince: [undefined, { xen: "4.16", refusal: { reason: "entry", detail: "it has none" } }],
    decompressors: [
      undefined,
      { source: "version", supported: ["gzip", "zstd"], notConfigured: [], initramfs: true },
      { source: "config", supported: [], notConfigured: ["zstd"], initramfs: false },
    ],
    config: [undefined, new Map(), new Map([["CONFIG_XEN_BLKDEV_FRONTEND", "m"]])],
    commandLineLimit: [undefined, 0, 10],
  }),
);

const volume = vary(goodVolume(), {
  where: [[], ["xvda"]],
  device: [undefined, ...odd, "sda1", "/dev/mapper/vg-root"],
  format: [...odd, "swap", "LUKS", "LVM2 physical volume", "partition table (gpt)", "btrfs"],
  uuid: odd,
  looksLikeRoot: [undefined, false],
  clean: [undefined, false],
});

const disk = fc
  .tuple(
    withFailure(
      vary(goodDisk(), {
        target: odd,
        state: ["missing", "unreadable", "empty-cdrom", "not-read"],
        spec: [
          { ...goodDiskSpec(), vdev: "what", script: "block-iscsi" },
          { ...goodDiskSpec(), cdrom: true },
        ],
      }),
    ),
    fc.array(volume, { maxLength: 3 }),
  )
  .map(([one, volumes]) => ({ ...one, volumes }));

const root = vary(goodRoot(), {
  where: [undefined, ["xvda", "partition 1", "ext4"], []],
  format: [undefined, "swap", "xfs", "constructor"],
  complete: [false],
  rivals: [undefined, [], [["xvdb"]]],
  spec: [
    { kind: "path", value: "/dev/sda1", text: "/dev/sda1" },
    { kind: "path", value: "/dev/mapper/vg-root", text: "/dev/vg/root" },
    { kind: "other", value: "", text: "" },
    { kind: "nfs", value: "/dev/nfs", text: "/dev/nfs" },
    { kind: "label", value: "x", text: "LABEL=x" },
  ],
});

const file = (role: "kernel" | "ramdisk") =>
  withFailure(
    vary(goodFile(role), {
      path: odd,
      where: [[]],
      state: ["missing", "unreadable"],
      alternatives: [odd],
    }),
  );

const boot: fc.Arbitrary<PlannedBoot> = fc
  .tuple(
    vary(goodGuest().boot!, {
      loader: ["direct", "uki", "hvm-disk"],
      source: [[]],
      entry: [undefined, ...odd],
      args: [...odd, "init=/x rdinit=/y boot=live", "console=ttyS0"],
    }),
    fc.option(kernel, { nil: undefined }),
    fc.option(root, { nil: undefined }),
    fc.array(initramfs, { maxLength: 2 }),
    fc.array(fc.oneof(file("kernel"), file("ramdisk")), { maxLength: 3 }),
  )
  .map(([plan, one, at, images, files]) =>
    changed(plan, { kernel: one, root: at, initramfs: images, files }),
  );

const config = vary(goodConfig(), {
  where: [[]],
  type: ["pvh", "hvm"],
  memory: numbers,
  cmdline: odd,
  bootloader: [undefined, ...odd],
  firmware: [undefined, "pvgrub64"],
  pvshim: [true],
  onCrash: ["destroy", "restart"],
  onCrashWritten: [false],
});

const host = vary(goodHost(), {
  version: [
    { major: 3, minor: 4, extra: "" },
    { major: 4, minor: 20, extra: "" },
  ],
  source: ["assumed"],
  caps: [[], ["xen-3.0-x86_64"], odd],
  kernelPackings: [[]],
  uncertainPackings: [undefined, []],
  lz4: [undefined, "maybe", "broken"],
  inflatesRamdisk: [false],
});

const pygrub = fc.constantFrom<GuestFacts["pygrub"]>(
  undefined,
  { blind: [] },
  { blind: odd },
  goodGuest().pygrub,
);

const changes = fc.constantFrom<GuestFacts["changes"]>(
  [],
  [
    {
      time: NaN,
      zoneKnown: false,
      action: "upgrade",
      package: "linux",
      manager: "pacman",
      where: [],
    },
    { time: 1e18, zoneKnown: true, action: "install", package: "zstd", manager: "dpkg", where: [] },
  ],
);

export const anyGuest: fc.Arbitrary<GuestFacts> = fc
  .tuple(
    fc.constantFrom(goodGuest(), bareGuest()),
    config,
    host,
    fc.array(disk, { maxLength: 3 }),
    fc.option(boot, { nil: undefined }),
    pygrub,
    changes,
    fc.constantFrom("pandora", ...odd),
  )
  .map(([base, itsConfig, itsHost, disks, plan, view, log, name]) =>
    changed(base, {
      name,
      config: itsConfig,
      host: itsHost,
      disks,
      boot: plan,
      pygrub: view,
      changes: log,
    }),
  );
