/**
 * Which kernels Xen's domain builder takes for a guest, and what it prints when it takes none (xen: tools/libs/guest/
 * xg_dom_{core,bzimageloader,elfloader,hvmloader,boot}.c, 4.2 to 4.20).
 *
 * The builder tries its loaders one after the other. A loader that does not like a kernel is mostly silent, so that a
 * kernel without the right notes leaves nothing but `no loader found`. What comes after that, the guest type and the
 * host's abilities, has messages of its own.
 */
import type { Compression } from "../bytes/decompress/format.ts";
import { isAtLeast } from "./builder-packings.ts";
import type { GuestType } from "./domain-config.ts";
import type { HostFacts } from "./host-facts.ts";

/** What the rules need to know of a kernel; `KernelFacts` has it all. */
export type RuledKernel = {
  readonly sizeBytes: number;
  /** `pe`: a UKI. */
  readonly format: "bzimage" | "elf" | "pe" | "unknown";
  /** 0x20f is 2.15. */
  readonly bootProtocol?: number;
  /** Of a bzImage's payload, or of a packed ELF; `none` is a raw ELF. */
  readonly packing: Compression | "none" | "unknown";
  /** Set when the ELF inside could not be had, or not be read. */
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
  "version" | "caps" | "kernelPackings" | "uncertainPackings" | "lz4"
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
};

const NO_LOADER = "xc_dom_find_loader: no loader found";
const PROBE = "xc_dom_probe_bzimage_kernel";

/**
 * Why the builder refuses the kernel: one reason that is certain, or maybe one that depends on the build and then one
 * that is certain. Empty when it takes the kernel. HVM guests boot from their disk, so nothing is asked of the kernel.
 */
export function kernelRefusals(
  kernel: RuledKernel,
  type: GuestType,
  host: RuledHost,
): readonly KernelRefusal[] {
  if (type === "hvm") return [];
  const found: KernelRefusal[] = [];
  for (const rule of [imageRefusal, abiRefusal, hostRefusal]) {
    const refusal = rule(kernel, type, host);
    if (!refusal) continue;
    found.push(refusal);
    // Then the builder looks at nothing else
    if (refusal.sure) break;
  }
  return found;
}

type BuiltType = Exclude<GuestType, "hvm">;

function refuse(reason: KernelRefusal["reason"], ...printed: string[]): KernelRefusal {
  return { reason, sure: true, printed };
}

/** Getting at the ELF. */
function imageRefusal(
  kernel: RuledKernel,
  _type: BuiltType,
  host: RuledHost,
): KernelRefusal | undefined {
  const { format, packing, bootProtocol, failure } = kernel;
  if (kernel.sizeBytes === 0) return refuse("empty", "zero length file");
  if (format === "pe" || format === "unknown") return refuse("format", NO_LOADER);
  if (format === "elf") return failure && refuse("damaged", NO_LOADER);
  if (bootProtocol !== undefined && bootProtocol < 0x208) {
    const version = bootProtocol.toString(16).padStart(4, "0");
    return refuse("boot-protocol", `${PROBE}: boot protocol too old (${version})`, NO_LOADER);
  }
  // A raw ELF as payload: the bzImage loader complains, and the ELF loader takes what that one has left of the file
  if (packing === "none") return failure && refuse("damaged", NO_LOADER);
  if (failure?.kind === "corrupt") return refuse("damaged", NO_LOADER);
  if (packing === "unknown" || packing === "lz4-frame") {
    return refuse("packing", `${PROBE}: unknown compression format`, NO_LOADER);
  }
  return packingRefusal(kernel, packing, host) ?? (failure && refuse("damaged", NO_LOADER));
}

/** A gzip kernel is the only one whose message has a colon. */
function unableText(packing: Compression): string {
  return packing === "gzip"
    ? `${PROBE}: unable to gzip decompress kernel`
    : `${PROBE} unable to ${packing.toUpperCase()} decompress kernel`;
}

function packingRefusal(
  { version }: RuledKernel,
  packing: Compression,
  { kernelPackings, uncertainPackings = [], lz4 }: RuledHost,
): KernelRefusal | undefined {
  const printed = [unableText(packing), NO_LOADER];
  if (uncertainPackings.includes(packing)) return { reason: "packing", sure: false, printed };
  if (!kernelPackings.includes(packing)) {
    return LINKED.includes(packing)
      ? refuse("packing", ...printed)
      : refuse("packing", `${PROBE}: unknown compression format`, NO_LOADER);
  }
  if (packing === "lz4" && lz4 !== undefined && lz4 !== "fixed" && isAtLeast53(version)) {
    return { reason: "packing", sure: lz4 === "broken", printed };
  }
  return undefined;
}

/**
 * Known to every builder that can be met, so that one without them was built without the library: it knows the format
 * by name. zstd and lz4, on the other hand, are unknown to the releases before them.
 */
const LINKED: readonly Compression[] = ["bzip2", "lzma", "xz", "lzo"];

function isAtLeast53(version: string | undefined): boolean {
  const match = /^(\d+)\.(\d+)/.exec(version ?? "");
  if (!match) return false;
  const [major, minor] = [Number(match[1]), Number(match[2])];
  return major > 5 || (major === 5 && minor >= 3);
}

/** What the notes say. */
function abiRefusal(
  kernel: RuledKernel,
  type: BuiltType,
  host: RuledHost,
): KernelRefusal | undefined {
  const reason = type === "pv" ? kernel.pvRefusal?.reason : kernel.pvhRefusal?.reason;
  if (reason === "feature" && kernel.xen?.features?.split("|").includes("!dom0")) {
    const text = "Kernel does not support unprivileged (DomU) operation";
    return refuse("dom0-only", `xc_dom_parse_elf_kernel: ${text}`);
  }
  if (type === "pv") return kernel.pv ? undefined : refuse("not-pv", NO_LOADER);
  if (kernel.pvh && !isTooOld(host, kernel.pvhSince?.xen)) return undefined;
  if (reason === "no-phys32-entry" && kernel.xen) {
    const text = "image not capable of booting inside a HVM container";
    return refuse("not-pvh", `xc_dom_guest_type: ${text}`);
  }
  if (kernel.format !== "elf") return refuse("not-pvh", NO_LOADER);
  // The loader for HVM firmware takes any ELF that has no good notes, and only then looks for its width
  return kernel.bits === 64
    ? refuse("not-pvh", "xc_dom_parse_hvm_kernel: ELF image is not 32bit")
    : (hostRefusal(kernel, type, host) ?? refuse("not-pvh"));
}

function isTooOld({ version }: RuledHost, since: string | undefined): boolean {
  if (since === undefined) return false;
  const [major = 0, minor = 0] = since.split(".").map(Number);
  return !isAtLeast(version, major, minor);
}

/** xen_caps must have the type that the kernel is of. */
function hostRefusal(
  { bits }: RuledKernel,
  type: BuiltType,
  { caps }: RuledHost,
): KernelRefusal | undefined {
  const pv = bits === 32 ? "xen-3.0-x86_32p" : "xen-3.0-x86_64";
  const needed = type === "pvh" ? "hvm-3.0-x86_32" : pv;
  if (caps.includes(needed)) return undefined;
  const text = `guest type ${needed} not supported by xen kernel, sorry`;
  return refuse("host", `xc_dom_compat_check: ${text}`);
}
