import * as fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { BuilderMemoryQuestion } from "../../../src/xen/builder-memory.ts";
import { predictBuilderMemory } from "../../../src/xen/builder-memory.ts";

const MIB = 2 ** 20;

/** Debian's 6.1.0-50-amd64. What Xen says of it is in test/real/xen/builder-memory.test.ts. */
const KERNEL = {
  bits: 64,
  kernelStart: 16777216n,
  kernelEnd: 77594624n,
  virtBase: 0xffffffff80000000n,
  paddrOffset: 0n,
  initP2m: 0x8000000000n,
  modStartPfn: true,
} as const;
/** Debian's initramfs with MODULES=most: 37 MiB of gzip, 132 MiB unpacked. */
const INITRAMFS = { fileBytes: 39_124_845, gzipSizeBytes: 138_387_456 };

function needed(question: Partial<BuilderMemoryQuestion>): number | undefined {
  const whole = { type: "pv", ...KERNEL, inflates: true, memoryMib: 1, ...question } as const;
  return predictBuilderMemory(whole).neededMib;
}

describe("the least memory, as the real builder has it", () => {
  test.each([
    ["PV, no initramfs", {}, 77],
    ["PV, gzip, unpacked by Xen", { ramdisk: INITRAMFS }, 209],
    ["PV, gzip, from Xen 4.20 on", { ramdisk: INITRAMFS, inflates: false }, 114],
    ["PV, zstd", { ramdisk: { fileBytes: 37_100_000 } }, 112],
    ["PVH, no initramfs", { type: "pvh" }, 75],
    ["PVH, gzip, unpacked by Xen", { type: "pvh", ramdisk: INITRAMFS }, 206],
  ] as const)("%s: %s MiB", (_name, question, expected) => {
    expect(needed(question)).toBe(expected);
  });

  test("says what the builder prints", () => {
    const question = { type: "pv", ...KERNEL, inflates: true, ramdisk: INITRAMFS } as const;
    expect(predictBuilderMemory({ ...question, memoryMib: 160 })).toMatchObject({
      fits: false,
      neededMib: 209,
      message: "xc_dom_chk_alloc_pages: segment module0 too large (0x83fb > 0xa000 - 0x4c00 pages)",
    });
    expect(predictBuilderMemory({ ...question, memoryMib: 60 }).message).toBe(
      "xc_dom_chk_alloc_pages: segment kernel too large (0x3a00 > 0x3c00 - 0x1000 pages)",
    );
    const fits = predictBuilderMemory({ ...question, memoryMib: 209 });
    expect(fits).toMatchObject({ fits: true, neededMib: 209 });
    expect(fits).not.toHaveProperty("message");
    expect(fits.parts.map(({ name }) => name)).toEqual([
      "padding",
      "kernel",
      "start info",
      "xenstore",
      "console",
      "page tables",
      "boot stack",
      "padding",
      "module0",
      "phys2mach",
    ]);
  });
});

test("an initramfs beyond 1 GiB never fits; a gzip size beyond it is not believed", () => {
  expect(needed({ ramdisk: { fileBytes: 1024 * MIB + 1 } })).toBeUndefined();
  expect(needed({ ramdisk: { fileBytes: 1024 * MIB } })).toBe(77 + 1024 + 2);
  const bomb = { fileBytes: MIB, gzipSizeBytes: 0xffffffff };
  expect(needed({ ramdisk: bomb })).toBe(needed({ ramdisk: { fileBytes: MIB } }));
});

const maybe = <T>(arbitrary: fc.Arbitrary<T>) => fc.option(arbitrary, { nil: undefined });

test("any numbers: an answer, in bounded time, and one MiB less does not fit", () => {
  const address = fc.bigInt({ min: 0n, max: (1n << 64n) - 1n });
  const near = fc.bigInt({ min: 0n, max: 1n << 30n });
  const question = fc.record({
    type: fc.constantFrom("pv" as const, "pvh" as const),
    bits: fc.constantFrom(32 as const, 64 as const),
    kernelStart: fc.oneof(
      near.map((value) => value & ~4095n),
      address,
    ),
    kernelEnd: fc.oneof(near, address),
    virtBase: maybe(address),
    paddrOffset: maybe(address),
    initP2m: maybe(address),
    modStartPfn: maybe(fc.boolean()),
    ramdisk: maybe(
      fc.record({ fileBytes: fc.nat(2 ** 31 - 1), gzipSizeBytes: maybe(fc.nat(2 ** 31 - 1)) }),
    ),
    inflates: fc.boolean(),
    memoryMib: fc.nat(4096),
  });
  fc.assert(
    fc.property(question, (asked) => {
      const { neededMib, fits } = predictBuilderMemory(asked);
      expect(fits).toBe(neededMib !== undefined && asked.memoryMib >= neededMib);
    }),
    { numRuns: 300 },
  );
});
