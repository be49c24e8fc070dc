/**
 * ELF, as far as it is needed to say what a kernel is: the header, program headers, sections.
 *
 * System V ABI, chapter 4 ("Object Files") and 5 ("Program Loading"); linux: include/uapi/linux/elf.h. Bounds follow
 * xen: xen/common/libelf, which is what loads the image. Not supported: big endian, extended section numbering.
 */
import { corrupt, overLimit, unsupported } from "../../base/failure.ts";
import { within, type Where } from "../../base/where.ts";
import { bytesField, u16le, u32le, u64leRaw } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import type { Segment } from "./kernel-facts.ts";

export const elf32Ehdr = struct("Elf32_Ehdr", 52, {
  e_ident: [0, bytesField(16)],
  e_machine: [18, u16le],
  e_entry: [24, u32le],
  e_phoff: [28, u32le],
  e_shoff: [32, u32le],
  e_phentsize: [42, u16le],
  e_phnum: [44, u16le],
  e_shentsize: [46, u16le],
  e_shnum: [48, u16le],
  e_shstrndx: [50, u16le],
});
export const elf64Ehdr = struct("Elf64_Ehdr", 64, {
  e_ident: [0, bytesField(16)],
  e_machine: [18, u16le],
  e_entry: [24, u64leRaw],
  e_phoff: [32, u64leRaw],
  e_shoff: [40, u64leRaw],
  e_phentsize: [54, u16le],
  e_phnum: [56, u16le],
  e_shentsize: [58, u16le],
  e_shnum: [60, u16le],
  e_shstrndx: [62, u16le],
});
export const elf32Phdr = struct("Elf32_Phdr", 32, {
  p_type: [0, u32le],
  p_offset: [4, u32le],
  p_vaddr: [8, u32le],
  p_paddr: [12, u32le],
  p_filesz: [16, u32le],
  p_memsz: [20, u32le],
  p_flags: [24, u32le],
});
export const elf64Phdr = struct("Elf64_Phdr", 56, {
  p_type: [0, u32le],
  p_flags: [4, u32le],
  p_offset: [8, u64leRaw],
  p_vaddr: [16, u64leRaw],
  p_paddr: [24, u64leRaw],
  p_filesz: [32, u64leRaw],
  p_memsz: [40, u64leRaw],
});
export const elf32Shdr = struct("Elf32_Shdr", 40, {
  sh_name: [0, u32le],
  sh_type: [4, u32le],
  sh_offset: [16, u32le],
  sh_size: [20, u32le],
});
export const elf64Shdr = struct("Elf64_Shdr", 64, {
  sh_name: [0, u32le],
  sh_type: [4, u32le],
  sh_offset: [24, u64leRaw],
  sh_size: [32, u64leRaw],
});
export const EM_386 = 3;
export const EM_X86_64 = 62;
export const PT_LOAD = 1;
export const PT_NOTE = 4;
export const SHT_NOTE = 7;
const ELFCLASS32 = 1;
const ELFCLASS64 = 2;
const ELFDATA2LSB = 1;
/** PF_R | PF_W | PF_X: Xen loads a PT_LOAD segment only when it has one of these. */
const PF_MASK = 7;
/** Kernels have four to six. Each is looked at for every pointer followed, so the count is a factor in run time. */
const MAX_PROGRAM_HEADERS = 256;

export type Elf = {
  readonly bits: 32 | 64;
  readonly machine: number;
  readonly entry: bigint;
  /** All program headers, in file order. */
  readonly segments: readonly Segment[];
  readonly sections: { readonly offset: number; readonly count: number; readonly names: number };
};

export type ElfSection = {
  /** Offset of its name in the section name table. */
  readonly name: number;
  readonly type: number;
  readonly offset: number;
  readonly size: number;
};

/** `\x7fELF` */
export function isElf(bytes: Uint8Array): boolean {
  return bytes[0] === 0x7f && bytes[1] === 0x45 && bytes[2] === 0x4c && bytes[3] === 0x46;
}

/** Fails as `corrupt` when a header table does not lie inside the file, which is also where Xen gives up. */
export function parseElf(bytes: Uint8Array, where: Where): Elf {
  if (!isElf(bytes)) throw corrupt(where, "no ELF magic", "an ELF file");
  const bits = elfBits(bytes, where);
  const header = (bits === 64 ? elf64Ehdr : elf32Ehdr).read(bytes, 0, where);
  const phdr = bits === 64 ? elf64Phdr : elf32Phdr;
  const shdr = bits === 64 ? elf64Shdr : elf32Shdr;
  const { e_phnum, e_phentsize, e_shnum, e_shentsize } = header;
  const phoff = fileOffset(header.e_phoff, where, "e_phoff");
  const shoff = fileOffset(header.e_shoff, where, "e_shoff");
  if (e_phnum > MAX_PROGRAM_HEADERS) {
    throw overLimit(
      where,
      `the count of program headers, ${e_phnum},`,
      String(MAX_PROGRAM_HEADERS),
    );
  }
  const tables = [
    { name: "program", offset: phoff, count: e_phnum, entry: e_phentsize, expected: phdr.size },
    { name: "section", offset: shoff, count: e_shnum, entry: e_shentsize, expected: shdr.size },
  ];
  for (const table of tables) checkTable(bytes, table, where);
  const segments: Segment[] = [];
  for (let i = 0; i < e_phnum; i++) {
    const at = within(where, `program header ${i}`);
    const raw = phdr.read(bytes, phoff + i * phdr.size, at);
    segments.push({
      type: raw.p_type,
      flags: raw.p_flags,
      offset: fileOffset(raw.p_offset, at, "p_offset"),
      vaddr: BigInt(raw.p_vaddr),
      paddr: BigInt(raw.p_paddr),
      filesz: fileOffset(raw.p_filesz, at, "p_filesz"),
      memsz: fileOffset(raw.p_memsz, at, "p_memsz"),
    });
  }
  return {
    bits,
    machine: header.e_machine,
    entry: BigInt(header.e_entry),
    segments,
    sections: { offset: shoff, count: e_shnum, names: header.e_shstrndx },
  };
}

function elfBits(bytes: Uint8Array, where: Where): 32 | 64 {
  if (bytes[5] !== ELFDATA2LSB) throw unsupported(where, "an ELF that is not little endian");
  if (bytes[4] === ELFCLASS32) return 32;
  if (bytes[4] === ELFCLASS64) return 64;
  throw corrupt(where, `ELF class ${bytes[4]}`, "1 (32-bit) or 2 (64-bit)");
}

type HeaderTable = {
  readonly name: string;
  readonly offset: number;
  readonly count: number;
  readonly entry: number;
  readonly expected: number;
};

function checkTable(bytes: Uint8Array, table: HeaderTable, where: Where): void {
  if (table.count === 0) return;
  if (table.entry !== table.expected) {
    const found = `${table.name} headers of ${table.entry} bytes`;
    throw corrupt(where, found, `${table.expected} bytes`);
  }
  // At most 2^53 + 2^16 * 2^6: still exact enough to compare with a file size.
  const end = table.offset + table.count * table.expected;
  if (end > bytes.length) {
    const found = `a file of ${bytes.length} bytes`;
    throw corrupt(where, found, `at least ${end}, where its ${table.name} headers end`);
  }
}

/** An offset or size in a file: above 2^53 it cannot be one. */
function fileOffset(value: number | bigint, where: Where, field: string): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw corrupt(where, `${field} 0x${value.toString(16)}`, "a value below 2^53");
  }
  return number;
}

/** The sections, except the reserved first. At most 65534, each within the table that `parseElf` has checked. */
export function* elfSections(bytes: Uint8Array, elf: Elf, where: Where): Generator<ElfSection> {
  const shdr = elf.bits === 64 ? elf64Shdr : elf32Shdr;
  for (let i = 1; i < elf.sections.count; i++) {
    const at = within(where, `section header ${i}`);
    const raw = shdr.read(bytes, elf.sections.offset + i * shdr.size, at);
    yield {
      name: raw.sh_name,
      type: raw.sh_type,
      offset: fileOffset(raw.sh_offset, at, "sh_offset"),
      size: fileOffset(raw.sh_size, at, "sh_size"),
    };
  }
}

/** The contents of the first section of that name, cut at the end of the file. */
export function sectionNamed(
  bytes: Uint8Array,
  elf: Elf,
  name: string,
  where: Where,
): Uint8Array | undefined {
  const sections = [...elfSections(bytes, elf, where)];
  // Index 0 is the reserved section: no names.
  const strings = sections[elf.sections.names - 1];
  if (!strings) return undefined;
  const wanted = Buffer.from(`${name}\0`, "latin1");
  const found = sections.find((section) => {
    const at = strings.offset + section.name;
    return wanted.equals(bytes.subarray(at, at + wanted.length));
  });
  return found && bytes.subarray(found.offset, found.offset + found.size);
}

/** The physical addresses that the image takes: PT_LOAD segments with any access right, as Xen's libelf has it. */
export function loadRange(elf: Elf): { readonly start: bigint; readonly end: bigint } | undefined {
  let range: { start: bigint; end: bigint } | undefined;
  for (const segment of elf.segments) {
    if (!isLoaded(segment)) continue;
    const end = BigInt.asUintN(64, segment.paddr + BigInt(segment.memsz));
    range = {
      start: range && range.start < segment.paddr ? range.start : segment.paddr,
      end: range && range.end > end ? range.end : end,
    };
  }
  return range;
}

function isLoaded(segment: Segment): boolean {
  return segment.type === PT_LOAD && (segment.flags & PF_MASK) !== 0;
}

/** Where in the file the byte at a virtual address comes from; `undefined` when no PT_LOAD segment holds it. */
export function fileOffsetOf(elf: Elf, address: bigint): number | undefined {
  for (const { type, vaddr, filesz, offset } of elf.segments) {
    if (type !== PT_LOAD || address < vaddr || address >= vaddr + BigInt(filesz)) continue;
    return offset + Number(address - vaddr);
  }
  return undefined;
}
