import { expect, test } from "vitest";
import { parseElf } from "../../../../src/boot/kernel/elf.ts";
import { pvhRefusal, pvhSince, pvRefusal } from "../../../../src/boot/kernel/xen-abi.ts";
import { readXenNotes } from "../../../../src/boot/kernel/xen-notes.ts";
import { elfFile, type ElfSpec } from "../../../support/elf-writer.ts";
import { linux, XEN_ABI_CASES } from "../../../support/xen-abi-cases.ts";

const refusals = (spec: ElfSpec) => {
  const file = elfFile(spec);
  const elf = parseElf(file, []);
  const notes = readXenNotes(file, elf, []);
  return [pvRefusal(elf, notes)?.reason, pvhRefusal(elf, notes)?.reason];
};

test.each(XEN_ABI_CASES)("%s", (_, spec, pv, pvh) => {
  expect(refusals(spec)).toEqual([pv, pvh]);
});

test("the detail names the addresses", () => {
  const file = elfFile(linux([1]));
  const elf = parseElf(file, []);
  expect(pvRefusal(elf, readXenNotes(file, elf, []))!.detail).toBe(
    "it has no ENTRY note, and its ELF entry 0x1000000 lies outside the image (0xffffffff81000000 to 0xffffffff81000040)",
  );
});

test.each<[what: string, spec: ElfSpec, since: string | undefined]>([
  ["with PV, every Xen", linux([]), undefined],
  ["without ENTRY, as Linux of 32 bits since 5.9", linux([1]), "4.16"],
  ["PADDR_OFFSET without VIRT_BASE", linux([3]), "4.18"],
  ["without anything of PV, every Xen: addresses are physical then", linux([1, 3, 4]), undefined],
])("the first Xen that takes it as PVH: %s", (_, spec, since) => {
  const file = elfFile(spec);
  const elf = parseElf(file, []);
  expect(pvhSince(elf, readXenNotes(file, elf, [])!)?.xen).toBe(since);
});
