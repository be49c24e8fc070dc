import { attempt, FailureError, misuse } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { explainFailure } from "../../base/explain.ts";
import { mapParallel } from "../../base/parallel.ts";
import { printable } from "../../base/printable.ts";
import { decodeText } from "../../bytes/text.ts";
import { checkGuest } from "../../guest/check/check-guest.ts";
import { readHostAround } from "../../guest/check/host-around.ts";
import type { GuestReport } from "../../guest/check/check-guest.ts";
import { findConfigs } from "../../guest/config/find-configs.ts";
import { isDiskImage } from "../../guest/disks/open-target.ts";
import { findHostXen } from "../../guest/config/host-xen.ts";
import type { CheckVerdict, Verdicts } from "../../guest/inventory/verdicts.ts";
import type { Host } from "../../host/host.ts";
import { localHost } from "../../host/local/local-host.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { guestJson, hostJson } from "../render/check-json.ts";
import { guestStory } from "../render/check-story.ts";
import { guestTable } from "../render/check-table.ts";

export type CheckFlags = {
  readonly json: boolean;
  readonly root?: string;
  readonly backing?: readonly string[];
  readonly xen?: string;
  readonly xenInfo?: string;
  readonly noCache: boolean;
};

/** One waits for the disk while the other computes; more would only take more memory. */
const AT_A_TIME = 2;

/** A guest whose config could not even be read takes its place in the table, and the others go on. */
function unreadable(configPath: string, failure: Failure): GuestReport {
  const { code, what, why, next } = explainFailure(failure);
  const finding = { code, severity: "error" as const, where: failure.where, what, why, next };
  return { name: configPath, configPath, verdict: "unknown", findings: [finding] };
}

/** What a table or a document shows of one guest among many; names of modules and the like would pile up. */
function withoutBulk({ facts, ...report }: GuestReport): GuestReport {
  if (!facts?.boot) return report;
  const { boot } = facts;
  const names = { modules: new Map(), config: new Map() };
  const initramfs = boot.initramfs.map((image) => ({ ...image, ...names }));
  const kernel = boot.kernel && { kernel: { ...boot.kernel, config: new Map() } };
  return {
    ...report,
    facts: { ...facts, disks: [], changes: [], boot: { ...boot, initramfs, ...kernel } },
  };
}

export const run = failing(async function (this: Context, flags: CheckFlags, ...guests: string[]) {
  const { out, signal } = this;
  if (flags.xen !== undefined && flags.xenInfo !== undefined) {
    throw misuse("--xen and --xen-info say the same thing twice.", "Give one of them.");
  }
  const host = this.openHost(flags.root);
  const xen = await hostXen(host, flags);
  const configs = await findConfigs(host, guests);
  for (const path of configs) {
    if (await isDiskImage(host, path)) {
      throw misuse(
        `${printable(path)} is a disk, not a guest's config.`,
        `Give the config that names it. What is on it: domus disk parts ${printable(path)}`,
      );
    }
  }
  const cache = flags.noCache ? undefined : await this.openFacts();
  const around = await readHostAround(host);
  let done = 0;
  const reports = await mapParallel(configs, AT_A_TIME, async (configPath) => {
    signal.throwIfAborted();
    out.progress(`checking ${done + 1} of ${configs.length}: ${printable(configPath)}`);
    const checked = await attempt(() =>
      checkGuest({
        host,
        xen,
        configPath,
        around,
        backing: flags.backing,
        signal,
        ...(cache && { cache }),
      }),
    );
    done += 1;
    if (!checked.ok && configs.length === 1) throw new FailureError(checked.failure);
    if (!checked.ok) return unreadable(configPath, checked.failure);
    return configs.length === 1 ? checked.value : withoutBulk(checked.value);
  });
  out.progress("");
  // What is judged for another Xen, or on a file tree, says nothing of this host.
  if (host.live && flags.xen === undefined && flags.xenInfo === undefined)
    await this.keepVerdicts?.(await verdictsOf(host, reports));
  if (flags.json) out.json({ host: hostJson(xen), guests: reports.map(guestJson) });
  else if (reports.length === 1) out.result(guestStory(reports[0]!, xen, out));
  else out.result(guestTable(reports, xen, out));
  return exitCode(reports);
});

/** By the configs' paths after all links; for domus list. */
async function verdictsOf(host: Host, reports: readonly GuestReport[]): Promise<Verdicts> {
  const verdicts = new Map<string, CheckVerdict>();
  for (const { configPath, verdict } of reports) {
    const real = await attempt(() => host.realPath(configPath));
    if (real.ok) verdicts.set(real.value, { verdict, atMs: Date.now() });
  }
  return verdicts;
}

function exitCode(reports: readonly GuestReport[]): ExitCode {
  const errors = reports.some((report) =>
    report.findings.some((finding) => finding.severity === "error"),
  );
  return errors ? EXIT.findings : EXIT.done;
}

async function hostXen(host: Host, flags: CheckFlags): Promise<HostFacts> {
  // --xen-info names a file of the person who types, not of the tree that --root points to.
  const infoText =
    flags.xenInfo === undefined ? undefined : decodeText(await localHost().readFile(flags.xenInfo));
  const found = await attempt(() =>
    findHostXen(host, {
      ...(flags.xen !== undefined && { version: flags.xen }),
      ...(infoText !== undefined && { infoText }),
    }),
  );
  if (found.ok) return found.value;
  if (flags.xen !== undefined) {
    throw misuse(
      `"${printable(flags.xen)}" is no release of Xen.`,
      "Give it as --xen 4.17, or what `xl info` prints on the host as --xen-info FILE.",
    );
  }
  if (flags.xenInfo !== undefined) {
    throw misuse(
      `${printable(flags.xenInfo)} is not what xl info prints: ${printable(explainFailure(found.failure).why)}`,
      `Make it on the host: xl info > ${printable(flags.xenInfo)}`,
    );
  }
  throw misuse(
    `There is no Xen on ${printable(host.name)}, so domus cannot know which one to judge for.`,
    "Say it: --xen 4.17, or --xen-info FILE with what `xl info` prints on the host.",
  );
}
