/** The rules of xen-abi.ts against Xen's own domain builder, on small ELF files made for each rule, and on damaged ones. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readKernel } from "../../../../src/boot/kernel/read-kernel.ts";
import { elfFile } from "../../../support/elf-writer.ts";
import { mutate, randomSource } from "../../../support/mutate.ts";
import { scratch } from "../../../support/need.ts";
import { linux, XEN_ABI_CASES } from "../../../support/xen-abi-cases.ts";
import { builderVerdict } from "../../../support/xen-builder.ts";

/** Every capability that there ever was: what the host allows is not the question here. */
const ALL_CAPS = "xen-3.0-x86_64 xen-3.0-x86_32 xen-3.0-x86_32p hvm-3.0-x86_32";

function builderTakes(path: string, type: "pv" | "pvh"): boolean {
  const verdict = builderVerdict(path, { type, caps: ALL_CAPS });
  // HVM-generic: a 32-bit ELF without notes is taken for firmware, which says nothing of PVH.
  return verdict.ok && verdict.loader !== "HVM-generic";
}

test.each(XEN_ABI_CASES)("%s", (_, spec, pv, pvh) => {
  const path = join(scratch(), "vmlinux");
  writeFileSync(path, elfFile(spec));
  expect(builderTakes(path, "pv")).toBe(pv === undefined);
  expect(builderTakes(path, "pvh")).toBe(pvh === undefined);
});

test("damaged kernels: what domus takes for bootable, the builder takes too, and the other way round", async () => {
  const random = randomSource(42);
  const path = join(scratch(), "vmlinux");
  const file = elfFile(linux([]));
  const differences: string[] = [];
  let whole = 0;
  for (let i = 0; i < 400; i++) {
    const damaged = mutate(file, random);
    writeFileSync(path, damaged.length > 0 ? damaged : Buffer.alloc(1));
    const facts = await readKernel(damaged, "vmlinux", { where: ["vmlinux"] });
    // domus is stricter: it says of an ELF that contradicts itself that it does, and no more.
    if (facts.failure) continue;
    whole += 1;
    for (const type of ["pv", "pvh"] as const) {
      if (builderTakes(path, type) !== facts[type]) differences.push(`mutation ${i}, ${type}`);
    }
  }
  expect(differences).toEqual([]);
  expect(whole).toBeGreaterThan(200);
});
