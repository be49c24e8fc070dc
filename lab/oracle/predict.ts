/** What `domus check` says of a case, on the facts of the host that it will run on. */
import { createHash } from "node:crypto";
import { missing } from "../../src/base/failure.ts";
import type { Finding } from "../../src/base/finding.ts";
import type { Verdict } from "../../src/check/judge.ts";
import { checkGuest } from "../../src/guest/check/check-guest.ts";
import type { FactsCache } from "../../src/guest/check/facts-cache.ts";
import { findHostXen } from "../../src/guest/config/host-xen.ts";
import type { Host } from "../../src/host/host.ts";
import { treeHost } from "../../src/host/local/tree-host.ts";
import type { HostFacts } from "../../src/xen/host-facts.ts";
import type { LabHost } from "../host.ts";
import { quote } from "../ssh.ts";
import { DEFAULT_MEMORY_MIB } from "./case.ts";
import { writeConfig, type StagedCase } from "./stage.ts";

export type Prediction = {
  readonly verdict: Verdict;
  readonly findings: readonly Finding[];
  /** The kernel's command line, where there is a boot plan. */
  readonly args?: string;
  readonly memoryMib: number;
};

/** What check knows of a host's Xen, asked in the host itself. */
export function hostFacts(lab: LabHost): Promise<HostFacts> {
  const absent = () => Promise.reject(missing([lab.name], "files of this host"));
  const host: Host = {
    name: lab.name,
    live: true,
    run: async (argv) => {
      const { code, stdout, stderr } = await lab.run(argv.map(quote).join(" "));
      return { argv, exitCode: code, stdout, stderr };
    },
    openBlock: absent,
    readFile: absent,
    list: absent,
    kind: () => Promise.resolve("missing"),
    realPath: absent,
  };
  return findHostXen(host, {});
}

/** What was found out about a file holds for all cases: most share theirs. */
export function sharedFacts(): FactsCache {
  const known = new Map<string, Promise<unknown>>();
  return {
    async facts<T>(
      source: { whole: () => Promise<Uint8Array> },
      inputs: readonly unknown[],
      make: (bytes: Uint8Array) => Promise<T>,
    ) {
      const bytes = await source.whole();
      const digest = createHash("sha256").update(bytes).digest("hex");
      const key = JSON.stringify([digest, inputs]);
      const facts = known.get(key) ?? make(bytes);
      known.set(key, facts);
      return facts as Promise<T>;
    },
  };
}

export type Predicting = {
  readonly stage: string;
  readonly xen: HostFacts;
  readonly cache: FactsCache;
};

/** Checks the guest of a case, and leaves its config in the staging directory. */
export async function predict(
  { stage, xen, cache }: Predicting,
  staged: StagedCase,
): Promise<Prediction> {
  const host = treeHost(stage);
  const check = async (memoryMib: number) => {
    writeConfig(stage, staged, memoryMib);
    const report = await checkGuest({ host, xen, configPath: staged.configPath, cache });
    const args = report.facts?.boot?.args;
    const { verdict, findings } = report;
    return { verdict, findings, memoryMib, ...(args !== undefined && { args }) };
  };
  const { memory = DEFAULT_MEMORY_MIB } = staged.one;
  if (typeof memory === "number") return check(memory);
  const least = leastMemory((await check(8)).findings);
  if (least === undefined) throw new Error(`${staged.one.name}: check names no least memory`);
  return check(memory === "least" ? least : least - 1);
}

/** The number in what memory-too-small says: "Xen cannot build it with less than 97 MiB." */
function leastMemory(findings: readonly Finding[]): number | undefined {
  const what = findings.find(({ code }) => code === "memory-too-small")?.what ?? "";
  const found = /with less than (\d+) MiB/.exec(what);
  return found ? Number(found[1]) : undefined;
}
