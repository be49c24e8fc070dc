import { expect, test } from "vitest";
import { findIkconfig } from "../../../../src/boot/kernel/ikconfig.ts";
import {
  configDecompressors,
  parseKernelConfig,
} from "../../../../src/boot/kernel/kernel-config.ts";
import {
  compareKernelVersions,
  findBanner,
  knownCompressions,
  versionNumbers,
} from "../../../../src/boot/kernel/version.ts";

test("versions are compared by number, not by text", () => {
  const sorted = [
    "2.6.9",
    "2.6.30",
    "3.2",
    "3.11.0-1",
    "4.9.0-19-amd64",
    "4.11.7-1-ARCH",
    "5.9",
    "5.10.1",
    "6.12",
  ];
  expect(sorted.toReversed().sort(compareKernelVersions)).toEqual(sorted);
  expect(compareKernelVersions("6.1.0-50-amd64", "6.1")).toBe(0);
  expect(compareKernelVersions("nonsense", "0.1")).toBeLessThan(0);
  expect(versionNumbers("5")).toBeUndefined();
});

test("which compressions a version can know", () => {
  expect(knownCompressions("2.6.29")).toEqual(["gzip"]);
  expect(knownCompressions("4.11.7-1-ARCH")).toEqual(["gzip", "bzip2", "lzma", "lzo", "xz", "lz4"]);
  expect(knownCompressions("5.8.18")).not.toContain("zstd");
  expect(knownCompressions("5.9.0-rc1")).toContain("zstd");
});

test("the banner, not the format string beside it", () => {
  const text = "x\0Linux version %s (%s)\0Linux version 6.1.176-1 (a@b) (gcc) #1 SMP\n\0y";
  expect(findBanner(Buffer.from(text))).toBe("6.1.176-1 (a@b) (gcc) #1 SMP");
  expect(findBanner(Buffer.from("Linux version "))).toBeUndefined();
  const long = Buffer.from(`Linux version 1.2${"3".repeat(10_000)}`);
  expect(findBanner(long)).toHaveLength(512);
});

test("a build configuration", () => {
  const config = parseKernelConfig(
    "#\n# Automatically generated file\nCONFIG_BLK_DEV_INITRD=y\nCONFIG_RD_GZIP=y\r\n# CONFIG_RD_XZ is not set\n" +
      'CONFIG_LOCALVERSION="-my=kernel"\nCONFIG_HZ=250\nCONFIG_EMPTY=""\nrubbish\n#CONFIG_X=y\n',
  );
  expect(Object.fromEntries(config)).toEqual({
    CONFIG_BLK_DEV_INITRD: "y",
    CONFIG_RD_GZIP: "y",
    CONFIG_RD_XZ: "n",
    CONFIG_LOCALVERSION: "-my=kernel",
    CONFIG_HZ: "250",
    CONFIG_EMPTY: "",
  });
  expect(configDecompressors(config, "config")).toEqual({
    source: "config",
    supported: ["gzip"],
    notConfigured: ["xz"],
    initramfs: true,
  });
  const none = parseKernelConfig("# CONFIG_BLK_DEV_INITRD is not set\n");
  expect(configDecompressors(none, "ikconfig")).toMatchObject({ supported: [], initramfs: false });
  expect(configDecompressors(parseKernelConfig("<html>"), "config")).toBeUndefined();
});

test("the configuration inside a kernel", () => {
  const packed = Buffer.from([0x1f, 0x8b, 8, 1, 2, 3]);
  const kernel = Buffer.concat([Buffer.from("..IKCFG_ST"), packed, Buffer.from("IKCFG_ED..")]);
  expect(findIkconfig(kernel)).toEqual(packed);
  expect(findIkconfig(kernel.subarray(0, 20))).toBeUndefined();
  expect(findIkconfig(Buffer.from("IKCFG_ST no gzip IKCFG_ED"))).toBeUndefined();
});
