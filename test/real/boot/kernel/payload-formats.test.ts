/**
 * Real kernels in every wrapping, read by domus, by readelf, by file(1), and by Xen's own domain builder.
 */
import { existsSync, readFileSync, statSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { debianKernel, KERNEL_NAMES, type KernelName } from "../../../../lab/debian.ts";
import type { KernelFacts, Packing } from "../../../../src/boot/kernel/kernel-facts.ts";
import {
  configDecompressors,
  parseKernelConfig,
} from "../../../../src/boot/kernel/kernel-config.ts";
import { readKernel } from "../../../../src/boot/kernel/read-kernel.ts";
import { compareKernelVersions } from "../../../../src/boot/kernel/version.ts";
import { need, sh } from "../../../support/need.ts";
import { kernelCases, unpackedKernel, type KernelCase } from "../../../support/repack.ts";
import {
  BUILDER_XENS,
  askBuilder,
  PV32_CAPS,
  type BuilderXen,
} from "../../../support/xen-builder.ts";
import { cpuTime } from "../../../support/cpu-time.ts";

const read = (path: string) => readKernel(readFileSync(path), path, { where: [path] });

/** What Debian's libxenguest is built with. Nobody's Xen reads lz4 frames. */
const UNPACKS: Record<BuilderXen, readonly Packing[]> = {
  "4.14": ["none", "gzip", "lzma", "xz", "lz4"],
  "4.17": ["none", "gzip", "lzma", "xz", "lz4", "zstd"],
  "4.20": ["none", "gzip", "lzma", "xz", "lz4", "zstd"],
};

/** Whether the builder must take it, by the facts alone. */
function expected(facts: KernelFacts, type: "pv" | "pvh", xen: BuilderXen): boolean {
  const { pvhSince } = facts;
  if (facts.failure || !facts[type] || !UNPACKS[xen].includes(facts.packing)) return false;
  return type === "pv" || !pvhSince || compareKernelVersions(xen, pvhSince.xen) >= 0;
}

describe.each(kernelCases())("$name", (one) => {
  test("is what it was made as, and the builder agrees", async () => {
    const all = one.kernel === "6.1-cloud" || one.variant === "original";
    const answers = (all ? BUILDER_XENS : (["4.17"] as const)).flatMap((xen) =>
      (["pv", "pvh"] as const).map(async (type) => ({
        xen,
        type,
        verdict: await askBuilder(one.path(), { type, xen, caps: PV32_CAPS }),
      })),
    );
    // The builders run meanwhile
    const facts = await read(one.path());
    expect(facts).toMatchObject({ format: one.format, packing: one.packing });
    expect(facts.failure?.kind).toBe(one.failure);
    if (!one.failure) expectWhole(one, facts);
    for (const { xen, type, verdict } of await Promise.all(answers)) {
      // A 32-bit ELF without notes is taken for HVM firmware, which says nothing of PVH.
      const ok = verdict.ok && verdict.loader !== "HVM-generic";
      const what = `${type} on ${xen}: ${verdict.messages.join("; ")}`;
      expect(ok, what).toBe(expected(facts, type, xen));
    }
  });
});

/** All facts of the ELF are the same however it is wrapped: those that `readelf` gives. */
function expectWhole(one: KernelCase, facts: KernelFacts): void {
  const elf = unpackedKernel(one.kernel);
  expect(facts.version).toBe(debianKernel(one.kernel).version);
  expect(facts.elfSizeBytes).toBe(statSync(elf).size);
  expect(facts.decompressors?.source).toBe("table");
  expect(
    facts.segments.map(({ offset, vaddr, paddr, filesz, memsz }) => [
      offset,
      vaddr,
      paddr,
      filesz,
      memsz,
    ]),
  ).toEqual(loadSegments(elf));
}

/** `LOAD 0x200000 0xffffffff81000000 0x1000000 0x18e6498 0x18e6498 R E 0x200000` */
function loadSegments(elf: string): unknown[] {
  const lines = sh(`readelf -lW ${elf}`).toString().split("\n");
  return lines
    .filter((line) => line.trim().startsWith("LOAD"))
    .map((line) => {
      const [, offset, vaddr, paddr, filesz, memsz] = line.trim().split(/\s+/);
      return [Number(offset), BigInt(vaddr!), BigInt(paddr!), Number(filesz), Number(memsz)];
    });
}

describe.each(KERNEL_NAMES)("%s", (name: KernelName) => {
  const { vmlinuz, config: configFile } = debianKernel(name);

  test("its notes are those that readelf shows", async () => {
    need("readelf");
    const notes = readelfNotes(unpackedKernel(name));
    const { xen } = await read(unpackedKernel(name));
    const text = (type: number) => notes.get(type)?.toString("latin1").split("\0", 1)[0];
    const number = (type: number) => {
      const desc = notes.get(type);
      return desc && (desc.length === 8 ? desc.readBigUInt64LE() : BigInt(desc.readUInt32LE()));
    };
    expect(notes.size).toBeGreaterThan(10);
    expect({ ...xen }).toEqual(
      defined({
        legacySection: false,
        entry: number(1),
        hypercallPage: number(2),
        virtBase: number(3),
        paddrOffset: number(4),
        xenVersion: text(5),
        guestOs: text(6),
        guestVersion: text(7),
        loader: text(8),
        paeMode: text(9),
        features: text(10),
        initP2m: number(15),
        modStartPfn: number(16) === 1n,
        supportedFeatures: Number(number(17)),
        phys32Entry: Number(number(18)),
        phys32Reloc: reloc(notes.get(19)),
      }),
    );
  });

  test("its table says what its configuration says", async () => {
    const configText = readFileSync(configFile, "utf8");
    const config = parseKernelConfig(configText);
    const facts = await readKernel(readFileSync(vmlinuz), vmlinuz, { where: [], configText });
    const configured = configDecompressors(config, "config")!;
    expect(facts.decompressors).toEqual({ ...configured, source: "table" });
    expect(facts.config).toEqual(config);
  });

  test("file(1) agrees on what it is", async () => {
    need("file");
    const says = sh(`file -b ${vmlinuz}`).toString();
    const facts = await read(vmlinuz);
    expect(says).toContain("bzImage");
    expect(says).toContain(`version ${facts.release}`);
  });
});

function defined(values: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined));
}

function reloc(desc: Buffer | undefined) {
  return (
    desc && { align: desc.readUInt32LE(0), min: desc.readUInt32LE(4), max: desc.readUInt32LE(8) }
  );
}

/** readelf has names for types that other owners use. */
const READELF_NAMES: Record<string, number> = {
  "NT_VERSION (version)": 1,
  "NT_ARCH (architecture)": 2,
  "GO BUILDID": 4,
};

/** Type -> contents of the notes with the owner Xen. */
function readelfNotes(elf: string): Map<number, Buffer> {
  const notes = new Map<number, Buffer>();
  let type: number | undefined;
  for (const line of sh(`readelf -nW ${elf}`).toString().split("\n")) {
    const head = /^ {2}(\S+)\s+0x[0-9a-f]+\s+(.*?)(?:\s+description data: (.*))?$/.exec(line);
    if (head) {
      const number = /\(0x([0-9a-f]+)\)/.exec(head[2]!)?.[1];
      const named = READELF_NAMES[head[2]!.trim()] ?? 0;
      type = head[1] === "Xen" ? (number ? Number.parseInt(number, 16) : named) : undefined;
    }
    const data = /description data: ([0-9a-f ]+)/.exec(line)?.[1];
    if (data && type !== undefined) notes.set(type, Buffer.from(data.replaceAll(" ", ""), "hex"));
  }
  return notes;
}

test("a kernel of 66 MB is read in bounded time and memory", async () => {
  const path = kernelCases(["6.1"])
    .find(({ variant }) => variant === "elf")!
    .path();
  expect(existsSync(path)).toBe(true);
  const bytes = readFileSync(path);
  const before = process.memoryUsage().arrayBuffers;
  const took = cpuTime();
  await readKernel(bytes, path, { where: [path] });
  expect(took()).toBeLessThan(10_000);
  // No copy of the ELF: it is looked at in place.
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 << 20);
});
