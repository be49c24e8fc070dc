/**
 * The verdict of `domus check` on kernels, against Xen's own domain builder: real Debian kernels in every wrapping and in
 * the usual states of damage, as PV and PVH guests. The builder of Xen 4.17 judges all, those of 4.14 and 4.20 a part.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { debianPackage } from "../../../lab/debian.ts";
import { checkGuest } from "../../../src/guest/check/check-guest.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { packingsFromLinkedLibraries } from "../../../src/xen/builder-packings.ts";
import type { HostFacts } from "../../../src/xen/host-facts.ts";
import { assumeXen, withPackings } from "../../../src/xen/xl-info.ts";
import { need } from "../../support/need.ts";
import { kernelCases } from "../../support/repack.ts";
import { builderVerdict } from "../../support/xen-builder.ts";
import type { BuilderXen } from "../../support/xen-builder.ts";

/** The codes of severity error that mean: the domain builder refuses this kernel. */
const BUILDER_CODES = new Set([
  "kernel-packing",
  "kernel-damaged",
  "kernel-not-pv",
  "kernel-not-pvh",
  "kernel-width",
  "kernel-not-linux",
  "boot-file-unreadable",
]);

const RELEASE = { "4.14": "bullseye", "4.17": "bookworm", "4.20": "trixie" } as const;

/** As `domus check` knows it on such a host: the release's defaults, and what its libxenguest is linked with. */
function xenFacts(xen: BuilderXen): HostFacts {
  const facts = assumeXen(xen);
  const library = join(
    debianPackage(RELEASE[xen], `libxenmisc${xen}`),
    `usr/lib/x86_64-linux-gnu/libxenguest.so.${xen}`,
  );
  const dynamic = execFileSync("readelf", ["-d", library], { encoding: "utf8" });
  const sonames = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]!);
  return withPackings(facts, packingsFromLinkedLibraries(facts.version, sonames));
}

let dir: string;

beforeAll(() => {
  need("gcc", "readelf", "gzip", "bzip2", "xz", "lzop", "lz4", "zstd");
  dir = mkdtempSync(join(tmpdir(), "domus-builder-"));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function judged(kernel: string, type: "pv" | "pvh", xen: HostFacts) {
  const config = join(dir, "guest.cfg");
  writeFileSync(
    config,
    `name = "guest"\ntype = "${type}"\nmemory = 2048\nkernel = "${kernel}"\nextra = "console=hvc0"\n`,
  );
  const report = await checkGuest({ host: localHost(), xen, configPath: config });
  const codes = report.findings
    .filter((one) => one.severity === "error" && BUILDER_CODES.has(one.code))
    .map((one) => one.code);
  return { refused: codes.length > 0, codes, verdict: report.verdict };
}

/** The older and the newer builder judge where releases differ: packings, and what PVH takes. */
const isForAll = (variant: string) =>
  ["original", "zstd", "lz4", "xz", "bzip2", "elf"].includes(variant);

describe.each(["4.17", "4.14", "4.20"] as const)("Xen %s", (release) => {
  const cases = kernelCases().filter((one) => release === "4.17" || isForAll(one.variant));

  test.each(cases)("$name", async (one) => {
    const xen = xenFacts(release);
    for (const type of ["pv", "pvh"] as const) {
      const real = builderVerdict(one.path(), { type, xen: release });
      // That loader takes any 32-bit ELF for firmware; it is no boot of this kernel.
      const boots = real.ok && real.loader !== "HVM-generic";
      const ours = await judged(one.path(), type, xen);
      expect({ type, refused: ours.refused, codes: ours.codes }, real.log.join("\n")).toMatchObject(
        {
          type,
          refused: !boots,
        },
      );
    }
  });
});
