/**
 * `domus persist`: a guest's config and its domain made equal, in one direction or the other. Survey, plan, run
 * (docs/design/drift.md).
 */
import { attempt, ioFailure, misuse, refused } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import type { DomainSummary, SummaryDisk } from "../../xen/domain-summary.ts";
import { assertFree } from "../guard/disk-guard.ts";
import type { GuardPorts } from "../guard/disk-guard.ts";
import { compared, driftOf, samePath } from "../inventory/drift.ts";
import type { ConfigFact, DomainFact } from "../inventory/facts.ts";
import type { Inventory, InventoryGuest } from "../inventory/inventory.ts";
import { readDomains } from "../inventory/read-domains.ts";
import { planConfig } from "./plan-config.ts";
import type { ConfigPlan } from "./plan-config.ts";
import { planRevert } from "./plan-revert.ts";
import type { RevertPlan, RevertStep } from "./plan-revert.ts";

export type PersistPlan = {
  readonly guest: string;
  /** Of the config file, all links followed. */
  readonly path: string;
  readonly expected: Uint8Array;
  readonly copyPath: string;
  readonly config: ConfigPlan;
};

export type PersistOptions = {
  /** The balloon target, too. */
  readonly memory: boolean;
  /** For the name of the copy. */
  readonly now: Date;
};

/** Reads the config again, and plans its new text. `refused` and `misuse` as they say. */
export async function planPersist(
  host: Host,
  { backings }: Inventory,
  guest: InventoryGuest,
  { memory, now }: PersistOptions,
): Promise<PersistPlan> {
  const { config, domain } = bothOf(guest);
  const path = config.realPath;
  const expected = await host.readFile(path, MIB);
  const live: DomainSummary = { ...domain.guest!, name: domain.name };
  const text = decodeText(expected);
  const plan = planConfig({
    text,
    path,
    live,
    memory,
    samePath: (disk) => samePath(disk, backings),
  });
  return { guest: guest.name, path, expected, copyPath: copyPathOf(path, now), config: plan };
}

function copyPathOf(path: string, now: Date): string {
  const time = now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  return `${path}.domus-${time}`;
}

/**
 * As `planPersist`, for what `change` makes of the config, and nothing else that differs from the domain. `misuse` when no config of
 * the guest is known.
 */
export async function planConfigChange(
  host: Host,
  guest: Pick<InventoryGuest, "name" | "config">,
  { change, now }: { change: (config: DomainSummary) => DomainSummary; readonly now: Date },
): Promise<PersistPlan> {
  if (!guest.config?.guest) throw withoutConfig(guest);
  const path = guest.config.realPath;
  const expected = await host.readFile(path, MIB);
  const text = decodeText(expected);
  const live = change(guest.config.guest);
  const written = ({ target }: SummaryDisk) => target;
  const config = planConfig({ text, path, live, memory: false, samePath: written });
  return { guest: guest.name, path, expected, copyPath: copyPathOf(path, now), config };
}

/** Writes the new text; the old one is in `copyPath`. */
export async function runPersist(host: Host, plan: PersistPlan): Promise<void> {
  if (!host.replaceFile) throw misuse(`Nothing is written on ${host.name}.`, "Run it on the host.");
  const bytes = new TextEncoder().encode(plan.config.text);
  const { path, expected, copyPath } = plan;
  await host.replaceFile(path, { expected, bytes, copyPath });
}

export type RevertSurvey = RevertPlan & {
  readonly guest: string;
  readonly domain: DomainFact;
};

export function planRevertOf(
  { backings }: Inventory,
  guest: InventoryGuest,
  memory: boolean,
): RevertSurvey {
  const { domain } = bothOf(guest);
  const plan = planRevert(driftOf(guest, backings), domain.domid, memory);
  return { ...plan, guest: guest.name, domain };
}

export type Reverted = {
  readonly done: readonly RevertStep[];
  /** The step that failed, and those behind it, which were not begun. */
  readonly failed?: { readonly step: RevertStep; readonly failure: Failure };
};

export type RevertOptions = { readonly ports: GuardPorts; readonly signal?: AbortSignal };

/**
 * Runs the steps one after the other and stops at the first that fails: what is done stays, and is said. The domain must
 * still be the one that was looked at.
 */
export async function runRevert(
  host: Host,
  { steps, domain }: RevertSurvey,
  { signal, ports }: RevertOptions,
): Promise<Reverted> {
  const now = await readDomains(host);
  const same =
    now.kind === "listed" &&
    now.domains.some(({ domid, uuid }) => domid === domain.domid && uuid === domain.uuid);
  if (!same)
    throw refused([`domain ${domain.domid}`], {
      what: `Domain ${domain.domid} is not there any more, or is another guest's by now.`,
      why: "The guest was started again since it was looked at.",
      next: "Run the command again.",
    });
  const done: RevertStep[] = [];
  for (const step of steps) {
    signal?.throwIfAborted();
    const ran = await attempt(() => runStep(host, step, ports));
    if (!ran.ok) return { done, failed: { step, failure: ran.failure } };
    done.push(step);
  }
  return { done };
}

/** xl says by its exit code that it failed, and in its last line why. */
async function runStep(host: Host, { argv, attaches }: RevertStep, ports: GuardPorts) {
  if (attaches) await assertFree(ports, attaches.path, attaches);
  const { exitCode, stderr } = await host.run(argv);
  if (exitCode === 0) return;
  const said = stderr.trim().split("\n").at(-1) ?? "";
  throw ioFailure([argv.join(" ")], "changing the domain", said || `exit code ${exitCode}`);
}

function bothOf(guest: InventoryGuest) {
  const both = compared(guest);
  if (both) return both;
  const { config, name, state, domains } = guest;
  if (!config?.guest) throw withoutConfig({ name, config, domid: domains[0]?.fact.domid });
  throw misuse(
    `${name} is ${state}: there is nothing to compare its config with.`,
    "domus persist is for a guest that runs, in one domain that libxl knows.",
  );
}

function withoutConfig({
  name,
  config,
  domid,
}: {
  readonly name: string;
  readonly config?: ConfigFact | undefined;
  readonly domid?: number | undefined;
}) {
  if (!config)
    return misuse(
      `No config of ${name} is known.`,
      `Keep what Xen knows of it: xl list -l ${domid ?? name}.`,
    );
  return misuse(
    `The config ${config.path} is not understood.`,
    `domus check ${config.path} says what is wrong with it.`,
  );
}
