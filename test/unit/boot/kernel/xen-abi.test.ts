import { expect, test } from "vitest";
import { parseElf } from "../../../../src/boot/kernel/elf.ts";
import { pvhRefusal, pvRefusal } from "../../../../src/boot/kernel/xen-abi.ts";
import { readXenNotes } from "../../../../src/boot/kernel/xen-notes.ts";
import { elfFile, LINUX_NOTES, type ElfSpec, type NoteSpec } from "../../../support/elf-writer.ts";

const refusals = (spec: ElfSpec) => {
  const file = elfFile(spec);
  const elf = parseElf(file, []);
  const notes = readXenNotes(file, elf, []);
  return [pvRefusal(elf, notes)?.reason, pvhRefusal(elf, notes)?.reason];
};
/** The notes of a Linux without those types, and with others added. */
const linux = (without: number[], ...more: NoteSpec[]) => ({
  notes: [...LINUX_NOTES.filter(({ type }) => !without.includes(type)), ...more],
});

test.each<[what: string, spec: ElfSpec, pv: string | undefined, pvh: string | undefined]>([
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
])("%s", (_, spec, pv, pvh) => {
  expect(refusals(spec)).toEqual([pv, pvh]);
});

test("a kernel with __xen_guest: PV without an entry of its own, never PVH", () => {
  const text = "GUEST_OS=linux,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,LOADER=generic\0";
  const sections = [{ name: "__xen_guest", type: 1, content: Buffer.from(text) }];
  // Such kernels have virtual addresses where physical ones belong; PADDR_OFFSET is VIRT_BASE unless given.
  const old = { bits: 32, vaddr: 0xc0100000n, paddr: 0xc0100000n, entry: 0xc0100000n } as const;
  expect(refusals({ ...old, sections })).toEqual([undefined, "no-notes"]);
  expect(refusals({ ...old, entry: 0x100000n, sections })).toEqual(["entry", "no-notes"]);
});

test("the detail names the addresses", () => {
  const file = elfFile(linux([1]));
  const elf = parseElf(file, []);
  expect(pvRefusal(elf, readXenNotes(file, elf, []))!.detail).toBe(
    "it has no ENTRY note, and its ELF entry 0x1000000 lies outside the image (0xffffffff81000000 to 0xffffffff81000040)",
  );
});
