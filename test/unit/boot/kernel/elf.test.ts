import { describe, expect, test } from "vitest";
import { Budget } from "../../../../src/base/budget.ts";
import { elfNotes } from "../../../../src/boot/kernel/elf-notes.ts";
import {
  elfSections,
  fileOffsetOf,
  loadRange,
  parseElf,
  sectionNamed,
} from "../../../../src/boot/kernel/elf.ts";
import {
  CONTENT_OFFSET,
  elfFile,
  KERNEL_PADDR,
  KERNEL_VADDR,
  note,
} from "../../../support/elf-writer.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const WHERE = ["vmlinux"];

describe.each([64, 32] as const)("an ELF of %i bits", (bits) => {
  const vaddr = bits === 64 ? KERNEL_VADDR : 0xc1000000n;
  const content = Buffer.from("kernel text");
  const sections = [{ name: "__xen_guest", type: 1, content: Buffer.from("GUEST_OS=linux\0") }];
  const file = elfFile({ bits, vaddr, content, notes: [{ type: 8, value: "generic" }], sections });
  const elf = parseElf(file, WHERE);

  test("its headers", () => {
    expect(elf).toMatchObject({ bits, machine: bits === 64 ? 62 : 3, entry: KERNEL_PADDR });
    expect(elf.segments[0]).toEqual({
      type: 1,
      flags: 7,
      offset: CONTENT_OFFSET,
      vaddr,
      paddr: KERNEL_PADDR,
      filesz: content.length,
      memsz: content.length,
    });
    expect(elf.segments[1]!.type).toBe(4);
  });

  test("its addresses", () => {
    expect(loadRange(elf)).toEqual({ start: KERNEL_PADDR, end: KERNEL_PADDR + 11n });
    expect(fileOffsetOf(elf, vaddr + 10n)).toBe(CONTENT_OFFSET + 10);
    expect(fileOffsetOf(elf, vaddr + 11n)).toBeUndefined();
    expect(fileOffsetOf(elf, vaddr - 1n)).toBeUndefined();
  });

  test("its sections", () => {
    expect([...elfSections(file, elf, WHERE)]).toHaveLength(2);
    expect(sectionNamed(file, elf, "__xen_guest", WHERE)).toEqual(sections[0]!.content);
    expect(sectionNamed(file, elf, "__xen", WHERE)).toBeUndefined();
  });

  test("is refused where Xen refuses it, and when it is damaged", async () => {
    const cut = file.subarray(0, file.length - 1);
    expect(() => parseElf(cut, WHERE)).toThrow("where its section headers end");
    expect(() => parseElf(file.subarray(0, 60), WHERE)).toThrow(/bytes/);
    const many = Buffer.from(file);
    many.writeUInt16LE(257, bits === 64 ? 56 : 44);
    expect(() => parseElf(many, WHERE)).toThrow("over the limit of 256");
    const run = await survivesMutation([file], (bytes) => {
      const parsed = parseElf(bytes, WHERE);
      sectionNamed(bytes, parsed, "__xen_guest", WHERE);
      loadRange(parsed);
    });
    expect(run.values).toBeGreaterThan(0);
    expect(run.failures).toBeGreaterThan(0);
  });
});

test("a big-endian ELF and a class of its own are said to be that", () => {
  const big = elfFile();
  big[5] = 2;
  expect(() => parseElf(big, WHERE)).toThrow("not little endian is not supported");
  const odd = elfFile();
  odd[4] = 3;
  expect(() => parseElf(odd, WHERE)).toThrow("ELF class 3");
});

const read = (bytes: Uint8Array, size = bytes.length) => [
  ...elfNotes(bytes, { offset: 0, size }, new Budget(100, WHERE, "notes")),
];

describe("notes", () => {
  test("are padded to 4 bytes, name and contents", () => {
    const bytes = Buffer.concat([
      note({ owner: "GNU", type: 3, value: Buffer.from("odd") }),
      note({ owner: "Linux", type: 0x101, value: 1 }),
      note({ type: 6, value: "linux" }),
    ]);
    expect(read(bytes).map(({ name, type }) => [name, type])).toEqual([
      ["GNU", 3],
      ["Linux", 0x101],
      ["Xen", 6],
    ]);
    expect(read(bytes)[0]!.desc).toEqual(Buffer.from("odd"));
  });

  test("end with their run; the last may end after it, and strings at their NUL", () => {
    const bytes = Buffer.concat([
      note({ type: 6, value: "linux" }),
      note({ type: 8, value: "xen" }),
    ]);
    expect(read(bytes, bytes.length - 1)).toHaveLength(2);
    expect(read(bytes, bytes.length / 2)).toHaveLength(1);
    expect(read(Buffer.alloc(0), 1 << 30)).toHaveLength(0);
    bytes.writeUInt32LE(0, 4);
    expect(read(bytes)[0]!.text()).toBe("linux");
    bytes.writeUInt32LE(0xffff_fffd, 0);
    expect(read(bytes).map(({ desc }) => desc.length)).toEqual([0]);
  });

  test("are counted", () => {
    expect(() => read(Buffer.alloc(12 * 101))).toThrow("over the limit of 100");
  });
});
