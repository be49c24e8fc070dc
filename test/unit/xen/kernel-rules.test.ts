import { describe, expect, test } from "vitest";
import type { RuledKernel } from "../../../src/xen/kernel-rules.ts";
import { kernelRefusals } from "../../../src/xen/kernel-rules.ts";
import { assumeXen, withPackings } from "../../../src/xen/xl-info.ts";

/** Debian's 6.12: zstd, PV and PVH. The real builder's verdicts are in test/real/xen/kernel-rules.test.ts. */
const KERNEL: RuledKernel = {
  sizeBytes: 12 << 20,
  format: "bzimage",
  bootProtocol: 0x20f,
  packing: "zstd",
  bits: 64,
  pv: true,
  pvh: true,
  xen: { features: "!writable_page_tables|pae_pgdir_above_4gb" },
  version: "6.12.107+deb13-amd64",
};

const NO_LOADER = "xc_dom_find_loader: no loader found";

function asked(change: Partial<RuledKernel>, type: "pv" | "pvh" | "hvm", xen = "4.17") {
  return kernelRefusals({ ...KERNEL, ...change }, type, assumeXen(xen)).map(
    ({ reason, sure, printed }) => [
      sure ? reason : `${reason}?`,
      printed[0]?.replace(/^xc_dom_\w+:? /, ""),
    ],
  );
}

test("taken", () => {
  expect(asked({}, "pv")).toEqual([]);
  expect(asked({}, "pvh", "4.20")).toEqual([]);
  expect(asked({ packing: "none" }, "pv", "4.4")).toEqual([]);
  expect(asked({ format: "elf", packing: "none" }, "pv", "4.4")).toEqual([]);
});

test("an HVM guest boots from its disk", () => {
  expect(asked({ format: "unknown", pv: false, pvh: false }, "hvm")).toEqual([]);
});

describe("packing", () => {
  test.each([
    ["zstd", "4.14", [["packing", "unknown compression format"]]],
    ["zstd", "4.15", []],
    ["lz4", "4.3", [["packing", "unknown compression format"]]],
    ["lz4", "4.9", [["packing", "unable to LZ4 decompress kernel"]]],
    ["lz4", "4.12", [["packing?", "unable to LZ4 decompress kernel"]]],
    ["lz4", "4.12.2", []],
    ["lz4", "4.13", []],
    ["bzip2", "4.17", [["packing?", "unable to BZIP2 decompress kernel"]]],
    ["lz4-frame", "4.20", [["packing", "unknown compression format"]]],
    ["unknown", "4.20", [["packing", "unknown compression format"]]],
  ] as const)("%s on %s", (packing, xen, expected) => {
    expect(asked({ packing }, "pv", xen)).toEqual(expected);
  });

  test.each([
    // 96 MiB is the step of xz below 128
    [96, "4.14", []],
    [128, "4.14", [["packing", "unable to XZ decompress kernel"]]],
    [128, "4.17.5", [["packing?", "unable to XZ decompress kernel"]]],
    [128, "4.20", []],
    [192, "4.20", []],
    [256, "4.20", [["packing", "unable to XZ decompress kernel"]]],
  ] as const)("an xz dictionary of %i MiB on %s", (mib, xen, expected) => {
    expect(asked({ packing: "xz", dictionaryBytes: mib << 20 }, "pv", xen)).toEqual(expected);
  });

  test("what comes to light when one that is certain is mended", () => {
    expect(asked({ pv: false, pvRefusal: { reason: "no-notes" } }, "pv", "4.14")).toEqual([
      ["packing", "unknown compression format"],
      ["not-pv", "no loader found"],
    ]);
  });

  test("known to the release, but built without the library", () => {
    const without = withPackings(assumeXen("4.17"), {
      packings: ["gzip"],
      uncertain: [],
      because: "",
    });
    const first = (packing: RuledKernel["packing"]) =>
      kernelRefusals({ ...KERNEL, packing }, "pv", without)[0]?.printed[0];
    expect(first("zstd")).toBe("xc_dom_probe_bzimage_kernel unable to ZSTD decompress kernel");
    expect(first("lzo")).toBe("xc_dom_probe_bzimage_kernel unable to LZO decompress kernel");
  });

  test("what may be taken can still be refused for another reason", () => {
    expect(asked({ packing: "bzip2", pv: false, pvRefusal: { reason: "no-notes" } }, "pv")).toEqual(
      [
        ["packing?", "unable to BZIP2 decompress kernel"],
        ["not-pv", "no loader found"],
      ],
    );
  });
});

describe("the file", () => {
  test.each([
    ["empty", { sizeBytes: 0, format: "unknown" }, ["empty", "zero length file"]],
    ["a UKI", { format: "pe" }, ["format", "no loader found"]],
    ["2.6.25", { bootProtocol: 0x207 }, ["boot-protocol", "boot protocol too old (0207)"]],
    ["cut off", { failure: { kind: "corrupt" } }, ["damaged", "no loader found"]],
  ] as const)("%s", (_name, change, expected) => {
    expect(asked(change, "pv")).toEqual([expected]);
    expect(asked(change, "pvh")).toEqual([expected]);
  });
});

test("what domus could not unpack says nothing of the kernel", () => {
  const unread = {
    failure: { kind: "limit" },
    pv: false,
    pvh: false,
    pvRefusal: { reason: "format" },
    pvhRefusal: { reason: "format" },
  };
  expect(asked(unread, "pv")).toEqual([]);
  expect(asked(unread, "pvh", "4.14")).toEqual([["packing", "unknown compression format"]]);
});

test("a damaged kernel that is packed in a wrong way, too", () => {
  const failure = { kind: "corrupt" };
  expect(asked({ failure }, "pv", "4.14")).toEqual([
    ["damaged", "no loader found"],
    ["packing", "unknown compression format"],
  ]);
  expect(asked({ failure, packing: "unknown" }, "pv")).toEqual([["damaged", "no loader found"]]);
});

describe("what the kernel can be", () => {
  const none = {
    pv: false,
    pvh: false,
    pvRefusal: { reason: "no-notes" },
    pvhRefusal: { reason: "no-notes" },
  };
  const notPvh = { pvh: false, pvhRefusal: { reason: "no-phys32-entry" } };

  test("no notes", () => {
    expect(asked(none, "pv")).toEqual([["not-pv", "no loader found"]]);
    expect(asked(none, "pvh")).toEqual([["not-pvh", "no loader found"]]);
    const elf = { ...none, format: "elf", packing: "none" } as const;
    expect(asked(elf, "pvh")).toEqual([["not-pvh", "ELF image is not 32bit"]]);
    // Xen starts it as firmware, without a word
    expect(asked({ ...elf, bits: 32 }, "pvh")).toEqual([["not-pvh", undefined]]);
    // Unless the host runs no HVM, which comes first then
    const unable = { ...assumeXen("4.17"), caps: ["xen-3.0-x86_64"] };
    const refusals = kernelRefusals({ ...KERNEL, ...elf, bits: 32 }, "pvh", unable);
    expect(refusals.map(({ reason }) => reason)).toEqual(["host", "not-pvh"]);
  });

  test("PV only", () => {
    expect(asked(notPvh, "pv")).toEqual([]);
    expect(asked(notPvh, "pvh")).toEqual([
      ["not-pvh", "image not capable of booting inside a HVM container"],
    ]);
  });

  test("PVH from some release on", () => {
    const late = { pvhSince: { xen: "4.16" }, packing: "xz" } as const;
    expect(asked(late, "pvh", "4.16")).toEqual([]);
    expect(asked(late, "pvh", "4.15")).toEqual([["not-pvh", "no loader found"]]);
  });

  test("dom0 only", () => {
    const dom0 = {
      pv: false,
      pvRefusal: { reason: "feature" },
      xen: { features: "writable_page_tables|!dom0" },
    };
    expect(asked(dom0, "pv")).toEqual([
      ["dom0-only", "Kernel does not support unprivileged (DomU) operation"],
    ]);
    expect(asked({ ...dom0, xen: { features: "!future" } }, "pv")).toEqual([
      ["not-pv", "no loader found"],
    ]);
  });
});

test("what the host can run", () => {
  expect(kernelRefusals(KERNEL, "pv", { ...assumeXen("4.17"), caps: [] })).toEqual([]);
  expect(asked({ bits: 32, packing: "xz" }, "pv", "4.13")).toEqual([]);
  expect(asked({ bits: 32, packing: "xz" }, "pv", "4.14")).toEqual([
    ["host", "guest type xen-3.0-x86_32p not supported by xen kernel, sorry"],
  ]);
  const host = { ...assumeXen("4.17"), caps: ["xen-3.0-x86_64"] };
  expect(kernelRefusals(KERNEL, "pvh", host)[0]?.printed).toEqual([
    "xc_dom_compat_check: guest type hvm-3.0-x86_32 not supported by xen kernel, sorry",
  ]);
  expect(kernelRefusals({ ...KERNEL, pv: false }, "pv", host)[0]?.printed).toEqual([NO_LOADER]);
});
