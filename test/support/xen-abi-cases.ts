/**
 * What a kernel can say of itself to Xen, and what Xen's domain builder makes of it. `test/unit` compares domus with
 * this list, `test/real` compares both with the builder.
 */
import type { XenRefusal } from "../../src/boot/kernel/kernel-facts.ts";
import { LINUX_NOTES, type ElfSpec, type NoteSpec } from "./elf-writer.ts";

type Reason = XenRefusal["reason"] | undefined;

/** The notes of a Linux without those types, and with others added. */
export const linux = (without: number[], ...more: NoteSpec[]): ElfSpec => ({
  notes: [...LINUX_NOTES.filter(({ type }) => !without.includes(type)), ...more],
});

/** A kernel before ELF notes. */
const legacy = (text: string): ElfSpec => ({
  bits: 32,
  vaddr: 0xc0100000n,
  paddr: 0xc0100000n,
  entry: 0xc0100000n,
  sections: [
    {
      name: "__xen_guest",
      type: 1,
      content: Buffer.from(`XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,${text}\0`),
    },
  ],
});

export const XEN_ABI_CASES: readonly [what: string, spec: ElfSpec, pv: Reason, pvh: Reason][] = [
  ["a Linux", linux([]), undefined, undefined],
  ["no notes", {}, "no-notes", "no-notes"],
  ["no PHYS32_ENTRY", linux([18]), undefined, "no-phys32-entry"],
  ["no ENTRY: the ELF entry is physical", linux([1]), "entry", undefined],
  [
    "no ENTRY, but a virtual ELF entry",
    { ...linux([1]), entry: 0xffffffff81000010n },
    undefined,
    undefined,
  ],
  ["LOADER alone", linux([6]), undefined, undefined],
  ["GUEST_OS alone", linux([8]), undefined, undefined],
  ["neither LOADER nor GUEST_OS", linux([6, 8]), "loader", undefined],
  ["another LOADER and GUEST_OS", linux([6, 8], { type: 6, value: "plan9" }), "loader", undefined],
  ["no XEN_VERSION", linux([5]), "xen-version", undefined],
  ["XEN_VERSION xen-2.0", linux([5], { type: 5, value: "xen-2.0" }), "xen-version", undefined],
  ["XEN_VERSION xen-3.0-x", linux([5], { type: 5, value: "xen-3.0-x" }), undefined, undefined],
  ["dom0 only", linux([10], { type: 10, value: "!dom0" }), "feature", "feature"],
  [
    "an unknown feature wished for",
    linux([10], { type: 10, value: "flying" }),
    undefined,
    undefined,
  ],
  [
    "an unknown feature required",
    linux([10], { type: 10, value: "dom0|!flying" }),
    "feature",
    "feature",
  ],
  [
    "ENTRY behind the image",
    linux([1], { type: 1, value: 0xffffffff81000041n }),
    "entry",
    undefined,
  ],
  [
    "ENTRY at the end of the image",
    linux([1], { type: 1, value: 0xffffffff81000040n }),
    undefined,
    undefined,
  ],
  ["PHYS32_ENTRY before the image", linux([18], { type: 18, value: 0xffffff }), undefined, "entry"],
  ["nothing of PV", linux([1, 3, 4, 5, 8]), "xen-version", undefined],
  ["no VIRT_BASE", linux([3]), "entry", undefined],
  [
    "VIRT_BASE above the image",
    linux([3], { type: 3, value: 0xffffffffff000000n }),
    "entry",
    undefined,
  ],
  [
    "the p2m inside the image",
    linux([15], { type: 15, value: 0xffffffff81000000n }),
    "entry",
    undefined,
  ],
  ["another machine", { ...linux([]), machine: 183 }, "machine", undefined],
  // Kernels with __xen_guest have virtual addresses where physical ones belong, so PADDR_OFFSET is VIRT_BASE unless given.
  ["__xen_guest", legacy("PAE=yes,LOADER=generic"), undefined, "no-notes"],
  ["__xen_guest of another loader", legacy("LOADER=mine,GUEST_OS=plan9"), "loader", "no-notes"],
  [
    "__xen_guest, entry outside",
    { ...legacy("LOADER=generic"), entry: 0x100000n },
    "entry",
    "no-notes",
  ],
  [
    "__xen_guest with its own entry",
    { ...legacy("VIRT_ENTRY=0xC0100010,LOADER=generic"), entry: 0n },
    undefined,
    "no-notes",
  ],
  [
    "__xen_guest that is empty",
    { sections: [{ name: "__xen_guest", type: 1, content: Buffer.alloc(4) }] },
    "loader",
    "no-notes",
  ],
];
