import { describe, expect, test } from "vitest";
import { cpuTime } from "../../../support/cpu-time.ts";
import { findDecompressorTable } from "../../../../src/boot/kernel/decompressor-table.ts";
import { parseElf } from "../../../../src/boot/kernel/elf.ts";
import {
  ALL_FORMATS,
  elfFile,
  formatTable,
  KERNEL_VADDR,
  type FormatEntry,
} from "../../../support/elf-writer.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const ALL = ["gzip", "bzip2", "lzma", "xz", "lzo", "lz4", "zstd"];

const find = (file: Uint8Array, version?: string) =>
  findDecompressorTable(file, parseElf(file, []), version);
const tableOf = (entries: readonly FormatEntry[], version?: string) =>
  find(elfFile({ content: formatTable(entries) }), version);
const leftOut = (...names: string[]) =>
  ALL_FORMATS.map(([magic, name]): FormatEntry => [magic, name, !names.includes(name)]);

describe.each([
  { bits: 64, vaddr: KERNEL_VADDR },
  { bits: 32, vaddr: 0xc1000000n },
] as const)("in a kernel of $bits bits", ({ bits, vaddr }) => {
  const content = formatTable(ALL_FORMATS, { bits, vaddr });
  const file = elfFile({ bits, vaddr, content });

  test("all formats", () => {
    expect(find(file)).toEqual({ supported: ALL, notConfigured: [] });
  });

  test("behind bytes that only begin like it", () => {
    const decoys = Buffer.alloc(bits * 4);
    decoys.writeUInt16BE(0x1f8b, 0);
    decoys.writeUInt16BE(0x1f8b, bits);
    decoys.writeUInt16BE(0x1f9e, bits + (bits / 8) * 3);
    const moved = formatTable(ALL_FORMATS, { bits, vaddr: vaddr + BigInt(decoys.length) });
    const found = find(elfFile({ bits, vaddr, content: Buffer.concat([decoys, moved]) }));
    expect(found?.supported).toContain("zstd");
  });

  test("damage", async () => {
    await survivesMutation([file], (bytes) => find(bytes));
  });
});

test("a format that was left out, and one that is newer than the kernel", () => {
  const found = tableOf(leftOut("bzip2", "zstd").filter(([, name]) => name !== "lz4"));
  expect(found).toEqual({
    supported: ["gzip", "lzma", "xz", "lzo"],
    notConfigured: ["bzip2", "zstd"],
  });
});

test("a format of the future is passed over", () => {
  const found = tableOf([...ALL_FORMATS, [[0x4c, 0x5a], "lzip", true]]);
  expect(found?.supported).toEqual(ALL);
});

test("2.6.30 stops at the first that was left out, 2.6.32 does not", () => {
  const early = leftOut("bzip2").slice(0, 4);
  expect(tableOf(early, "2.6.30")).toEqual({
    supported: ["gzip"],
    notConfigured: ["bzip2", "lzma"],
  });
  expect(tableOf(early, "2.6.32")?.supported).toContain("lzma");
});

test("is not found where names or functions lead out of the kernel", () => {
  const content = formatTable(ALL_FORMATS);
  expect(find(elfFile({ content }))).toBeDefined();
  for (const at of [8, 16]) {
    const bad = Buffer.from(content);
    bad.writeBigUInt64LE(KERNEL_VADDR - 1n, at);
    expect(find(elfFile({ content: bad }))).toBeUndefined();
  }
  expect(find(elfFile({ content: content.subarray(0, 100) }))).toBeUndefined();
  expect(find(elfFile())).toBeUndefined();
});

test("a file made of beginnings takes no time", () => {
  const content = Buffer.alloc(32 << 20, Buffer.from("1f8b000000000000", "hex"));
  const took = cpuTime();
  expect(find(elfFile({ content }))).toBeUndefined();
  expect(took()).toBeLessThan(500);
});
