/** The rules against Xen's own domain builder of three releases, on some hundred kernels: verdict and words. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { readKernel } from "../../../src/boot/kernel/read-kernel.ts";
import { packingsFromLinkedLibraries } from "../../../src/xen/builder-packings.ts";
import { kernelRefusals } from "../../../src/xen/kernel-rules.ts";
import { assumeXen, withPackings } from "../../../src/xen/xl-info.ts";
import { kernelCases } from "../../support/repack.ts";
import type { BuilderXen } from "../../support/xen-builder.ts";
import { builderVerdict, PV32_CAPS, USUAL_CAPS } from "../../support/xen-builder.ts";

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

describe.each(kernelCases())("$name", (one) => {
  test("is refused when, and with the words that, the builder refuses it", async () => {
    const kernel = await readKernel(readFileSync(one.path()), one.path(), { where: [] });
    for (const type of ["pv", "pvh"] as const) {
      for (const { xen, caps, facts } of hosts(one.variant)) {
        const label = `${type} on ${xen} with ${caps}`;
        const all = kernelRefusals(kernel, type, facts);
        // Then the builder looks at nothing else
        const end = all.findIndex(({ sure }) => sure);
        const refusals = end < 0 ? all : all.slice(0, end + 1);
        const verdict = builderVerdict(one.path(), { type, xen, caps });
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
    }
  });
});
