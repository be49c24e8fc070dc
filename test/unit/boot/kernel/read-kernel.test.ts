import { gzipSync, zstdCompressSync } from "node:zlib";
import { describe, expect, test } from "vitest";
import { readKernel } from "../../../../src/boot/kernel/read-kernel.ts";
import {
  ALL_FORMATS,
  bzImageFile,
  elfFile,
  formatTable,
  LINUX_NOTES,
  peFile,
  withSize,
} from "../../../support/elf-writer.ts";
import { survivesMutation } from "../../../support/mutate.ts";

const WHERE = ["xvda", "/boot/vmlinuz"];
const read = (bytes: Uint8Array, configText?: string) =>
  readKernel(bytes, "/boot/vmlinuz", {
    where: WHERE,
    ...(configText !== undefined && { configText }),
  });

const BANNER = "Linux version 6.1.176 (a@b) #1 SMP\n\0";
const content = Buffer.concat([formatTable(ALL_FORMATS), Buffer.from(BANNER)]);
const elf = elfFile({ content, notes: LINUX_NOTES });
const plain = elfFile({ content: Buffer.from(BANNER), notes: LINUX_NOTES });
const gzipped = bzImageFile({ payload: gzipSync(elf) });
const zstd = bzImageFile({ payload: withSize(zstdCompressSync(elf), elf.length) });

const CONFIG = "CONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\n# CONFIG_RD_XZ is not set\n";

describe("wrappings", () => {
  const common = { pv: true, pvh: true, bits: 64, machine: "x86_64", elfSizeBytes: elf.length };
  const header = { bootProtocol: 0x20f, version: "6.1.0-50-amd64", commandLineLimit: 2047 };

  test.each<[name: string, file: Uint8Array, facts: object]>([
    ["ELF", elf, { format: "elf", packing: "none", payloadSizeBytes: 0, version: "6.1.176" }],
    ["bzImage with gzip", gzipped, { format: "bzimage", packing: "gzip", ...header }],
    ["bzImage with zstd", zstd, { format: "bzimage", packing: "zstd", ...header }],
    [
      "bzImage with a raw ELF",
      bzImageFile({ payload: elf }),
      { format: "bzimage", packing: "none", ...header },
    ],
    [
      "gzipped ELF",
      gzipSync(elf),
      { format: "elf", packing: "gzip", payloadSizeBytes: gzipSync(elf).length },
    ],
    ["gzipped bzImage", gzipSync(zstd), { format: "bzimage", packing: "zstd", ...header }],
  ])("%s", async (_, file, facts) => {
    const found = await read(file);
    expect(found).toMatchObject({
      ...common,
      ...facts,
      sizeBytes: file.length,
      path: "/boot/vmlinuz",
    });
    expect(found).not.toHaveProperty("failure");
    expect(found).not.toHaveProperty("pvRefusal");
    expect(found.segments).toHaveLength(1);
  });

  test("a UKI: its kernel is read, and Xen would not load it", async () => {
    const found = await read(peFile({ ".linux": zstd, ".initrd": Buffer.from("x") }));
    expect(found).toMatchObject({
      format: "pe",
      packing: "zstd",
      ...header,
      pv: false,
      pvh: false,
    });
    expect(found.pvRefusal!.reason).toBe("format");
    expect(found.xen!.guestOs).toBe("linux");
  });

  test("a bzImage with an EFI stub is a bzImage", async () => {
    const stub = Buffer.from(gzipped);
    stub.write("MZ", 0, "latin1");
    stub.writeUInt32LE(0x80, 0x3c);
    stub.write("PE\0\0", 0x80, "latin1");
    expect(await read(stub)).toMatchObject({ format: "bzimage", pv: true });
  });
});

describe("what cannot be read is said, and the rest kept", () => {
  test.each<[name: string, file: Uint8Array, failure: [string, RegExp], facts: object]>([
    ["empty", Buffer.alloc(0), ["corrupt", /empty/], { format: "unknown" }],
    [
      "text",
      Buffer.from("#!/bin/sh\n"),
      ["corrupt", /neither/],
      { format: "unknown", packing: "unknown" },
    ],
    [
      "zstd as a whole",
      zstdCompressSync(elf),
      ["unsupported", /zstd as a whole/],
      { format: "unknown", packing: "zstd" },
    ],
    [
      "gzip of gzip",
      gzipSync(gzipSync(elf)),
      ["unsupported", /gzip as a whole/],
      { format: "unknown" },
    ],
    [
      "damaged gzip",
      gzipSync(elf).subarray(0, 100),
      ["corrupt", /./],
      { format: "unknown", packing: "gzip" },
    ],
    [
      "cut off",
      zstd.subarray(0, 3000),
      ["corrupt", /a file of 3000 bytes/],
      { format: "bzimage", packing: "zstd", version: "6.1.0-50-amd64", bits: 64 },
    ],
    [
      "unknown payload",
      bzImageFile({ payload: Buffer.from("PKPKPKPK") }),
      ["unsupported", /begins with 504b504b504b/],
      { packing: "unknown" },
    ],
    [
      "no payload",
      bzImageFile({ payload: Buffer.alloc(0) }),
      ["unsupported", /begins with/],
      { packing: "unknown" },
    ],
    [
      "short payload",
      bzImageFile({ payload: Buffer.from([0x1f, 0x8b]) }),
      ["unsupported", /begins with 1f8b/],
      { packing: "gzip" },
    ],
    [
      "wrong size",
      bzImageFile({ payload: withSize(zstdCompressSync(elf), 1) }),
      ["corrupt", /1, the size that it ends with/],
      { packing: "zstd" },
    ],
    [
      "no ELF in it",
      bzImageFile({ payload: gzipSync(Buffer.from("x")) }),
      ["corrupt", /an ELF file/],
      { packing: "gzip", elfSizeBytes: 1 },
    ],
    [
      "ELF cut off",
      elf.subarray(0, elf.length - 1),
      ["corrupt", /section headers end/],
      { format: "elf" },
    ],
    [
      "EFI program",
      peFile({ ".text": Buffer.from("x") }),
      ["missing", /\.linux section/],
      { format: "pe" },
    ],
    [
      "UKI in a UKI",
      peFile({ ".linux": peFile({ ".linux": elf }) }),
      ["corrupt", /neither/],
      { format: "pe" },
    ],
  ])("%s", async (_, file, [kind, text], facts) => {
    const found = await read(file);
    expect(found).toMatchObject({ ...facts, pv: false, pvh: false, segments: [] });
    expect(found.failure!.kind).toBe(kind);
    expect(JSON.stringify(found.failure)).toMatch(text);
    expect(found.failure!.where.slice(0, 2)).toEqual(WHERE);
    expect(found.pvRefusal!.reason).toBe("format");
  });

  test("a segment that ends outside the file", async () => {
    const bad = Buffer.from(elf);
    bad.writeBigUInt64LE(1n << 40n, 64 + 32);
    expect((await read(bad)).failure).toMatchObject({ kind: "corrupt", where: [...WHERE, "ELF"] });
  });
});

describe("which initramfs compressions it unpacks", () => {
  test("the table goes before a configuration", async () => {
    const { decompressors, config } = await read(elf, CONFIG);
    expect(decompressors).toMatchObject({ source: "table", initramfs: true, notConfigured: [] });
    expect(decompressors!.supported).toContain("zstd");
    expect(config!.get("CONFIG_RD_XZ")).toBe("n");
  });

  test("its own configuration goes before the one in /boot", async () => {
    const own = gzipSync("# CONFIG_BLK_DEV_INITRD is not set\n");
    const marked = Buffer.concat([Buffer.from("IKCFG_ST"), own, Buffer.from("IKCFG_ED")]);
    const kernel = elfFile({ content: Buffer.concat([Buffer.from(BANNER), marked]) });
    expect((await read(kernel, CONFIG)).decompressors).toMatchObject({
      source: "ikconfig",
      initramfs: false,
    });
    kernel[kernel.indexOf("IKCFG_ED") - 9]! ^= 0xff;
    expect((await read(kernel, CONFIG)).decompressors!.source).toBe("config");
  });

  test("then /boot/config, also when the kernel cannot be unpacked", async () => {
    expect((await read(plain, CONFIG)).decompressors!.source).toBe("config");
    expect((await read(zstd.subarray(0, 3000), CONFIG)).decompressors).toEqual({
      source: "config",
      supported: ["gzip"],
      notConfigured: ["xz"],
      initramfs: true,
    });
  });

  test("then what the version can know; nothing without a version", async () => {
    expect((await read(plain)).decompressors!.source).toBe("version");
    expect(await read(elfFile())).not.toHaveProperty("decompressors");
  });
});

test("damage gives facts with a failure, never a bug", async () => {
  let failures = 0;
  const inputs = [elf, gzipped, zstd, gzipSync(plain), peFile({ ".linux": zstd })];
  await survivesMutation(inputs, async (bytes) => {
    if ((await read(bytes, CONFIG)).failure) failures += 1;
  });
  expect(failures).toBeGreaterThan(100);
});

test("a signal stops it", async () => {
  const signal = AbortSignal.abort(new Error("enough"));
  await expect(readKernel(zstd, "/k", { where: WHERE, signal })).rejects.toThrow("enough");
});
