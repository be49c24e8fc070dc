/**
 * The rules on some hundred kernels: against Xen's own domain builder of three releases, verdict and words; and against
 * a table of what every release unpacks.
 */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readKernel } from "../../../src/boot/kernel/read-kernel.ts";
import { packingsFromLinkedLibraries } from "../../../src/xen/builder-packings.ts";
import { kernelRefusals } from "../../../src/xen/kernel-rules.ts";
import { assumeXen, withPackings } from "../../../src/xen/xl-info.ts";
import type { KernelFacts } from "../../../src/boot/kernel/kernel-facts.ts";
import { kernelCases } from "../../support/repack.ts";
import type { KernelCase } from "../../support/repack.ts";
import { unpackedBy, XEN_RELEASES } from "../../support/unpacked-by-release.ts";
import type { Cell, PackedAs, XenRelease } from "../../support/unpacked-by-release.ts";
import type { BuilderXen } from "../../support/xen-builder.ts";
import { askBuilder, PV32_CAPS, USUAL_CAPS } from "../../support/xen-builder.ts";

/** What Debian's libxenguest is linked with, in the releases of all three. */
const DEBIAN_LINKS = ["liblzma.so.5", "libz.so.1", "libzstd.so.1"];

const host = (xen: BuilderXen, caps: string) => {
  const assumed = assumeXen(xen);
  const known = packingsFromLinkedLibraries(assumed.version, DEBIAN_LINKS);
  return { xen, caps, facts: { ...withPackings(assumed, known), caps: caps.split(" ") } };
};

/** The oldest and the newest; and, where it is quick, hosts that cannot run everything (4.14's builder asks for that later). */
function hosts(variant: string) {
  const able = [host("4.14", PV32_CAPS), host("4.20", PV32_CAPS)];
  const unable = [USUAL_CAPS, "xen-3.0-x86_64", "hvm-3.0-x86_32"].map((caps) => host("4.17", caps));
  return variant.startsWith("elf") ? [...able, host("4.17", PV32_CAPS), ...unable] : able;
}

let last: { readonly name: string; readonly facts: Promise<KernelFacts> } | undefined;

/** Both tests of a case are about the same facts. */
function readOnce(one: KernelCase): Promise<KernelFacts> {
  if (last?.name !== one.name) {
    const facts = readKernel(readFileSync(one.path()), one.path(), { where: [] });
    last = { name: one.name, facts };
  }
  return last.facts;
}

/** How a case is packed, for what the releases make of that. Undefined: it is damaged, and none takes it. */
function packedAs({ variant, packing, failure, format }: KernelCase): PackedAs | undefined {
  if (packing === "lz4-frame") return packing;
  if (failure) return undefined;
  if (variant === "xz-large-dictionary") return variant;
  return format === "elf" || packing === "unknown" ? "none" : packing;
}

/** What the release makes of the case as a guest of that type, by the tables and nothing that domus read. */
function expectedOf(one: KernelCase, type: "pv" | "pvh", release: XenRelease): Cell {
  const packed = packedAs(one);
  if (!packed || one.variant === "elf-other-owner") return "n";
  if (one.kernel === "5.10-686-pae") {
    // A kernel for PVH without an ENTRY note: nothing for PV, and too strange for PVH before 4.16
    const minor = Number(release.split(".")[1]);
    if (type === "pv" || minor < 16) return "n";
  }
  return unpackedBy(packed, release);
}

describe.each(kernelCases())("$name", (one) => {
  test("is taken by the releases that take it", async () => {
    const kernel = await readOnce(one);
    for (const type of ["pv", "pvh"] as const) {
      const row = (cell: (release: XenRelease) => Cell) =>
        XEN_RELEASES.map((release) => `${release} ${cell(release)}`);
      const ours = row((release) => {
        const refusals = kernelRefusals(kernel, type, assumeXen(release));
        if (refusals.length === 0) return "y";
        return refusals.some(({ sure }) => sure) ? "n" : "?";
      });
      expect(ours, type).toEqual(row((release) => expectedOf(one, type, release)));
    }
  });

  test("is refused when, and with the words that, the builder refuses it", async () => {
    const asked = (["pv", "pvh"] as const).flatMap((type) =>
      hosts(one.variant).map(async (where) => ({
        ...where,
        type,
        verdict: await askBuilder(one.path(), { type, xen: where.xen, caps: where.caps }),
      })),
    );
    // The builders run meanwhile
    const kernel = await readOnce(one);
    for (const { type, xen, caps, facts, verdict } of await Promise.all(asked)) {
      const label = `${type} on ${xen} with ${caps}`;
      const all = kernelRefusals(kernel, type, facts);
      // Then the builder looks at nothing else
      const end = all.findIndex(({ sure }) => sure);
      const refusals = end < 0 ? all : all.slice(0, end + 1);
      if (verdict.loader === "HVM-generic") {
        expect(refusals, label).toEqual([{ reason: "not-pvh", sure: true, printed: [] }]);
        continue;
      }
      expect(refusals.length === 0, `${label}: ${verdict.messages.join("; ")}`).toBe(verdict.ok);
      if (verdict.ok) continue;
      expect(
        refusals.every(({ sure }) => sure),
        label,
      ).toBe(true);
      // The last lines of what was printed, each of them in its place
      const printed = refusals.flatMap((refusal) => refusal.printed);
      expect(verdict.messages.slice(-printed.length), label).toEqual(
        printed.map((line) => expect.stringContaining(line)),
      );
    }
  });
});
