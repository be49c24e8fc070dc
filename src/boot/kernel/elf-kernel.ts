/** An unpacked kernel (vmlinux) -> facts. Pure; nothing in the result but `ikconfig` refers to the bytes. */
import { corrupt } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import { findDecompressorTable, type DecompressorTable } from "./decompressor-table.ts";
import { EM_386, EM_X86_64, parseElf, PT_LOAD, type Elf } from "./elf.ts";
import { findIkconfig } from "./ikconfig.ts";
import type { KernelFacts } from "./kernel-facts.ts";
import { findBanner, releaseVersion } from "./version.ts";
import { pvhRefusal, pvhSince, pvRefusal } from "./xen-abi.ts";
import { readXenNotes } from "./xen-notes.ts";

export type ElfKernel = {
  /** Ready to be spread into `KernelFacts`. */
  readonly facts: Pick<
    KernelFacts,
    "bits" | "machine" | "elfEntry" | "segments" | "xen" | "pv" | "pvh" | "pvRefusal" | "pvhRefusal"
  >;
  /** From the `Linux version` banner. */
  readonly release?: string;
  readonly table?: DecompressorTable;
  /** The gzipped build configuration: a view into the kernel. */
  readonly ikconfig?: Uint8Array;
};

/**
 * Fails as `corrupt` when the ELF is damaged or cut off. `version` is that of the setup header, when there is one; the
 * meaning of the decompressor table depends on it.
 */
export function parseElfKernel(bytes: Uint8Array, where: Where, version?: string): ElfKernel {
  const elf = parseElf(bytes, where);
  const segments = elf.segments.filter(({ type }) => type === PT_LOAD);
  for (const { offset, filesz } of segments) {
    if (offset + filesz <= bytes.length) continue;
    const found = `a file of ${bytes.length} bytes`;
    throw corrupt(where, found, `at least ${offset + filesz}, where a segment ends`);
  }
  const xen = readXenNotes(bytes, elf, where);
  const noPv = pvRefusal(elf, xen);
  const noPvh = pvhRefusal(elf, xen);
  const since = xen && !noPvh ? pvhSince(elf, xen) : undefined;
  const release = findBanner(bytes);
  const table = findDecompressorTable(bytes, elf, version ?? (release && releaseVersion(release)));
  const ikconfig = findIkconfig(bytes);
  return {
    facts: {
      bits: elf.bits,
      machine: machineName(elf),
      elfEntry: elf.entry,
      segments,
      pv: !noPv,
      pvh: !noPvh,
      ...(xen && { xen }),
      ...(since && { pvhSince: since }),
      ...(noPv && { pvRefusal: noPv }),
      ...(noPvh && { pvhRefusal: noPvh }),
    },
    ...(release !== undefined && { release }),
    ...(table && { table }),
    ...(ikconfig && { ikconfig }),
  };
}

function machineName(elf: Elf): NonNullable<KernelFacts["machine"]> {
  if (elf.machine === EM_386) return "i386";
  return elf.machine === EM_X86_64 ? "x86_64" : "other";
}
