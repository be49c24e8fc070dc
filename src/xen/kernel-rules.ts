/**
 * Which kernels Xen's domain builder takes for a guest, and what it prints when it takes none (xen: tools/libs/guest/
 * xg_dom_{core,bzimageloader,elfloader,hvmloader,boot}.c, 4.2 to 4.20).
 *
 * The builder tries its loaders one after the other. A loader that does not like a kernel is mostly silent, so that a
 * kernel without the right notes leaves nothing but `no loader found`. What comes after that, the guest type and the
 * host's abilities, has messages of its own.
 */
import type { Compression } from "../bytes/decompress/format.ts";
import { isPackingKnownTo } from "./builder-packings.ts";
import type { GuestType } from "./domain-config.ts";
import type { HostFacts } from "./host-facts.ts";
import { isXenAtLeast } from "./host-facts.ts";

/** What the rules need to know of a kernel; `KernelFacts` has it all. */
export type RuledKernel = {
  readonly sizeBytes: number;
  /** `pe`: a UKI. */
  readonly format: "bzimage" | "elf" | "pe" | "unknown";
  /** 0x20f is 2.15. */
  readonly bootProtocol?: number;
  /** Of a bzImage's payload, or of a packed ELF; `none` is a raw ELF. */
  readonly packing: Compression | "none" | "unknown";
  /** Of an xz or lzma payload, in bytes. */
  readonly dictionaryBytes?: number;
  /** Set when the ELF inside could not be had, or not be read; only `corrupt` is held against the kernel. */
  readonly failure?: { readonly kind: string };
  readonly bits?: 32 | 64;
  /** By its notes and entry points alone, as libelf judges them; otherwise with the reason. */
  readonly pv: boolean;
  readonly pvRefusal?: { readonly reason: string };
  readonly pvh: boolean;
  readonly pvhRefusal?: { readonly reason: string };
  /** The first Xen that takes it as PVH, when that is not every one. */
  readonly pvhSince?: { readonly xen: string };
  /** Its Xen notes. */
  readonly xen?: { readonly features?: string };
  /** Version of Linux, as far as known: `5.10.0-32-amd64`. */
  readonly version?: string;
};

/** What the rules need to know of the host. */
export type RuledHost = Pick<
  HostFacts,
  "version" | "caps" | "kernelPackings" | "uncertainPackings" | "lz4" | "dictionary"
>;

export type KernelRefusal = {
  readonly reason:
    /** A file that no loader is for: a UKI, a boot sector. */
    | "format"
    | "empty"
    /** Boot protocol below 2.08: before Linux 2.6.26. */
    | "boot-protocol"
    /** Packed in a way that this builder does not unpack. */
    | "packing"
    | "damaged"
    /** No PV kernel, or no PVH kernel. */
    | "not-pv"
    | "not-pvh"
    | "dom0-only"
    /** The host cannot run guests of this type: see xen_caps. */
    | "host";
  /** False: it depends on how this Xen was built. */
  readonly sure: boolean;
  /**
   * What xl prints of it, in order; each without the source file and line before it, and the kind of error after it.
   * Of damage only the last line is known. Empty where the builder does not notice: it starts a 32-bit ELF without
   * notes as if it were HVM firmware.
   */
  readonly printed: readonly string[];
  /** Of `host`: what xen_caps lacks. */
  readonly cap?: string;
};

const NO_LOADER = "xc_dom_find_loader: no loader found";
const PROBE = "xc_dom_probe_bzimage_kernel";

/**
 * What the builder has against the kernel, in the order in which it comes to it. It stops at the first that is `sure`;
 * those after that come to light when it is mended. Empty when it takes the kernel, as far as `kernel` was read. HVM
 * guests boot from their disk, so nothing is asked of the kernel.
 */
export function kernelRefusals(
  kernel: RuledKernel,
  type: GuestType,
  host: RuledHost,
): readonly KernelRefusal[] {
  if (type === "hvm") return [];
  const abi = abiRefusal(kernel, type, host);
  const able = hostRefusal(kernel, type, host);
  // What it takes for firmware is refused by nobody but the host
  const judged = abi?.printed.length === 0 ? [able, abi] : [abi, able];
  const found = [fileRefusal(kernel), packingRefusal(kernel, host), ...judged];
  return found.filter((refusal) => refusal !== undefined);
}

type BuiltType = Exclude<GuestType, "hvm">;

function refuse(reason: KernelRefusal["reason"], ...printed: string[]): KernelRefusal {
  return { reason, sure: true, printed };
}

/** Getting at the ELF, however it is packed. */
function fileRefusal(kernel: RuledKernel): KernelRefusal | undefined {
  const { format, bootProtocol, failure } = kernel;
  if (kernel.sizeBytes === 0) return refuse("empty", "zero length file");
  if (format === "pe" || format === "unknown") return refuse("format", NO_LOADER);
  if (isBeforePayload(kernel)) {
    const version = bootProtocol!.toString(16).padStart(4, "0");
    return refuse("boot-protocol", `${PROBE}: boot protocol too old (${version})`, NO_LOADER);
  }
  return failure?.kind === "corrupt" ? refuse("damaged", NO_LOADER) : undefined;
}

/** The header of protocol 2.08 is the first that says where the payload is. */
function isBeforePayload({ format, bootProtocol }: RuledKernel): boolean {
  return format === "bzimage" && bootProtocol !== undefined && bootProtocol < 0x208;
}

function packingRefusal(kernel: RuledKernel, host: RuledHost): KernelRefusal | undefined {
  const { version, kernelPackings, uncertainPackings = [] } = host;
  const { format, packing, failure } = kernel;
  // A raw ELF as payload: the bzImage loader complains, and the ELF loader takes what that one has left of the file
  if (format !== "bzimage" || packing === "none" || isBeforePayload(kernel)) return undefined;
  if (packing === "unknown") {
    // Where the payload should be there may be none
    if (failure?.kind === "corrupt") return undefined;
    return refuse("packing", `${PROBE}: unknown compression format`, NO_LOADER);
  }
  if (!isPackingKnownTo(version, packing)) {
    return refuse("packing", `${PROBE}: unknown compression format`, NO_LOADER);
  }
  const printed = [unableText(packing), NO_LOADER];
  if (uncertainPackings.includes(packing)) return { reason: "packing", sure: false, printed };
  if (!kernelPackings.includes(packing)) return refuse("packing", ...printed);
  const limit = builderLimit(kernel, host);
  return limit && { reason: "packing", sure: limit === "sure", printed };
}

/** What this builder cannot unpack although it has the decompressor for it. */
function builderLimit(
  { packing, dictionaryBytes = 0 }: RuledKernel,
  { lz4 = "fixed", dictionary }: RuledHost,
): "sure" | "maybe" | undefined {
  if (packing === "lz4" && lz4 !== "fixed") return lz4 === "broken" ? "sure" : "maybe";
  if (!dictionary || dictionaryBytes < dictionary.takenBelowBytes) return undefined;
  return dictionaryBytes >= dictionary.refusedFromBytes ? "sure" : "maybe";
}

/** A gzip kernel is the only one whose message has a colon. */
function unableText(packing: Compression): string {
  return packing === "gzip"
    ? `${PROBE}: unable to gzip decompress kernel`
    : `${PROBE} unable to ${packing.toUpperCase()} decompress kernel`;
}

/** What the notes say, where they were read. */
function abiRefusal(
  kernel: RuledKernel,
  type: BuiltType,
  { version }: RuledHost,
): KernelRefusal | undefined {
  const reason = type === "pv" ? kernel.pvRefusal?.reason : kernel.pvhRefusal?.reason;
  if (kernel.failure || reason === "format") return undefined;
  if (reason === "feature" && kernel.xen?.features?.split("|").includes("!dom0")) {
    const text = "Kernel does not support unprivileged (DomU) operation";
    return refuse("dom0-only", `xc_dom_parse_elf_kernel: ${text}`);
  }
  if (type === "pv") return kernel.pv ? undefined : refuse("not-pv", NO_LOADER);
  const { pvh, pvhSince } = kernel;
  if (pvh && (!pvhSince || isXenAtLeast(version, pvhSince.xen))) return undefined;
  if (reason === "no-phys32-entry" && kernel.xen) {
    const text = "image not capable of booting inside a HVM container";
    return refuse("not-pvh", `xc_dom_guest_type: ${text}`);
  }
  if (kernel.format !== "elf") return refuse("not-pvh", NO_LOADER);
  // The loader for HVM firmware takes any ELF that has no good notes, and only then looks for its width
  return kernel.bits === 64
    ? refuse("not-pvh", "xc_dom_parse_hvm_kernel: ELF image is not 32bit")
    : refuse("not-pvh");
}

/** xen_caps must have the type that the kernel is of; nothing is said where either is not known. */
function hostRefusal(
  { bits }: RuledKernel,
  type: BuiltType,
  { caps }: RuledHost,
): KernelRefusal | undefined {
  const needed = neededCap(type, bits);
  if (needed === undefined || caps.length === 0 || caps.includes(needed)) return undefined;
  const text = `guest type ${needed} not supported by xen kernel, sorry`;
  return { ...refuse("host", `xc_dom_compat_check: ${text}`), cap: needed };
}

/** As xen: tools/libs/guest/xg_dom_compat_linux.c and xg_dom_boot.c ask for it. */
function neededCap(type: BuiltType, bits: RuledKernel["bits"]): string | undefined {
  if (type === "pvh") return "hvm-3.0-x86_32";
  if (bits === undefined) return undefined;
  return bits === 64 ? "xen-3.0-x86_64" : "xen-3.0-x86_32p";
}
