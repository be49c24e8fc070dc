/** What domus knows of a kernel image, as plain data. Made by `read-kernel.ts`, judged by `check/`. */
import type { Failure } from "../../base/failure.ts";
import type { Compression } from "../../bytes/decompress/format.ts";

/** How the payload inside the image file is packed; `none` is a raw ELF. */
export type Packing = Compression | "none" | "unknown";

/** The Xen ELF notes (xen/include/public/elfnote.h) that decide who can boot the image. */
export type XenNotes = {
  /** `linux` */
  readonly guestOs?: string;
  readonly guestVersion?: string;
  /** `xen-3.0` */
  readonly xenVersion?: string;
  /** `generic` */
  readonly loader?: string;
  readonly entry?: bigint;
  readonly hypercallPage?: bigint;
  readonly virtBase?: bigint;
  readonly paddrOffset?: bigint;
  readonly initP2m?: bigint;
  readonly modStartPfn?: boolean;
  readonly paeMode?: string;
  /** The text of FEATURES: `!writable_page_tables|pae_pgdir_above_4gb`; a `!` marks what the kernel requires. */
  readonly features?: string;
  /** The bits of SUPPORTED_FEATURES. */
  readonly supportedFeatures?: number;
  /** PVH entry point; its presence is what makes a kernel PVH-capable. */
  readonly phys32Entry?: number;
  /** PHYS32_RELOC: the PVH kernel may be put elsewhere, within these physical addresses. */
  readonly phys32Reloc?: { readonly align: number; readonly min: number; readonly max: number };
  /** From the `__xen_guest` section of kernels before 2.6.23 or so, not from notes. */
  readonly legacySection: boolean;
};

/**
 * Why Xen's domain builder would refuse the image in one kind of domain, whatever the host's Xen can unpack.
 * The reason is for rules, the detail is a clause for people: `no ENTRY note, and the ELF entry 0x1000000 lies outside`.
 */
export type XenRefusal = {
  readonly reason:
    /** Neither Xen notes nor a `__xen_guest` section (PV), or no Xen notes (PVH). */
    | "no-notes"
    /** PVH only: no PHYS32_ENTRY. */
    | "no-phys32-entry"
    /** Neither LOADER "generic" nor GUEST_OS "linux". */
    | "loader"
    /** XEN_VERSION is not xen-3.0. */
    | "xen-version"
    /** The entry point, or another address, lies outside the image: no ENTRY note in most cases. */
    | "entry"
    /** FEATURES requires one that no Xen offers to a guest, `!dom0` among them. */
    | "feature"
    /** PV only: not an x86 ELF. */
    | "machine"
    /** The file is not of a kind that the builder loads: a PE (UKI), no ELF at all, an ELF that could not be read. */
    | "format";
  readonly detail: string;
};

/** Which initramfs compressions the kernel can unpack, and how domus knows. */
export type InitramfsDecompressors = {
  /**
   * `table`: read from compressed_formats[] in the unpacked kernel (exact). `ikconfig`, `config`: from its build
   * configuration (inside it, or /boot/config-*). `version`: no more than what a kernel of that version can have.
   */
  readonly source: "table" | "ikconfig" | "config" | "version";
  /** Built in, in this kernel. For `version`: those that this version knows. */
  readonly supported: readonly Compression[];
  /** Known to this version but left out when it was built (`compression method x not configured`). */
  readonly notConfigured: readonly Compression[];
  /** False when the kernel was built without CONFIG_BLK_DEV_INITRD: no initramfs at all. */
  readonly initramfs: boolean;
};

export type Segment = {
  readonly type: number;
  readonly flags: number;
  readonly offset: number;
  readonly vaddr: bigint;
  readonly paddr: bigint;
  readonly filesz: number;
  readonly memsz: number;
};

export type KernelFacts = {
  readonly path: string;
  readonly sizeBytes: number;
  /** Of the file, or of what its outer gzip holds. `pe`: a UKI; the other facts are of the kernel inside it. */
  readonly format: "bzimage" | "elf" | "pe" | "unknown";
  /** The bzImage boot protocol version: 0x20f is 2.15. */
  readonly bootProtocol?: number;
  /** The string in the setup header or in `Linux version ...`: `4.11.7-1-ARCH (builduser@...) #1 ...`. */
  readonly release?: string;
  /** Its first word: `4.11.7-1-ARCH`. */
  readonly version?: string;
  readonly packing: Packing;
  /** Of the payload, in bytes; for a gzipped ELF the whole file; 0 for a raw ELF. */
  readonly payloadSizeBytes: number;
  /** Of a payload packed with xz or lzma: the dictionary that it asks for, in bytes. */
  readonly dictionaryBytes?: number;
  /** Of the unpacked ELF, when it could be unpacked. */
  readonly elfSizeBytes?: number;
  /** Why the payload could not be unpacked or the ELF not read. */
  readonly failure?: Failure;
  readonly bits?: 32 | 64;
  readonly machine?: "i386" | "x86_64" | "other";
  /** ELF e_entry. */
  readonly elfEntry?: bigint;
  /** PT_LOAD segments: what the domain builder lays out. */
  readonly segments: readonly Segment[];
  readonly xen?: XenNotes;
  /**
   * PV-capable: LOADER generic or GUEST_OS linux, XEN_VERSION xen-3.0*, and an entry point inside the image, which in
   * practice means an ENTRY note. Says nothing of the host: see `packing`, `bits` and its xen_caps for that.
   */
  readonly pv: boolean;
  /** PVH-capable: it has PHYS32_ENTRY. Whether the host's Xen is new enough is for `pvhSince` to say. */
  readonly pvh: boolean;
  /** Set when Xen before that release refuses as PVH what later ones take, with its reason. PVH itself came with 4.10. */
  readonly pvhSince?: { readonly xen: "4.16" | "4.18"; readonly refusal: XenRefusal };
  /** Set when `pv` is false. */
  readonly pvRefusal?: XenRefusal;
  /** Set when `pvh` is false. */
  readonly pvhRefusal?: XenRefusal;
  readonly decompressors?: InitramfsDecompressors;
  /** Options of the build configuration where it is known: `CONFIG_XEN_BLKDEV_FRONTEND` -> `y`, `m` or text. */
  readonly config?: ReadonlyMap<string, string>;
  /** Longest command line that the kernel itself takes, in bytes (bzImage cmdline_size). */
  readonly commandLineLimit?: number;
};
