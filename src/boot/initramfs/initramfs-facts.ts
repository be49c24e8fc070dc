/** What domus knows of an initramfs image, as plain data. Made by `read-initramfs.ts`, judged by `check/`. */
import type { Failure } from "../../base/failure.ts";
import type { Compression } from "../../bytes/decompress/format.ts";

/**
 * One of the images that lie back to back in an initramfs file: a plain archive up to its trailer, or one compressed
 * stream (a gzip member, a zstd frame, ...), which may hold several archives.
 */
export type InitramfsSegment = {
  readonly offset: number;
  /** In the file, without the NULs that follow; up to the end of the file where `failure` is set. */
  readonly compressedBytes: number;
  /** Unpacked size; equal to `compressedBytes` for a plain cpio. */
  readonly cpioBytes: number;
  readonly compression: Compression | "none";
  /** For xz: the check type in the stream header. The kernel's decoder takes none and crc32 only. */
  readonly xzCheck?: "none" | "crc32" | "crc64" | "sha256" | "unknown";
  /** For zstd: the window that the frame wants, in bytes; Linux takes 128 MiB at most (lib/decompress_unzstd.c). */
  readonly zstdWindowBytes?: number;
  /** Of the first archive in the segment. The kernel reads newc, since 5.19 crc as well. */
  readonly cpio: "newc" | "crc" | "odc" | "bin" | "not-cpio";
  readonly entries: number;
  /** True for a leading uncompressed archive with only kernel/x86/microcode or kernel/firmware/acpi in it. */
  readonly early: boolean;
  /** Reading stopped here. */
  readonly failure?: Failure;
};

export type InitramfsGenerator =
  | "initramfs-tools"
  | "dracut"
  | "mkinitcpio"
  | "booster"
  | "busybox"
  | "unknown";

/** The modules for one kernel version; names with `_` for `-`. */
export type InitramfsModules = {
  /** The .ko files, packed or not. */
  readonly loadable: ReadonlySet<string>;
  readonly builtin: ReadonlySet<string>;
  /** False when there is no modules.builtin: then `builtin` is empty and proves nothing. */
  readonly builtinKnown?: boolean;
  /** What modules.dep names: modprobe finds no others. Undefined when there is no modules.dep. */
  readonly listed?: ReadonlySet<string>;
};

export type InitramfsFacts = {
  readonly path: string;
  readonly sizeBytes: number;
  readonly segments: readonly InitramfsSegment[];
  /** All segments unpacked, in bytes. */
  readonly unpackedBytes: number;
  readonly generator: InitramfsGenerator;
  /** An executable /init is there. */
  readonly init: boolean;
  /** Index of the segment that has brought it, itself unpacked whole. The kernel gets that far, whatever follows. */
  readonly initSegment?: number;
  /** Kernel versions that it carries modules for: the names under lib/modules. */
  readonly moduleVersions: readonly string[];
  /** Module names with `_` for `-`, of the .ko files and of modules.builtin, per version. */
  readonly modules: ReadonlyMap<string, InitramfsModules>;
  /** Whether tools for these were found inside: what the root may need. */
  readonly tools: {
    readonly lvm: boolean;
    readonly cryptsetup: boolean;
    readonly mdadm: boolean;
    readonly btrfs: boolean;
  };
  /**
   * Small configuration files by path, at most 64 KiB each: `conf/initramfs.conf`, `cryptroot/crypttab`,
   * `etc/cmdline.d/*.conf` (arguments that dracut adds), mkinitcpio's `config`.
   */
  readonly config?: ReadonlyMap<string, string>;
  /** Bytes after the last segment that are neither zero nor a segment: the kernel complains and goes on. */
  readonly junkAt?: number;
  /**
   * The first failure that the kernel would stumble over as well: what comes after it is not unpacked. Limits of
   * domus are not among them, nor is a plain archive that ends early, which the kernel takes without a word; both
   * are in the segment's `failure`.
   */
  readonly failure?: Failure;
};
