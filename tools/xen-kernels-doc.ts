/**
 * Makes docs/reference/xen-kernels.md, which says what the domain builder of each Xen takes, from the rules that
 * `domus check` goes by. `--check` fails when the page is not current.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join, relative } from "node:path";
import { MIB } from "../src/base/units.ts";
import { kernelRefusals } from "../src/xen/kernel-rules.ts";
import type { RuledKernel } from "../src/xen/kernel-rules.ts";
import { assumeXen } from "../src/xen/xl-info.ts";

const ROOT = join(import.meta.dirname, "..");
const PAGE = join(ROOT, "docs/reference/xen-kernels.md");

/** The releases that differ from those before, and the version that stands for each row. */
const ROWS: readonly (readonly [row: string, xen: string])[] = [
  ["4.4.0", "4.4.0"],
  ["4.4.1 to 4.9", "4.9.4"],
  ["4.10", "4.10.4"],
  ["4.11.0 to 4.11.3", "4.11.3"],
  ["4.11.4", "4.11.4"],
  ["4.12.0, 4.12.1", "4.12.1"],
  ["4.12.2 to 4.13", "4.12.2"],
  ["4.14", "4.14.6"],
  ["4.15", "4.15.7"],
  ["4.16", "4.16.7"],
  ["4.17", "4.17.5"],
  ["4.18.0 to 4.18.4", "4.18.4"],
  ["4.18.5, 4.18.6", "4.18.5"],
  ["4.19.0, 4.19.1", "4.19.1"],
  ["4.19.2 on", "4.19.2"],
  ["4.20 on", "4.20.0"],
];

/** A 64-bit Linux with all that Xen asks for. */
const LINUX: RuledKernel = {
  sizeBytes: 12 * MIB,
  format: "bzimage",
  bootProtocol: 0x20f,
  packing: "none",
  bits: 64,
  pv: true,
  pvh: true,
};

const PACKINGS: readonly (readonly [column: string, kernel: Partial<RuledKernel>])[] = [
  ["raw, gzip", { packing: "gzip" }],
  ["bzip2", { packing: "bzip2" }],
  ["lzma", { packing: "lzma", dictionaryBytes: 64 * MIB }],
  ["lzo", { packing: "lzo" }],
  ["xz", { packing: "xz", dictionaryBytes: 32 * MIB }],
  ["xz, 128 MiB", { packing: "xz", dictionaryBytes: 128 * MIB }],
  ["lz4", { packing: "lz4" }],
  ["zstd", { packing: "zstd" }],
];

function packingCell(kernel: Partial<RuledKernel>, xen: string): string {
  const [refusal] = kernelRefusals({ ...LINUX, ...kernel }, "pv", assumeXen(xen));
  if (!refusal) return "yes";
  return refusal.sure ? "no" : "maybe";
}

type Kind = { readonly type: "pv" | "pvh"; readonly kernel: Partial<RuledKernel> };

const NO_ENTRY: Partial<RuledKernel> = {
  bits: 32,
  pv: false,
  pvRefusal: { reason: "entry" },
  pvhSince: { xen: "4.16" },
};

const KINDS: readonly (readonly [column: string, kind: Kind])[] = [
  ["PV, 64 bit", { type: "pv", kernel: {} }],
  ["PV, 32 bit", { type: "pv", kernel: { bits: 32 } }],
  ["PVH", { type: "pvh", kernel: {} }],
  ["PVH, no PV entry", { type: "pvh", kernel: NO_ENTRY }],
];

function kindCell({ type, kernel }: Kind, xen: string): string {
  // PVH as it is now came with 4.10
  if (type === "pvh" && Number(xen.split(".")[1]) < 10) return "";
  const refused = kernelRefusals({ ...LINUX, ...kernel }, type, assumeXen(xen));
  return refused.length === 0 ? "yes" : "no";
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const line = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [line(head), `|${"---|".repeat(head.length)}`, ...rows.map(line)];
}

/** The whole page. */
export function xenKernelsPage(): string {
  const packings = ROWS.map(([row, xen]) => [
    row,
    ...PACKINGS.map(([, kernel]) => packingCell(kernel, xen)),
  ]);
  const kinds = ROWS.map(([row, xen]) => [
    row,
    ...KINDS.map(([, kind]) => kindCell(kind, xen)),
    assumeXen(xen).inflatesRamdisk ? "yes" : "no",
  ]);
  return [
    "# Which Xen unpacks what",
    "",
    "A PV or PVH kernel does not unpack itself: Xen's domain builder (libxenguest, libxc before 4.15) does it in dom0.",
    "These are the rules that `domus check` goes by; `--xen VERSION` asks for another row than the host's own.",
    "Made by `node tools/xen-kernels-doc.ts` from `src/xen/`.",
    "",
    "## How the kernel is packed",
    "",
    ...table(["Xen", ...PACKINGS.map(([column]) => column)], packings),
    "",
    ...PACKING_NOTES,
    "",
    "## What the kernel is, and what becomes of the initramfs",
    "",
    ...table(["Xen", ...KINDS.map(([column]) => column), "unpacks gzip initramfs"], kinds),
    "",
    ...KIND_NOTES,
    "",
    "## Sources",
    "",
    ...table(["what", "where in Xen's history"], SOURCES),
    "",
  ].join("\n");
}

const PACKING_NOTES = [
  "- **maybe**: bzip2 and lzo need libbz2 and liblzo2 when Xen is built, and distributions leave them out. On a running host",
  "  `domus check` looks at what libxenguest is linked with. For the other columns: distributions have added the fix to",
  "  some of these versions, Debian 12 to its 4.17.5.",
  "- **raw** is an ELF without packing. Every Xen takes it, so an unpacked kernel is the way out of every `no`.",
  "- **xz, 128 MiB**: Linux packs with this dictionary since 6.12. From 256 MiB on no Xen takes it.",
  "- **lz4** is the legacy format (`lz4 -l`); the frame format is never taken. A Xen 4.10 made from its branch after",
  "  4.10.4 has the fix for lz4, and so may what distributions call 4.11.3 or 4.12.1 with something added.",
  "- lzma, xz and zstd need liblzma and libzstd when Xen is built; lz4 needs liblz4 from 4.22 on. All builds seen have them.",
];

const KIND_NOTES = [
  "- **PV, 32 bit** (`xen-3.0-x86_32p` in xen_caps) is a build option from 4.14 on, off by default; the PV shim has it.",
  "- **PVH** as it is now came with 4.10.",
  "- **PVH, no PV entry**: 32-bit Linux since 5.9, and 64-bit Linux built without CONFIG_XEN_PV.",
  "- **unpacks gzip initramfs**: before the guest starts, the first gzip member only, so the guest needs more memory to be built.",
];

const SOURCES = [
  [
    "the list of formats",
    "`xc_dom_probe_bzimage_kernel` in tools/libxc/xc_dom_bzimageloader.c, tools/libs/guest/xg_dom_bzimageloader.c from 4.15 on; tags RELEASE-4.4.0 to RELEASE-4.22.0",
  ],
  ["bzip2, lzma", "d7c9674faa (2009), in 4.0"],
  ["lzo", "c2c4e65d96 (2010), in 4.1"],
  ["xz", "4afea3d653 (2011), in 4.2"],
  ["lz4", "84f04d8f0d (2013), in 4.4.0"],
  [
    "lz4 broken",
    "9143a6c55e (August 2014), in 4.5.0; 4328fdf387, in 4.4.1. Seen by running the decoders of these tags on real kernels",
  ],
  [
    "lz4 mended",
    "2d7572cdfa (December 2019); c1299c1d5d in 4.13.0, cc396626ee in 4.12.2, 6561994b87 in 4.11.4, bd20589e6d after 4.10.4",
  ],
  ["lz4 from liblz4", "38492dc098 (2026), in 4.22"],
  ["zstd", "8169f82049 (2021), in 4.15; in no older branch"],
  [
    "memory for xz and lzma",
    "e6472d4668 (2024), in 4.20.0; 0a14438052 in 4.19.2, d7f45ead66 in 4.18.5; 128 MiB in a14b0eb584 (2011)",
  ],
  ["the dictionary of 128 MiB", "Linux commit 8653c90992, scripts/xz_wrap.sh, in 6.12"],
  ["PVH, no PV entry", "632cbaf124, in 4.16; b77ed96fce, in 4.18"],
  ["initramfs left as it is", "d17b7562d4, in 4.20"],
];

if (import.meta.main) {
  if (!process.argv.includes("--check")) writeFileSync(PAGE, xenKernelsPage());
  else if (readFileSync(PAGE, "utf8") !== xenKernelsPage()) {
    console.error(`${relative(ROOT, PAGE)} is not current: run node tools/xen-kernels-doc.ts`);
    process.exitCode = 1;
  }
}
