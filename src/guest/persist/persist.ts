/**
 * `domus persist`: a guest's config and its domain made equal, in one direction or the other. Survey and plan
 * (docs/design/drift.md).
 */
import { misuse } from "../../base/failure.ts";
import { directoryOf, fileName } from "../../base/path.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";
import type { DomainSummary, SummaryDisk } from "../../xen/domain-summary.ts";
import { compared, driftOf, samePath } from "../inventory/drift.ts";
import type { ConfigFact, DomainFact } from "../inventory/facts.ts";
import type { Inventory, InventoryGuest } from "../inventory/inventory.ts";
import type { DomainName } from "../lifecycle/domain-command.ts";
import { planConfig } from "./plan-config.ts";
import type { ConfigPlan } from "./plan-config.ts";
import { planRevert } from "./plan-revert.ts";
import type { RevertPlan } from "./plan-revert.ts";

export type PersistPlan = {
  readonly guest: string;
  /** Of the config file, all links followed. */
  readonly path: string;
  readonly expected: Uint8Array;
  /** Where the old config is kept, and where the new one is before it has its name. */
  readonly copyPath: string;
  readonly temporaryPath: string;
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
): Promise<PersistPlan & { readonly domain: DomainName }> {
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
  const { domid, uuid, name } = domain;
  return {
    ...{ guest: guest.name, path, expected, config: plan, domain: { domid, uuid, name } },
    ...(await placesFor(host, path, now)),
  };
}

/** Of one second there can be a copy already. */
const MAX_COPIES = 100;

async function placesFor(host: Host, path: string, now: Date) {
  const time = now.toISOString().slice(0, 19).replaceAll(":", "").replace("T", "-");
  const first = `${path}.domus-${time}`;
  let copyPath = first;
  for (let n = 2; n <= MAX_COPIES && (await host.kind(copyPath)) !== "missing"; n++)
    copyPath = `${first}-${n}`;
  return { copyPath, temporaryPath: `${directoryOf(path)}/.${fileName(path)}.domus-new` };
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
  return { guest: guest.name, path, expected, config, ...(await placesFor(host, path, now)) };
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
