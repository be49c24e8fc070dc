/** Facts of a guest that boots, and ways to change one thing about it. */
import type { InitramfsFacts, InitramfsSegment } from "../../src/boot/initramfs/initramfs-facts.ts";
import type { KernelFacts } from "../../src/boot/kernel/kernel-facts.ts";
import type { RootDevice } from "../../src/boot/root-device.ts";
import type {
  DiskFacts,
  GuestFacts,
  NeededFile,
  PlannedBoot,
  VolumeFacts,
} from "../../src/check/facts.ts";
import type { DiskSpec } from "../../src/xen/disk-spec.ts";
import type { DomainConfig } from "../../src/xen/domain-config.ts";
import type { HostFacts } from "../../src/xen/host-facts.ts";

const PARTITION = ["xvda", "partition 1", "ext4"];
export const KERNEL_PATH = "/boot/vmlinuz-linux";
export const IMAGE_PATH = "/boot/initramfs-linux.img";
export const VERSION = "4.11.7-1-ARCH";
export const ROOT_UUID = "0f8b1a39-6f9e-4bb2-a8d5-1f8f6d2a7c11";

export function goodDiskSpec(): DiskSpec {
  return {
    text: "phy:/dev/vg0/pandora,xvda,w",
    target: "/dev/vg0/pandora",
    format: "raw",
    vdev: "xvda",
    readonly: false,
    cdrom: false,
    directIoSafe: false,
    deprecated: [],
  };
}

export function goodVolume(): VolumeFacts {
  return {
    where: PARTITION,
    device: "xvda1",
    format: "ext4",
    uuid: ROOT_UUID,
    label: "root",
    partuuid: "8f2e1c3a-01",
    partlabel: "",
    sizeBytes: 8 * 2 ** 30,
    looksLikeRoot: true,
    clean: true,
  };
}

export function goodDisk(): DiskFacts {
  const spec = goodDiskSpec();
  return { spec, target: spec.target, state: "read", volumes: [goodVolume()], findings: [] };
}

export function goodConfig(): DomainConfig {
  return {
    where: ["/etc/xen/pandora.cfg"],
    name: "pandora",
    type: "pv",
    memory: 1024,
    maxmem: 1024,
    vcpus: 1,
    maxvcpus: 1,
    cmdline: "",
    bootloader: "pygrub",
    bootloaderArgs: [],
    pvshim: false,
    disks: [goodDiskSpec()],
    vifs: [],
    pci: [],
    onPoweroff: "destroy",
    onReboot: "restart",
    onCrash: "preserve",
    onWatchdog: "destroy",
    onSoftReset: "soft-reset",
    onCrashWritten: true,
    lines: new Map(),
    findings: [],
  };
}

/** Xen 4.14, as Debian 11 has it. */
export function goodHost(): HostFacts {
  return {
    version: { major: 4, minor: 14, extra: ".6" },
    source: "xl-info",
    caps: ["xen-3.0-x86_64", "hvm-3.0-x86_32", "hvm-3.0-x86_32p", "hvm-3.0-x86_64"],
    kernelPackings: ["gzip", "lzma", "xz", "lz4"],
    uncertainPackings: ["bzip2", "lzo"],
    lz4: "fixed",
    kernelPackingsBecause:
      "Xen 4.14 can unpack these; bzip2 and lzo only when it was built with their libraries",
    inflatesRamdisk: true,
  };
}

export function goodKernel(): KernelFacts {
  return {
    path: KERNEL_PATH,
    sizeBytes: 4_500_000,
    format: "bzimage",
    bootProtocol: 0x20d,
    release: `${VERSION} (builduser@tobias) #1 SMP PREEMPT Fri Jun 30 2017`,
    version: VERSION,
    packing: "gzip",
    payloadSizeBytes: 4_480_000,
    elfSizeBytes: 20_000_000,
    bits: 64,
    machine: "x86_64",
    elfEntry: 0x1000000n,
    segments: [
      {
        type: 1,
        flags: 7,
        offset: 0x200000,
        vaddr: 0xffffffff81000000n,
        paddr: 0x1000000n,
        filesz: 18_000_000,
        memsz: 22_000_000,
      },
    ],
    xen: {
      guestOs: "linux",
      xenVersion: "xen-3.0",
      loader: "generic",
      entry: 0xffffffff81f5e180n,
      hypercallPage: 0xffffffff81001000n,
      virtBase: 0xffffffff80000000n,
      initP2m: 0x8000000000n,
      modStartPfn: true,
      phys32Entry: 0x10001e0,
      legacySection: false,
    },
    pv: true,
    pvh: true,
    decompressors: {
      source: "table",
      supported: ["gzip", "bzip2", "lzma", "xz", "lzo", "lz4"],
      notConfigured: [],
      initramfs: true,
    },
    commandLineLimit: 2047,
  };
}

export function goodSegment(): InitramfsSegment {
  return {
    offset: 0,
    compressedBytes: 6_200_000,
    cpioBytes: 16_000_000,
    compression: "gzip",
    cpio: "newc",
    entries: 420,
    early: false,
  };
}

export function goodInitramfs(): InitramfsFacts {
  return {
    path: IMAGE_PATH,
    sizeBytes: 6_200_000,
    segments: [goodSegment()],
    unpackedBytes: 16_000_000,
    generator: "mkinitcpio",
    init: true,
    moduleVersions: [VERSION],
    modules: new Map([
      [
        VERSION,
        {
          loadable: new Set(["xen_blkfront", "ext4", "jbd2", "mbcache", "crc32c_generic"]),
          builtin: new Set(["xen_platform_pci", "hvc_xen"]),
          builtinKnown: true,
        },
      ],
    ]),
    tools: { lvm: false, cryptsetup: false, mdadm: false, btrfs: false },
  };
}

export function goodRoot(): RootDevice {
  const text = `UUID=${ROOT_UUID}`;
  return {
    spec: { kind: "uuid", value: ROOT_UUID, text },
    where: PARTITION,
    format: "ext4",
    complete: true,
  };
}

export function goodFile(role: NeededFile["role"]): NeededFile {
  const path = role === "kernel" ? KERNEL_PATH : IMAGE_PATH;
  return { role, path, where: [...PARTITION, path], state: "read", alternatives: [] };
}

export function goodBoot(): PlannedBoot {
  return {
    loader: "grub2",
    source: [...PARTITION, "/boot/grub/grub.cfg"],
    entry: "Arch Linux",
    because: 'default="0" in line 1',
    args: `root=UUID=${ROOT_UUID} rw console=hvc0`,
    files: [goodFile("kernel"), goodFile("ramdisk")],
    kernel: goodKernel(),
    initramfs: [goodInitramfs()],
    root: goodRoot(),
  };
}

/** Arch Linux with a kernel of 2017 as PV under Xen 4.14: every rule is silent. */
export function goodGuest(): GuestFacts {
  return {
    name: "pandora",
    configPath: "/etc/xen/pandora.cfg",
    config: goodConfig(),
    host: goodHost(),
    disks: [goodDisk()],
    boot: goodBoot(),
    configured: {
      entry: "Arch Linux",
      because: 'default="0" in line 1',
      kernel: KERNEL_PATH,
      ramdisks: [IMAGE_PATH],
      args: `root=UUID=${ROOT_UUID} rw console=hvc0`,
    },
    bootTried: [],
    pygrub: {
      entry: {
        title: "Arch Linux",
        index: 0,
        kernelPath: KERNEL_PATH,
        ramdiskPath: IMAGE_PATH,
        args: `root=UUID=${ROOT_UUID} rw console=hvc0`,
        configPath: "/boot/grub/grub.cfg",
        partitionNumber: 1,
      },
      blind: [],
    },
    changes: [],
  };
}

/** `undefined` takes the field out. */
export type Change<T> = { readonly [K in keyof T]?: T[K] | undefined };

export function changed<T extends object>(base: T, change: Change<T>): T {
  const entries = Object.entries({ ...base, ...change }).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries) as T;
}

export type GuestChange = {
  readonly guest?: Change<GuestFacts>;
  readonly config?: Change<DomainConfig>;
  readonly host?: Change<HostFacts>;
  readonly disk?: Change<DiskFacts>;
  readonly volume?: Change<VolumeFacts>;
  readonly boot?: Change<PlannedBoot>;
  readonly kernelFile?: Change<NeededFile>;
  readonly ramdiskFile?: Change<NeededFile>;
  readonly kernel?: Change<KernelFacts>;
  readonly initramfs?: Change<InitramfsFacts>;
  readonly segment?: Change<InitramfsSegment>;
  readonly root?: Change<RootDevice>;
};

/** The good guest with these changes; the more specific one is made first. */
export function guestWith(change: GuestChange): GuestFacts {
  const volume = changed(goodVolume(), change.volume ?? {});
  const disk = changed({ ...goodDisk(), volumes: [volume] }, change.disk ?? {});
  const segment = changed(goodSegment(), change.segment ?? {});
  const initramfs = changed({ ...goodInitramfs(), segments: [segment] }, change.initramfs ?? {});
  const files = [
    changed(goodFile("kernel"), change.kernelFile ?? {}),
    changed(goodFile("ramdisk"), change.ramdiskFile ?? {}),
  ];
  const boot = changed(
    {
      ...goodBoot(),
      files,
      kernel: changed(goodKernel(), change.kernel ?? {}),
      initramfs: [initramfs],
      root: changed(goodRoot(), change.root ?? {}),
    },
    change.boot ?? {},
  );
  return changed(
    {
      ...goodGuest(),
      config: changed(goodConfig(), change.config ?? {}),
      host: changed(goodHost(), change.host ?? {}),
      disks: [disk],
      boot,
    },
    change.guest ?? {},
  );
}

/** Nothing but what the types demand: every rule has to live with it. */
export function bareGuest(): GuestFacts {
  return changed(goodGuest(), {
    disks: [],
    boot: undefined,
    pygrub: undefined,
    configured: undefined,
    config: changed(goodConfig(), { bootloader: undefined, disks: [] }),
  });
}
