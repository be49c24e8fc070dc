/** Every cell of releases times packings, against the table that was written down from Xen's sources. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { kernelRefusals } from "../../../src/xen/kernel-rules.ts";
import type { RuledKernel } from "../../../src/xen/kernel-rules.ts";
import { assumeXen } from "../../../src/xen/xl-info.ts";
import { xenKernelsPage } from "../../../tools/xen-kernels-doc.ts";
import { PACKED_AS, unpackedBy, XEN_RELEASES } from "../../support/unpacked-by-release.ts";
import type { PackedAs } from "../../support/unpacked-by-release.ts";

function kernel(packed: PackedAs): RuledKernel {
  const packing = packed === "xz-large-dictionary" ? "xz" : packed;
  const dictionary = { xz: 32, lzma: 64, "xz-large-dictionary": 128 }[packed as string];
  return {
    sizeBytes: 12 << 20,
    format: "bzimage",
    bootProtocol: 0x20f,
    packing,
    ...(dictionary !== undefined && { dictionaryBytes: dictionary << 20 }),
    bits: 64,
    pv: true,
    pvh: true,
  };
}

describe.each(XEN_RELEASES)("Xen %s", (release) => {
  test.each(PACKED_AS)("%s", (packed) => {
    for (const type of ["pv", "pvh"] as const) {
      const [refusal] = kernelRefusals(kernel(packed), type, assumeXen(release));
      expect(refusal ? (refusal.sure ? "n" : "?") : "y").toBe(unpackedBy(packed, release));
    }
  });
});

test("the page about it is current", () => {
  const page = join(import.meta.dirname, "../../../docs/reference/xen-kernels.md");
  expect(readFileSync(page, "utf8")).toBe(xenKernelsPage());
});
