/**
 * How much memory a guest needs before its first instruction: what Xen's domain builder puts into it, page by page
 * (xen: tools/libs/guest/xg_dom_core.c, xg_dom_x86.c; the same from 4.7 to 4.22 but for unpacking the initramfs, which
 * ended with 4.20).
 *
 * PV: padding up to the kernel, the kernel, the initramfs (here when the kernel wants it mapped), the physical-to-
 * machine list (here likewise), three pages for Xen, page tables, a boot stack, padding up to where the initial mapping
 * ends (at least 512 KiB on, then up to the next 4 MiB), then the initramfs and the list that want no mapping.
 * PVH: the same without list, page tables, stack and mapping; one small block for the start info.
 *
 * Not modelled: BSD symbol tables, virtual NUMA, PVH kernels relocated above where they were linked. What the guest
 * then needs to run (unpacking its initramfs above all) is another question.
 */
import { hex } from "../base/units.ts";
import { DoesNotFit, PageTables } from "./builder-page-tables.ts";

export const PAGE_BYTES = 4096;

export type BuilderMemoryQuestion = {
  readonly type: "pv" | "pvh";
  /** Of the kernel; a PVH kernel is laid out the same in both. */
  readonly bits: 32 | 64;
  /** Lowest physical address of the ELF's PT_LOAD segments, and the end of the highest, in bytes. */
  readonly kernelStart: bigint;
  readonly kernelEnd: bigint;
  /** The notes VIRT_BASE, PADDR_OFFSET and INIT_P2M, when the kernel has them. Ignored for PVH. */
  readonly virtBase?: bigint | undefined;
  readonly paddrOffset?: bigint | undefined;
  readonly initP2m?: bigint | undefined;
  /** The note MOD_START_PFN: the initramfs needs no mapping. */
  readonly modStartPfn?: boolean | undefined;
  readonly ramdisk?: RamdiskSize | undefined;
  /** The builder unpacks a gzip initramfs (`HostFacts.inflatesRamdisk`). */
  readonly inflates: boolean;
  readonly memoryMib: number;
  /** Of the kernel's command line, in bytes; it has a share in PVH's start info. */
  readonly cmdlineBytes?: number | undefined;
};

export type RamdiskSize = {
  readonly fileBytes: number;
  /**
   * For a file that begins with the gzip magic: its last four bytes, little endian, which the builder believes to be
   * the unpacked size. (With several gzip members that is the size of the last one.)
   */
  readonly gzipSizeBytes?: number | undefined;
};

export type BuilderMemory = {
  readonly fits: boolean;
  /** The least memory that fits, in MiB; undefined when no amount up to 1 TiB does. */
  readonly neededMib: number | undefined;
  /** What it is made of, in pages of 4 KiB, with `neededMib` (or `memoryMib` where there is none). */
  readonly parts: readonly BuilderPart[];
  /** What the builder prints when it does not fit. */
  readonly message?: string;
};

export type BuilderPart = { readonly name: string; readonly pages: number };

/** XC_DOM_DECOMPRESS_MAX: a module larger than this is refused. */
const MODULE_LIMIT = 2 ** 30;
const MAX_MIB = 2 ** 20;
const PAGES_PER_MIB = 256;

/** What the builder would say of that kernel and initramfs in that much memory. Pure arithmetic. */
export function predictBuilderMemory(question: BuilderMemoryQuestion): BuilderMemory {
  const here = layOut(question, question.memoryMib);
  const neededMib = leastMemory(question);
  const parts = neededMib === undefined ? here.parts : layOut(question, neededMib).parts;
  return {
    fits: here.message === undefined,
    neededMib,
    parts,
    ...(here.message === undefined ? {} : { message: here.message }),
  };
}

/**
 * By halving. More memory always fits when less does: a MiB more adds 256 pages, and at most one page to the
 * physical-to-machine list, with its page tables.
 */
function leastMemory(question: BuilderMemoryQuestion): number | undefined {
  let fits = MAX_MIB;
  if (layOut(question, fits).message !== undefined) return undefined;
  let fails = 0;
  while (fits - fails > 1) {
    const middle = Math.floor((fits + fails) / 2);
    if (layOut(question, middle).message === undefined) fits = middle;
    else fails = middle;
  }
  return fits;
}

type Layout = { readonly parts: readonly BuilderPart[]; readonly message?: string };

function layOut(question: BuilderMemoryQuestion, memoryMib: number): Layout {
  const guest = new GuestPages(memoryMib * PAGES_PER_MIB);
  try {
    if (question.type === "pv") layOutPv(question, guest);
    else layOutPvh(question, guest);
    return { parts: guest.parts };
  } catch (error) {
    if (!(error instanceof DoesNotFit)) throw error;
    return { parts: guest.parts, message: error.message };
  }
}

/** Pages handed out from the start of the guest's memory upwards. */
class GuestPages {
  readonly total: number;
  readonly parts: BuilderPart[] = [];
  used = 0;

  constructor(total: number) {
    this.total = total;
  }

  take(name: string, pages: number): void {
    if (pages > this.total - this.used) {
      const [wanted, total, used] = [pages, this.total, this.used].map((count) => hex(count));
      throw new DoesNotFit(
        `xc_dom_chk_alloc_pages: segment ${name} too large (${wanted} > ${total} - ${used} pages)`,
      );
    }
    this.parts.push({ name, pages });
    this.used += pages;
  }
}

function layOutPv(question: BuilderMemoryQuestion, guest: GuestPages): void {
  const { bits, ramdisk, modStartPfn = false } = question;
  const base = question.virtBase ?? 0n;
  const offset = base - (question.paddrOffset ?? 0n);
  const start = question.kernelStart + offset;
  // A list inside the mapped range, or at no whole page, goes where others have it
  const wantsP2m = bits === 64 ? question.initP2m : undefined;
  const p2mBase =
    wantsP2m !== undefined && wantsP2m < base && wantsP2m % BigInt(PAGE_BYTES) === 0n
      ? wantsP2m
      : undefined;
  padTo(guest, start, base);
  guest.take("kernel", pagesFor(Number(question.kernelEnd - question.kernelStart)));
  const module = ramdisk && ramdiskBytes(ramdisk, question.inflates);
  if (module !== undefined && !modStartPfn) takeModule(guest, module);
  const p2mPages = pagesFor(guest.total * (bits / 8));
  if (p2mBase === undefined) guest.take("phys2mach", p2mPages);
  guest.take("start info", 1);
  guest.take("xenstore", 1);
  guest.take("console", 1);
  const tables = new PageTables(bits, guest.total);
  const mappedEnd = takeInitialMapping(guest, tables, base);
  guest.take("boot stack", 1);
  guest.take("padding", mappedEnd - guest.used);
  if (module !== undefined && modStartPfn) takeModule(guest, module);
  if (p2mBase === undefined) return;
  const end = p2mBase + BigInt(p2mPages * PAGE_BYTES) - 1n;
  const extra = tables.count({ from: p2mBase, to: end, firstPage: guest.used });
  guest.take("phys2mach", p2mPages + extra);
}

/** Up to where the kernel begins. A start of 0 means none to the builder. */
function padTo(guest: GuestPages, start: bigint, base: bigint): void {
  if (start === 0n) return;
  if (start % BigInt(PAGE_BYTES) !== 0n) {
    throw new DoesNotFit("xc_dom_alloc_pad: segment boundary isn't page aligned");
  }
  if (start < base) throw new DoesNotFit("xc_dom_alloc_pad: segment boundary too low");
  guest.take("padding", Number((start - base) / BigInt(PAGE_BYTES)));
}

/** 512 KiB beyond what is there, the tables themselves included, then up to 4 MiB. The page where it ends. */
function takeInitialMapping(guest: GuestPages, tables: PageTables, base: bigint): number {
  const slack = 1 + (512 * 1024) / PAGE_BYTES;
  const alignment = 4n * 1024n * 1024n;
  let pages = slack;
  for (;;) {
    const allocated = base + BigInt(guest.used * PAGE_BYTES);
    const wanted = allocated + BigInt(pages * PAGE_BYTES);
    // The last byte of the 4 MiB that `wanted` lies in
    const last = wanted | (alignment - 1n);
    const count = tables.count({ from: base, to: last, firstPage: 0 });
    pages = count + slack;
    // Ends: `last` grows by 4 MiB a round, which takes two tables to map, and leaves room for a thousand
    if (allocated + BigInt(pages * PAGE_BYTES) <= last + 1n) {
      tables.keep({ from: base, to: last, firstPage: 0 });
      guest.take("page tables", count);
      return Number((last + 1n - base) / BigInt(PAGE_BYTES));
    }
  }
}

/** Xen's structures at the start of a PVH guest: hvm_start_info, two modules and their command lines. */
const START_INFO_BYTES = 56 + 2 * 32 + 2 * 1024;

function layOutPvh(question: BuilderMemoryQuestion, guest: GuestPages): void {
  const { ramdisk, modStartPfn = false, cmdlineBytes = 0 } = question;
  padTo(guest, question.kernelStart, 0n);
  guest.take("kernel", pagesFor(Number(question.kernelEnd - question.kernelStart)));
  const module = ramdisk && ramdiskBytes(ramdisk, question.inflates);
  if (module !== undefined && !modStartPfn) takeModule(guest, module);
  guest.take("HVM start info", pagesFor(START_INFO_BYTES + cmdlineBytes));
  if (module !== undefined && modStartPfn) takeModule(guest, module);
}

function takeModule(guest: GuestPages, bytes: number): void {
  if (bytes > MODULE_LIMIT) {
    throw new DoesNotFit("xc_dom_build_module: module 0 image too large");
  }
  guest.take("module0", pagesFor(bytes));
}

/** Of a gzip file, the larger of its two sizes; 16 bytes more unpacked. A size above 1 GiB is not believed. */
function ramdiskBytes({ fileBytes, gzipSizeBytes }: RamdiskSize, inflates: boolean): number {
  if (!inflates || gzipSizeBytes === undefined || gzipSizeBytes > MODULE_LIMIT) return fileBytes;
  const unpacked = gzipSizeBytes + 16;
  if (Math.max(unpacked, fileBytes) > MODULE_LIMIT) return Math.min(unpacked, fileBytes);
  return Math.max(unpacked, fileBytes);
}

function pagesFor(bytes: number): number {
  return Math.ceil(bytes / PAGE_BYTES);
}
