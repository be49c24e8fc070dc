/**
 * The prediction against Xen's own domain builder, at the boundary: one MiB less fails, with the very message. Real
 * kernels, and made-up ones for what no current kernel has (32-bit PV, an initramfs that must be mapped, ...).
 */
import { randomBytes } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import * as fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { debianKernel, KERNEL_NAMES } from "../../../lab/debian.ts";
import { readKernel } from "../../../src/boot/kernel/read-kernel.ts";
import type { BuilderMemoryQuestion } from "../../../src/xen/builder-memory.ts";
import { predictBuilderMemory } from "../../../src/xen/builder-memory.ts";
import type { MadeUpKernel } from "../../support/made-up-kernel.ts";
import { madeUpKernel } from "../../support/made-up-kernel.ts";
import type { BuilderXen } from "../../support/xen-builder.ts";
import { BUILDER_XENS, builderVerdict, PV32_CAPS } from "../../support/xen-builder.ts";

const dir = mkdtempSync(join(tmpdir(), "domus-memory-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array): string {
  const path = join(dir, name);
  writeFileSync(path, bytes);
  return path;
}

/** Like an initramfs: a part that packs well, and one that does not. */
const CPIO = Buffer.concat([Buffer.alloc(30 << 20, "initramfs "), randomBytes(9 << 20)]);
const RAMDISKS: Record<string, string | undefined> = {
  none: undefined,
  plain: file("plain", CPIO),
  gzip: file("gzip", gzipSync(CPIO, { level: 1 })),
  zstd: file("zstd", zstdCompressSync(CPIO)),
  // The last four bytes of the file are what the builder takes for the unpacked size, whatever is there
  "gzip, padded": file("padded", Buffer.concat([gzipSync(CPIO, { level: 1 }), Buffer.alloc(512)])),
  "gzip, insane size": file("insane", Buffer.concat([gzipSync("x"), Buffer.from([0, 0, 0, 0x50])])),
};

type Fixed = Omit<BuilderMemoryQuestion, "memoryMib" | "ramdisk" | "inflates">;

function agrees(kernelPath: string, fixed: Fixed, { ramdisk, xen }: Guest): void {
  const bytes = ramdisk === undefined ? undefined : readFileSync(ramdisk);
  const isGzip = bytes?.[0] === 0x1f && bytes[1] === 0x8b;
  const question = {
    ...fixed,
    inflates: xen !== "4.20",
    ramdisk: bytes && {
      fileBytes: bytes.length,
      gzipSizeBytes: isGzip ? bytes.readUInt32LE(bytes.length - 4) : undefined,
    },
  };
  const ask = (memoryMib: number) => {
    const guest = {
      type: fixed.type,
      xen,
      caps: PV32_CAPS,
      memoryMib,
      ...(ramdisk && { ramdisk }),
    };
    return builderVerdict(kernelPath, guest);
  };
  const refuses = (memoryMib: number) => {
    const verdict = ask(memoryMib);
    expect(verdict.ok, `${memoryMib} MiB`).toBe(false);
    const { message, fits } = predictBuilderMemory({ ...question, memoryMib });
    expect(fits).toBe(false);
    expect(verdict.messages.at(-1)).toContain(message);
  };
  const { neededMib } = predictBuilderMemory({ ...question, memoryMib: 1 });
  if (neededMib === undefined) {
    refuses(4096);
    return;
  }
  const verdict = ask(neededMib);
  expect(verdict.ok, `${neededMib} MiB: ${verdict.messages.join()}`).toBe(true);
  refuses(neededMib - 1);
}

type Guest = { readonly ramdisk: string | undefined; readonly xen: BuilderXen };

describe.each(KERNEL_NAMES)("Debian's %s", async (name) => {
  const { vmlinuz } = debianKernel(name);
  const facts = await readKernel(readFileSync(vmlinuz), vmlinuz, { where: [] });
  const kernel = {
    bits: facts.bits!,
    kernelStart: facts.segments.map(({ paddr }) => paddr).reduce((a, b) => (a < b ? a : b)),
    kernelEnd: facts.segments
      .map(({ paddr, memsz }) => paddr + BigInt(memsz))
      .reduce((a, b) => (a > b ? a : b)),
    virtBase: facts.xen?.virtBase,
    paddrOffset: facts.xen?.paddrOffset,
    initP2m: facts.xen?.initP2m,
    modStartPfn: facts.xen?.modStartPfn,
  };
  const types = (["pv", "pvh"] as const).filter((type) => facts[type]);
  test.each(
    types.flatMap((type) =>
      (["4.17", "4.20"] as const).flatMap((xen) =>
        Object.entries(RAMDISKS)
          // From 4.20 on the kind of initramfs makes no difference
          .filter(([content]) => xen === "4.17" || content === "gzip")
          .map(([content, ramdisk]) => ({ type, xen, content, ramdisk })),
      ),
    ),
  )("$type on Xen $xen, initramfs $content", ({ type, xen, ramdisk }) =>
    agrees(vmlinuz, { type, ...kernel }, { xen, ramdisk }),
  );
});

describe("made-up kernels", () => {
  const layout = {
    start: fc.integer({ min: 0, max: 20_000 }),
    pages: fc.integer({ min: 1, max: 30_000 }),
    tail: fc.integer({ min: 1, max: 4096 }),
    modStartPfn: fc.boolean(),
  };
  const wide = fc.record<MadeUpKernel>({
    ...layout,
    bits: fc.constant(64),
    virtBase: fc.constantFrom(
      0xffffffff80000000n,
      0xffffffff00000000n,
      0xffff800000000000n,
      0x100000000n,
    ),
    initP2m: fc.constantFrom(
      undefined,
      undefined,
      0x8000000000n,
      0x80000000n,
      0xfffff000n,
      0xffffff8000000000n,
      0x8000000800n,
      0xffffffffe0000000n,
    ),
  });
  const narrow = fc.record<MadeUpKernel>({
    ...layout,
    bits: fc.constant(32),
    virtBase: fc.constantFrom(0xc0000000n, 0x80000000n, 0x40000000n),
    initP2m: fc.constantFrom(undefined, 0x10000000n),
  });
  const ramdisk = fc.option(fc.integer({ min: 1, max: 80 << 20 }), { nil: undefined });

  test.each([
    ["64-bit PV", wide, 30],
    ["32-bit PV", narrow, 15],
  ] as const)("%s", (name, kernels, numRuns) => {
    const cases = fc.sample(fc.tuple(kernels, ramdisk), { numRuns, seed: 21 });
    for (const [i, [kernel, ramdiskBytes]] of cases.entries()) {
      const path = file(`${name} ${i}`, madeUpKernel(kernel));
      const ramdiskPath =
        ramdiskBytes === undefined ? undefined : file("ramdisk", Buffer.alloc(ramdiskBytes, "x"));
      const paddr = BigInt(kernel.start * 4096);
      const size = BigInt((kernel.pages - 1) * 4096 + kernel.tail);
      const fixed: Fixed = {
        type: "pv",
        bits: kernel.bits,
        kernelStart: paddr,
        // One page in the file at least
        kernelEnd: paddr + (size < 4096n ? 4096n : size),
        virtBase: kernel.virtBase,
        paddrOffset: 0n,
        initP2m: kernel.initP2m,
        modStartPfn: kernel.modStartPfn,
      };
      agrees(path, fixed, { ramdisk: ramdiskPath, xen: BUILDER_XENS[i % BUILDER_XENS.length]! });
    }
  });
});
