/** The rules of xen-abi.ts against the domain builders of three Xens, on small ELF files made for each rule, and on damaged ones. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import type { KernelFacts } from "../../../../src/boot/kernel/kernel-facts.ts";
import { readKernel } from "../../../../src/boot/kernel/read-kernel.ts";
import { compareKernelVersions } from "../../../../src/boot/kernel/version.ts";
import { elfFile } from "../../../support/elf-writer.ts";
import { mutate, randomSource } from "../../../support/mutate.ts";
import { scratch } from "../../../support/need.ts";
import { linux, XEN_ABI_CASES } from "../../../support/xen-abi-cases.ts";
import { BUILDER_XENS, builderVerdict, type BuilderXen } from "../../../support/xen-builder.ts";

const TYPES = ["pv", "pvh"] as const;
/** Every capability that there ever was: what the host allows is not the question here. */
const ALL_CAPS = "xen-3.0-x86_64 xen-3.0-x86_32 xen-3.0-x86_32p hvm-3.0-x86_32";

function builderTakes(path: string, type: "pv" | "pvh", xen: BuilderXen): boolean {
  const verdict = builderVerdict(path, { type, xen, caps: ALL_CAPS });
  // HVM-generic: a 32-bit ELF without notes is taken for firmware, which says nothing of PVH.
  return verdict.ok && verdict.loader !== "HVM-generic";
}

/** What domus and the builder each make of the file; `undefined` where domus leaves it open. */
async function opinions(file: Uint8Array, path: string) {
  writeFileSync(path, file);
  const facts = await readKernel(file, "vmlinux", { where: ["vmlinux"] });
  return BUILDER_XENS.flatMap((xen) =>
    TYPES.map((type) => {
      const domus = domusTakes(facts, type, xen);
      return {
        xen,
        type,
        domus,
        builder: domus === undefined ? domus : builderTakes(path, type, xen),
      };
    }),
  );
}

function domusTakes(facts: KernelFacts, type: "pv" | "pvh", xen: BuilderXen): boolean | undefined {
  // domus is stricter: it says of an ELF that contradicts itself that it does, and no more.
  if (facts.failure) return undefined;
  // Up to 4.15 a PV kernel with a PHYS32_ENTRY was not asked for LOADER and XEN_VERSION, and nobody looked where a
  // PHYS32_ENTRY points. No Linux is like that, and domus speaks by the later rules.
  const { pv, pvh, pvhSince, pvRefusal, pvhRefusal } = facts;
  const laterRules = type === "pv" ? ["loader", "xen-version"] : ["entry"];
  const reason = (type === "pv" ? pvRefusal : pvhRefusal)?.reason;
  if (xen === "4.14" && reason && laterRules.includes(reason)) return undefined;
  return type === "pv" ? pv : pvh && (!pvhSince || compareKernelVersions(xen, pvhSince.xen) >= 0);
}

test.each(XEN_ABI_CASES)("%s", async (_, spec) => {
  for (const { domus, builder, ...asked } of await opinions(
    elfFile(spec),
    join(scratch(), "elf"),
  )) {
    expect({ ...asked, takes: domus }).toEqual({ ...asked, takes: builder });
  }
});

describe("damaged kernels: what domus takes for bootable, the builder takes too, and the other way round", () => {
  test.each([1, 2, 3, 4])("seed %i", async (seed) => {
    const random = randomSource(seed);
    const path = join(scratch(), "elf");
    const file = elfFile(linux([]));
    let asked = 0;
    for (let i = 0; i < 100; i++) {
      const damaged = mutate(file, random);
      if (damaged.length === 0) continue;
      for (const { domus, builder, ...about } of await opinions(damaged, path)) {
        expect({ i, ...about, takes: domus }).toEqual({ i, ...about, takes: builder });
        if (domus !== undefined) asked += 1;
      }
    }
    expect(asked).toBeGreaterThan(200);
  });
});
