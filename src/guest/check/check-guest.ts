import type { Finding } from "../../base/finding.ts";
import { decodeText } from "../../bytes/text.ts";
import type { GuestFacts } from "../../check/facts.ts";
import { judge } from "../../check/judge.ts";
import type { Verdict } from "../../check/judge.ts";
import type { Host } from "../../host/host.ts";
import { parseDomainConfig } from "../../xen/domain-config.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import { MIB } from "../../base/units.ts";
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
  readonly signal?: AbortSignal;
};

/** Says whether a guest will boot. Fails only when the config file itself cannot be read. */
export async function checkGuest(options: CheckOptions): Promise<GuestReport> {
  const { host, configPath } = options;
  const text = decodeText(await host.readFile(configPath, MIB));
  const parsed = parseDomainConfig(text, { path: configPath });
  if (!parsed.config) {
    const name = configPath.replace(/^.*\//, "").replace(/\.cfg$/, "");
    return { name, configPath, verdict: "fails", findings: parsed.findings };
  }
  const facts = await survey({ ...options, config: parsed.config });
  return { name: facts.name, configPath, ...judge(facts), facts };
}
