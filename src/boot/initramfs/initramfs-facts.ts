/** What domus knows of an initramfs image, as plain data. Made by `read-initramfs.ts`, judged by `check/`. */
import type { Failure } from "../../base/failure.ts";
import type { Compression } from "../../bytes/decompress/format.ts";

/** One of the images that lie back to back in an initramfs file. */
export type InitramfsSegment = {
  readonly offset: number;
  readonly compressedBytes: number;
  /** Unpacked size; equal to `compressedBytes` for a plain cpio. */
  readonly cpioBytes: number;
  readonly compression: Compression | "none";
  /** For xz: the check type in the stream header. The kernel's decoder takes none and crc32 only. */
  readonly xzCheck?: "none" | "crc32" | "crc64" | "sha256" | "unknown";
  /** For zstd: the window that the frame wants, in bytes; Linux takes 128 MiB at most (lib/decompress_unzstd.c). */
  readonly zstdWindowBytes?: number;
  /** For gzip: how many members the segment's file holds from here on (Xen up to 4.19 inflates only the first). */
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

export type InitramfsFacts = {
  readonly path: string;
  readonly sizeBytes: number;
  readonly segments: readonly InitramfsSegment[];
  /** All segments unpacked, in bytes. */
  readonly unpackedBytes: number;
  readonly generator: InitramfsGenerator;
  /** An executable /init is there. */
  readonly init: boolean;
  /** Kernel versions that it carries modules for: the names under lib/modules. */
  readonly moduleVersions: readonly string[];
  /** Module names with `_` for `-`, of the .ko files and of modules.builtin, per version. */
  readonly modules: ReadonlyMap<
    string,
    { readonly loadable: ReadonlySet<string>; readonly builtin: ReadonlySet<string> }
  >;
  /** Whether tools for these were found inside: what the root may need. */
  readonly tools: {
    readonly lvm: boolean;
    readonly cryptsetup: boolean;
    readonly mdadm: boolean;
    readonly btrfs: boolean;
  };
  /** Bytes after the last segment that are neither zero nor a segment. */
  readonly junkAt?: number;
  /** The first failure that the kernel would stumble over as well. */
  readonly failure?: Failure;
};
