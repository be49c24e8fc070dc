import type { Finding } from "../../base/finding.ts";
import { fileName } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { GuestFacts } from "../../check/facts.ts";
import type { HostAround } from "../../check/host-around.ts";
import { judge } from "../../check/judge.ts";
import type { Verdict } from "../../check/judge.ts";
import type { Host } from "../../host/host.ts";
import { parseDomainConfig } from "../../xen/domain-config.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import type { FactsCache } from "./facts-cache.ts";
import { survey } from "./survey.ts";

export type GuestReport = {
  /** The guest's name; the config's file name when the config does not say. */
  readonly name: string;
  readonly configPath: string;
  readonly verdict: Verdict;
  /** Most severe first. */
  readonly findings: readonly Finding[];
  /** Absent when xl would refuse the config. */
  readonly facts?: GuestFacts;
};

export type CheckOptions = {
  readonly host: Host;
  readonly xen: HostFacts;
  readonly configPath: string;
  /** Left out: everything is read anew. */
  readonly cache?: FactsCache;
  /** What else is on the host, read once for all guests; left out: the guest is judged by itself. */
  readonly around?: HostAround;
  /** Directories in which the backing files of images may lie; left out: such images are not read. */
  readonly backing?: readonly string[] | undefined;
  readonly signal?: AbortSignal;
};

/** Says whether a guest will boot. Fails only when the config file itself cannot be read. */
export async function checkGuest(options: CheckOptions): Promise<GuestReport> {
  const { host, configPath } = options;
  const text = decodeText(await host.readFile(configPath, MIB));
  const parsed = parseDomainConfig(text, { path: configPath });
  if (!parsed.config) {
    const name = fileName(configPath).replace(/\.cfg$/, "");
    return { name, configPath, verdict: "fails", findings: condensed(parsed.findings, configPath) };
  }
  const facts = await survey({ ...options, config: parsed.config });
  return { name: facts.name, configPath, ...judge(facts), facts };
}

/** What is no config at all fails on every line: the first few say it. */
const MAX_ERRORS = 4;

function condensed(findings: readonly Finding[], configPath: string): Finding[] {
  const errors = findings.filter((one) => one.severity === "error");
  if (errors.length <= MAX_ERRORS) return [...findings];
  const left = errors.length - MAX_ERRORS;
  return [
    ...errors.slice(0, MAX_ERRORS),
    {
      code: "config-syntax",
      severity: "error",
      where: [configPath],
      what: `There are ${left} more errors like these in the file.`,
      why: "With so many, it may not be an xl config at all.",
      next: `Look at the file: an xl config is lines of key = value (man xl.cfg). xl itself checks it with xl create -n ${configPath}`,
    },
  ];
}
