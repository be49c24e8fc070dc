/**
 * The verdict of `domus check` on kernels, against Xen's own domain builder: real Debian kernels in every wrapping and in
 * the usual states of damage, as PV and PVH guests. The builder of Xen 4.17 judges all, those of 4.14 and 4.20 a part.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { checkGuest } from "../../../src/guest/check/check-guest.ts";
import type { FactsCache } from "../../../src/guest/check/facts-cache.ts";
import { localHost } from "../../../src/host/local/local-host.ts";
import { packingsFromLinkedLibraries } from "../../../src/xen/builder-packings.ts";
import type { HostFacts } from "../../../src/xen/host-facts.ts";
import { assumeXen, withPackings } from "../../../src/xen/xl-info.ts";
import { need } from "../../support/need.ts";
import { kernelCases } from "../../support/repack.ts";
import { askBuilder, libraryOf } from "../../support/xen-builder.ts";
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

/** As `domus check` knows it on such a host: the release's defaults, and what its libxenguest is linked with. */
function xenFacts(xen: BuilderXen): HostFacts {
  const facts = assumeXen(xen);
  const dynamic = execFileSync("readelf", ["-d", libraryOf(xen)], { encoding: "utf8" });
  const sonames = [...dynamic.matchAll(/\(NEEDED\).*\[(.+)\]/g)].map((match) => match[1]!);
  return withPackings(facts, packingsFromLinkedLibraries(facts.version, sonames));
}

/** What a kernel is does not depend on the host: each is read once for all of them. */
const seen = new Map<string, Promise<unknown>>();
const cache: FactsCache = {
  async facts<T>(
    source: { whole: () => Promise<Uint8Array> },
    inputs: readonly unknown[],
    make: (bytes: Uint8Array) => Promise<T>,
  ) {
    const bytes = await source.whole();
    const digest = createHash("sha256").update(bytes).digest("hex");
    const key = JSON.stringify([digest, inputs]);
    const facts = seen.get(key) ?? make(bytes);
    seen.set(key, facts);
    return facts as Promise<T>;
  },
};

let dir: string;

beforeAll(() => {
  need("gcc", "readelf", "gzip", "bzip2", "xz", "lzop", "lz4", "zstd");
  dir = mkdtempSync(join(tmpdir(), "domus-builder-"));
});

afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function judged(kernel: string, type: "pv" | "pvh", xen: HostFacts) {
  const config = join(dir, `${type}.cfg`);
  writeFileSync(
    config,
    `name = "guest"\ntype = "${type}"\nmemory = 2048\nkernel = "${kernel}"\nextra = "console=hvc0"\n`,
  );
  const report = await checkGuest({ host: localHost(), xen, configPath: config, cache });
  const codes = report.findings
    .filter((one) => one.severity === "error" && BUILDER_CODES.has(one.code))
    .map((one) => one.code);
  return { refused: codes.length > 0, codes, verdict: report.verdict };
}

/** The older and the newer builder judge where releases differ: packings, and what PVH takes. */
const isForAll = (variant: string) =>
  ["original", "zstd", "lz4", "xz", "xz-large-dictionary", "bzip2", "elf"].includes(variant);

describe.each(["4.17", "4.14", "4.20"] as const)("Xen %s", (release) => {
  const cases = kernelCases().filter((one) => release === "4.17" || isForAll(one.variant));

  test.each(cases)("$name", async (one) => {
    const xen = xenFacts(release);
    const answers = (["pv", "pvh"] as const).map(async (type) => ({
      type,
      real: await askBuilder(one.path(), { type, xen: release }),
      ours: await judged(one.path(), type, xen),
    }));
    for (const { type, real, ours } of await Promise.all(answers)) {
      // That loader takes any 32-bit ELF for firmware; it is no boot of this kernel.
      const boots = real.ok && real.loader !== "HVM-generic";
      const { refused, codes } = ours;
      expect({ type, refused, codes }, real.log.join("\n")).toMatchObject({
        type,
        refused: !boots,
      });
    }
  });
});
