import { describe, expect, test } from "vitest";
import { parseElf } from "../../../../src/boot/kernel/elf.ts";
import { parseGuestInfo, readXenNotes } from "../../../../src/boot/kernel/xen-notes.ts";
import { elfFile, LINUX_NOTES, note, type ElfSpec } from "../../../support/elf-writer.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const notesOf = (spec: ElfSpec) => {
  const file = elfFile(spec);
  return readXenNotes(file, parseElf(file, []), ["vmlinux"]);
};

const NOTE_SECTION = {
  name: ".notes",
  type: 7,
  content: Buffer.concat([note({ type: 6, value: "from-section" })]),
};
const GUEST_SECTION = {
  name: "__xen_guest",
  type: 1,
  content: Buffer.from("GUEST_OS=legacy,LOADER=generic\0,GUEST_OS=after-nul"),
};

describe("where they come from", () => {
  test("PT_NOTE goes before everything", () => {
    const sections = [NOTE_SECTION, GUEST_SECTION];
    expect(notesOf({ notes: [{ type: 6, value: "linux" }], sections })).toEqual({
      legacySection: false,
      guestOs: "linux",
    });
  });

  test("sections of notes are asked when the segments have none of Xen's", () => {
    const notes = [{ owner: "GNU", type: 3, value: "x" }];
    const found = notesOf({ notes, sections: [NOTE_SECTION, GUEST_SECTION] });
    expect(found).toEqual({ legacySection: false, guestOs: "from-section" });
  });

  test("__xen_guest is last, and ends at its NUL", () => {
    expect(notesOf({ sections: [GUEST_SECTION] })).toEqual({
      legacySection: true,
      guestOs: "legacy",
      loader: "generic",
    });
  });

  test("another owner is not Xen", () => {
    expect(notesOf({ notes: [{ owner: "Xxn", type: 6, value: "linux" }] })).toBeUndefined();
    expect(notesOf({ notes: [{ owner: "Xe", type: 6, value: "linux" }] })).toBeUndefined();
    expect(notesOf({})).toBeUndefined();
  });
});

test("the notes of a Linux", () => {
  expect(notesOf({ notes: LINUX_NOTES })).toEqual({
    legacySection: false,
    guestOs: "linux",
    guestVersion: "2.6",
    xenVersion: "xen-3.0",
    loader: "generic",
    virtBase: 0xffffffff80000000n,
    initP2m: 0x8000000000n,
    entry: 0xffffffff81000000n,
    features: "!writable_page_tables|pae_pgdir_above_4gb",
    supportedFeatures: 0x8801,
    paeMode: "yes",
    modStartPfn: true,
    paddrOffset: 0n,
    phys32Entry: 0x1000000,
  });
});

test("numbers of 1, 2, 4 and 8 bytes; of other sizes zero; the later one counts", () => {
  const entry = (value: Uint8Array) => notesOf({ notes: [{ type: 1, value }] })!.entry;
  expect(entry(Buffer.from([0xfe]))).toBe(0xfen);
  expect(entry(Buffer.from([1, 2]))).toBe(0x201n);
  expect(entry(Buffer.from([1, 2, 3]))).toBe(0n);
  expect(entry(Buffer.from([0, 0, 0, 0xc0]))).toBe(0xc0000000n);
  expect(entry(Buffer.alloc(8, 0xff))).toBe(0xffffffffffffffffn);
  const twice = [
    { type: 1, value: 1 },
    { type: 1, value: 2 },
  ];
  expect(notesOf({ notes: twice })!.entry).toBe(2n);
});

const reloc = (words: number[]) =>
  notesOf({ notes: [{ type: 19, value: new Uint8Array(Uint32Array.from(words).buffer) }] })!
    .phys32Reloc;

test("PHYS32_RELOC with and without its limits", () => {
  expect(reloc([0x200000, 0x1000000, 0x3fffffff])).toEqual({
    align: 0x200000,
    min: 0x1000000,
    max: 0x3fffffff,
  });
  expect(reloc([0x200000])).toEqual({ align: 0x200000, min: 0, max: 0xffffffff });
});

test("the text of a 2.6.18 kernel", () => {
  const text =
    "GUEST_OS=linux,GUEST_VER=2.6,XEN_VER=xen-3.0,VIRT_BASE=0xC0000000,ELF_PADDR_OFFSET=0xC0000000," +
    "VIRT_ENTRY=0xC0100000,HYPERCALL_PAGE=0x104,FEATURES=writable_page_tables|auto_translated_physmap," +
    "PAE=yes[extended-cr3],LOADER=generic";
  expect(parseGuestInfo(text)).toEqual({
    legacySection: true,
    guestOs: "linux",
    guestVersion: "2.6",
    xenVersion: "xen-3.0",
    virtBase: 0xc0000000n,
    paddrOffset: 0xc0000000n,
    entry: 0xc0100000n,
    hypercallPage: 0xc0104000n,
    features: "writable_page_tables|auto_translated_physmap",
    paeMode: "yes[extended-cr3]",
    loader: "generic",
  });
  expect(parseGuestInfo("VIRT_BASE=010,VIRT_ENTRY=10,HYPERCALL_PAGE=x,,=")).toEqual({
    legacySection: true,
    virtBase: 8n,
    entry: 10n,
    hypercallPage: 8n,
  });
});

test("damage never gets past as a bug", async () => {
  const files = [
    elfFile({ notes: LINUX_NOTES }),
    elfFile({ bits: 32, vaddr: 0xc1000000n, sections: [NOTE_SECTION, GUEST_SECTION] }),
  ];
  await survivesMutation(files, (bytes) => readXenNotes(bytes, parseElf(bytes, []), []));
});
