import { describe, expect, test } from "vitest";
import { decodeText } from "../../../src/bytes/text.ts";
import { packingsFromLinkedLibraries } from "../../../src/xen/builder-packings.ts";
import { assumeXen, parseXlInfo, withPackings } from "../../../src/xen/xl-info.ts";
import { survivesMutation } from "../../support/mutate.ts";

const XL_INFO = `host                   : hosta
release                : 6.1.0-50-amd64
nr_cpus                : 8
virt_caps              : pv hvm hap shadow gnttab-v1 gnttab-v2
total_memory           : 32634
free_memory            : 1021
xen_major              : 4
xen_minor              : 17
xen_extra              : .5
xen_version            : 4.17.5
xen_caps               : xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64 
xen_commandline        : placeholder dom0_mem=2G
build_id               : a:b:c
`;

test("xl info", () => {
  expect(parseXlInfo(XL_INFO)).toMatchObject({
    version: { major: 4, minor: 17, extra: ".5" },
    source: "xl-info",
    caps: ["xen-3.0-x86_64", "hvm-3.0-x86_32", "hvm-3.0-x86_32p", "hvm-3.0-x86_64"],
    kernelPackings: ["gzip", "lzma", "xz", "lz4", "zstd"],
    uncertainPackings: ["bzip2", "lzo"],
    inflatesRamdisk: true,
    lz4: "fixed",
    freeMemoryKib: 1021 * 1024,
    totalMemoryKib: 32634 * 1024,
  });
});

test.each([
  "",
  "host : x\n",
  XL_INFO.replace("xen_minor", "xen_miner"),
  XL_INFO.replace("xen_caps", "xen_hats"),
])("what is no xl info: %#", (text) =>
  expect(() => parseXlInfo(text)).toThrow("xl info: found no xen_"),
);

const packed = (text: string) => assumeXen(text).kernelPackings;

describe("a version alone", () => {
  test("kernel packings by release", () => {
    expect(packed("4.0")).toEqual(["gzip", "lzma"]);
    expect(packed("4.1")).not.toContain("xz");
    expect(packed("4.2")).toContain("xz");
    expect(packed("4.3")).not.toContain("lz4");
    expect(packed("4.4")).toContain("lz4");
    expect(packed("4.14")).not.toContain("zstd");
    expect(packed("4.15")).toContain("zstd");
    expect(assumeXen("4.0").uncertainPackings).toEqual(["bzip2"]);
    expect(assumeXen("4.17").kernelPackingsBecause).toBe(
      "Xen 4.17 can unpack these; bzip2 and lzo only when it was built with their libraries",
    );
  });

  test("what else changed", () => {
    expect(assumeXen("4.19").inflatesRamdisk).toBe(true);
    expect(assumeXen("4.20").inflatesRamdisk).toBe(false);
    expect(assumeXen("4.13").caps).toContain("xen-3.0-x86_32p");
    expect(assumeXen("4.14").caps).not.toContain("xen-3.0-x86_32p");
  });

  test.each([
    ["4.4", "maybe"],
    ["4.4.0", "fixed"],
    ["4.4.1", "broken"],
    ["4.9.4", "broken"],
    ["4.10", "maybe"],
    ["4.10.4", "broken"],
    ["4.10.4+xs1", "maybe"],
    ["4.10.5-pre", "maybe"],
    ["4.11", "maybe"],
    ["4.11.3", "broken"],
    // As Ubuntu 20.04 has it
    ["4.11.4-pre", "maybe"],
    ["4.11.4", "fixed"],
    ["4.11.4-1ubuntu2", "fixed"],
    ["4.12.1", "broken"],
    ["4.12.2", "fixed"],
    ["4.13.0", "fixed"],
    ["4.20", "fixed"],
  ])("lz4 of %s: %s", (xen, fix) => {
    expect(assumeXen(xen).lz4).toBe(fix);
  });

  test.each([
    ["4.4", 128, 128],
    ["4.16.7", 128, 128],
    // Debian's has it added
    ["4.17.5", 128, 256],
    ["4.18", 128, 256],
    ["4.18.4", 128, 256],
    ["4.18.5", 256, 256],
    ["4.19.1", 128, 256],
    ["4.19.2", 256, 256],
    ["4.20.0", 256, 256],
  ])("dictionaries of %s: taken below %i MiB, refused from %i", (xen, taken, refused) => {
    expect(assumeXen(xen).dictionary).toEqual({
      takenBelowBytes: taken << 20,
      refusedFromBytes: refused << 20,
    });
  });

  test.each([
    ["4.14", ""],
    ["4.17.5", ".5"],
    ["4.17.5-debian", ".5-debian"],
    ["4.20-unstable", "-unstable"],
  ])("%s", (text, extra) => {
    expect(assumeXen(text)).toMatchObject({ source: "assumed", version: { major: 4, extra } });
  });

  test.each(["", "4", "xen", "4.", "4.x", "5.0", "2.0", "4.14 ", "v4.14", "4.14\n4", "04.14.é"])(
    "nonsense: %j",
    (text) => {
      expect(() => assumeXen(text)).toThrow("expected a version of Xen such as 4.14 or 4.17.5");
    },
  );
});

describe("what libxenguest is linked with", () => {
  const version = { major: 4, minor: 17, extra: "" };
  const debian = [
    "libxenctrl.so.4.17",
    "/lib/x86_64-linux-gnu/liblzma.so.5",
    "libzstd.so.1",
    "libz.so.1",
  ];

  test("Debian's build", () => {
    const known = packingsFromLinkedLibraries(version, debian);
    expect(known.packings).toEqual(["gzip", "lzma", "xz", "lz4", "zstd"]);
    expect(known.uncertain).toEqual([]);
    const facts = withPackings(assumeXen("4.17"), known);
    expect(facts.uncertainPackings).toEqual([]);
    expect(facts.kernelPackingsBecause).toBe(
      "libxenguest of Xen 4.17 is linked with liblzma, libzstd",
    );
  });

  test("a full build, a bare one, and one from 4.22 on", () => {
    const all = [...debian, "libbz2.so.1.0", "liblzo2.so.2"];
    expect(packingsFromLinkedLibraries(version, all).packings).toHaveLength(7);
    expect(packingsFromLinkedLibraries(version, []).packings).toEqual(["gzip", "lz4"]);
    const newer = { ...version, minor: 22 };
    expect(packingsFromLinkedLibraries(newer, all).packings).not.toContain("lz4");
    expect(packingsFromLinkedLibraries(newer, [...all, "liblz4.so.1"]).packings).toContain("lz4");
    expect(packingsFromLinkedLibraries({ ...version, minor: 14 }, all).packings).not.toContain(
      "zstd",
    );
  });
});

test("damaged text is facts or a failure", async () => {
  await survivesMutation(
    [new TextEncoder().encode(XL_INFO)],
    (bytes) => parseXlInfo(decodeText(bytes)),
    {
      count: 500,
      maxMs: 100,
    },
  );
});
