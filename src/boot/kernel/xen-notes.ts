/**
 * What a kernel says about itself to Xen: ELF notes with the owner "Xen", or in kernels before 2.6.23 or so a text in
 * the section `__xen_guest`. Types: xen/include/public/elfnote.h. Order of places and the reading of values follow
 * xen: xen/common/libelf/libelf-dominfo.c. BSD_SYMTAB, L1_MFN_VALID and SUSPEND_CANCEL decide nothing here.
 */
import { Budget } from "../../base/budget.ts";
import { within, type Where } from "../../base/where.ts";
import { decodeCString } from "../../bytes/text.ts";
import { elfNotes, type ElfNote } from "./elf-notes.ts";
import { elfSections, PT_NOTE, sectionNamed, SHT_NOTE, type Elf } from "./elf.ts";
import type { XenNotes } from "./kernel-facts.ts";

const XEN_ELFNOTE_ENTRY = 1;
const XEN_ELFNOTE_HYPERCALL_PAGE = 2;
const XEN_ELFNOTE_VIRT_BASE = 3;
const XEN_ELFNOTE_PADDR_OFFSET = 4;
const XEN_ELFNOTE_XEN_VERSION = 5;
const XEN_ELFNOTE_GUEST_OS = 6;
const XEN_ELFNOTE_GUEST_VERSION = 7;
const XEN_ELFNOTE_LOADER = 8;
const XEN_ELFNOTE_PAE_MODE = 9;
const XEN_ELFNOTE_FEATURES = 10;
const XEN_ELFNOTE_INIT_P2M = 15;
const XEN_ELFNOTE_MOD_START_PFN = 16;
const XEN_ELFNOTE_SUPPORTED_FEATURES = 17;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const XEN_ELFNOTE_PHYS32_RELOC = 19;

/** As libelf's ELF_MAX_TOTAL_NOTE_COUNT: over all segments and sections together. */
const MAX_NOTES = 65536;
/** The text of `__xen_guest`; kernels have some 200 bytes. */
const MAX_GUEST_INFO_BYTES = 4096;

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** `undefined` when there are neither notes nor a section of Xen's. */
export function readXenNotes(bytes: Uint8Array, elf: Elf, where: Where): XenNotes | undefined {
  const budget = new Budget(MAX_NOTES, where, "the count of ELF notes");
  const found = { legacySection: false };
  let count = 0;
  for (const { type, offset, filesz } of elf.segments) {
    // Some binutils leave p_offset of PT_NOTE at 0; Xen then looks at the sections instead.
    if (type !== PT_NOTE || offset === 0) continue;
    count += takeNotes(found, elfNotes(bytes, { offset, size: filesz }, budget));
  }
  if (count > 0) return found;
  for (const section of elfSections(bytes, elf, where)) {
    if (section.type === SHT_NOTE) count += takeNotes(found, elfNotes(bytes, section, budget));
  }
  if (count > 0) return found;
  const text = sectionNamed(bytes, elf, "__xen_guest", within(where, "__xen_guest"));
  return text && parseGuestInfo(decodeCString(text.subarray(0, MAX_GUEST_INFO_BYTES)));
}

function takeNotes(into: Mutable<XenNotes>, notes: Iterable<ElfNote>): number {
  let count = 0;
  for (const note of notes) {
    if (note.name !== "Xen") continue;
    count += 1;
    takeNote(into, note);
  }
  return count;
}

/** A note that comes twice: the later one counts, as in libelf. */
function takeNote(into: Mutable<XenNotes>, note: ElfNote): void {
  const { desc } = note;
  switch (note.type) {
    case XEN_ELFNOTE_ENTRY:
      into.entry = numeric(desc);
      break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
      into.hypercallPage = numeric(desc);
      break;
    case XEN_ELFNOTE_VIRT_BASE:
      into.virtBase = numeric(desc);
      break;
    case XEN_ELFNOTE_PADDR_OFFSET:
      into.paddrOffset = numeric(desc);
      break;
    case XEN_ELFNOTE_XEN_VERSION:
      into.xenVersion = note.text();
      break;
    case XEN_ELFNOTE_GUEST_OS:
      into.guestOs = note.text();
      break;
    case XEN_ELFNOTE_GUEST_VERSION:
      into.guestVersion = note.text();
      break;
    case XEN_ELFNOTE_LOADER:
      into.loader = note.text();
      break;
    case XEN_ELFNOTE_PAE_MODE:
      into.paeMode = note.text();
      break;
    case XEN_ELFNOTE_FEATURES:
      into.features = note.text();
      break;
    case XEN_ELFNOTE_INIT_P2M:
      into.initP2m = numeric(desc);
      break;
    case XEN_ELFNOTE_MOD_START_PFN:
      into.modStartPfn = numeric(desc) !== 0n;
      break;
    case XEN_ELFNOTE_SUPPORTED_FEATURES:
      into.supportedFeatures = word(desc, 0);
      break;
    case XEN_ELFNOTE_PHYS32_ENTRY:
      into.phys32Entry = Number(BigInt.asUintN(32, numeric(desc)));
      break;
    case XEN_ELFNOTE_PHYS32_RELOC:
      into.phys32Reloc = relocation(desc);
      break;
    default:
      break;
  }
}

/** 1, 2, 4 or 8 bytes; of any other size libelf makes 0. */
function numeric(desc: Uint8Array): bigint {
  const view = new DataView(desc.buffer, desc.byteOffset, desc.byteLength);
  switch (desc.length) {
    case 1:
      return BigInt(view.getUint8(0));
    case 2:
      return BigInt(view.getUint16(0, true));
    case 4:
      return BigInt(view.getUint32(0, true));
    case 8:
      return view.getBigUint64(0, true);
    default:
      return 0n;
  }
}

/** The 32-bit word at that index; 0 when the note is no array of words or ends before it. */
function word(desc: Uint8Array, index: number): number {
  if (desc.length % 4 !== 0 || index * 4 >= desc.length) return 0;
  return new DataView(desc.buffer, desc.byteOffset, desc.byteLength).getUint32(index * 4, true);
}

/** What is left out of the note: no alignment, anywhere below 4 GiB. */
function relocation(desc: Uint8Array): NonNullable<XenNotes["phys32Reloc"]> {
  return {
    align: desc.length >= 4 ? word(desc, 0) : 0,
    min: desc.length >= 8 ? word(desc, 1) : 0,
    max: desc.length >= 12 ? word(desc, 2) : 0xffff_ffff,
  };
}

/** `GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,...,LOADER=generic`; the first NUL has ended it. */
export function parseGuestInfo(text: string): XenNotes {
  const found: Mutable<XenNotes> = { legacySection: true };
  let hypercallPfn: bigint | undefined;
  for (const item of text.split(",")) {
    const equals = item.indexOf("=");
    const name = equals < 0 ? item : item.slice(0, equals);
    const value = equals < 0 ? "" : item.slice(equals + 1);
    if (name === "LOADER") found.loader = value;
    else if (name === "GUEST_OS") found.guestOs = value;
    else if (name === "GUEST_VER") found.guestVersion = value;
    else if (name === "XEN_VER") found.xenVersion = value;
    else if (name === "PAE") found.paeMode = value;
    else if (name === "FEATURES") found.features = value;
    else if (name === "VIRT_BASE") found.virtBase = strtoull(value);
    else if (name === "VIRT_ENTRY") found.entry = strtoull(value);
    else if (name === "ELF_PADDR_OFFSET") found.paddrOffset = strtoull(value);
    else if (name === "HYPERCALL_PAGE") hypercallPfn = strtoull(value);
  }
  if (hypercallPfn !== undefined) {
    found.hypercallPage = BigInt.asUintN(64, (hypercallPfn << 12n) + (found.virtBase ?? 0n));
  }
  return found;
}

/** C's strtoull with base 0, for the numbers that occur: hexadecimal, octal, decimal; 0 for what is none. */
function strtoull(text: string): bigint {
  const [, hex, octal, decimal] =
    /^\s*(?:0[xX]([0-9a-fA-F]{1,16})|0([0-7]{1,22})|([0-9]{1,20}))/.exec(text) ?? [];
  const literal = hex ? `0x${hex}` : octal ? `0o${octal}` : (decimal ?? "0");
  return BigInt.asUintN(64, BigInt(literal));
}
