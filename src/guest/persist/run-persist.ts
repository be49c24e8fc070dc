/** Runs what `domus persist` has planned, with its row in the journal (docs/design/lifecycle.md, "persist"). */
import { attempt } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import type { GuestEvent } from "../../host/records.ts";
import { claimsFor } from "../guard/disk-claims.ts";
import { assertFree } from "../guard/disk-guard.ts";
import { assertNoImageWaits } from "../guard/waiting-disks.ts";
import { deviceDetail } from "../lifecycle/attach.ts";
import { assertSameDomain, domainCommand } from "../lifecycle/domain-command.ts";
import type { DomainName } from "../lifecycle/domain-command.ts";
import { withOperation } from "../lifecycle/journal.ts";
import type { LifecyclePorts } from "../lifecycle/ports.ts";
import type { Recover } from "../lifecycle/recover.ts";
import { waitForXl } from "../lifecycle/recover-save.ts";
import { fieldsOf } from "../lifecycle/save-data.ts";
import type { PersistPlan, RevertSurvey } from "./persist.ts";
import type { RevertStep } from "./plan-revert.ts";
import { endConfigWrite, writeConfig } from "./write-config.ts";

/** Writes the new text; the old one is in `copyPath`. */
export async function runPersist(
  ports: LifecyclePorts,
  plan: PersistPlan & { readonly domain: DomainName },
): Promise<void> {
  const { guest, domain } = plan;
  const { uuid, domid } = domain;
  const start = { kind: "persist", guest, step: "begin", data: { uuid, domid } };
  await withOperation(ports, start, (enter, keep) =>
    writeConfig(ports, plan, { enter, keep, domain: { ...domain, name: guest } }),
  );
}

export type Reverted = {
  readonly done: readonly RevertStep[];
  /** The step that failed, and those behind it, which were not begun. */
  readonly failed?: { readonly step: RevertStep; readonly failure: Failure };
};

/** Nothing when no image of another guest waits for a disk that a step attaches; otherwise `refused`. */
export async function assertRevertible(
  { guard }: Pick<LifecyclePorts, "guard">,
  { guest, steps, domain }: RevertSurvey,
): Promise<void> {
  const owner = { name: guest, uuid: domain.uuid };
  for (const { path, writes } of attachedBy(steps))
    await assertNoImageWaits(guard, path, { writes, owner });
}

function attachedBy(steps: readonly RevertStep[]) {
  return steps.flatMap(({ attaches }) => attaches ?? []);
}

/** Runs the steps one after the other and stops at the first that fails: what is done stays, and is said. */
export async function runRevert(
  ports: LifecyclePorts,
  survey: RevertSurvey,
  signal?: AbortSignal,
): Promise<Reverted> {
  const { guest, steps, domain } = survey;
  const { domid, uuid } = domain;
  const disks = await claimsFor(ports.guard, attachedBy(steps));
  const start = { kind: "persist", guest, step: "revert", data: { uuid, domid, disks } };
  return withOperation(ports, start, async (enter) => {
    const name = { domid, uuid, name: guest };
    await assertSameDomain(ports.host, name);
    // Nothing has been taken away yet.
    await assertRevertible(ports, survey);
    const done: RevertStep[] = [];
    for (const step of steps) {
      signal?.throwIfAborted();
      const { attaches, argv } = step;
      // What an xl that outlives this process is known by.
      if (attaches) enter("revert", { attaching: argv.at(-1) });
      const ran = await attempt(() => runStep(ports, step, name));
      if (!ran.ok) return { done, failed: { step, failure: ran.failure } };
      done.push(step);
    }
    return { done };
  });
}

async function runStep(
  ports: LifecyclePorts,
  { argv, attaches, difference }: RevertStep,
  domain: DomainName,
): Promise<void> {
  const { records, nowMs, guard, host } = ports;
  if (attaches) await assertFree(guard, attaches.path, { ...attaches, owner: domain });
  await domainCommand(host, domain, () => argv);
  const { domid, uuid, name: guest } = domain;
  for (const { kind, detail } of changesOf(difference, argv[1]))
    records.addEvent({ atMs: nowMs(), guest, uuid, domid, kind, by: "domus", detail });
}

/** What of it belongs into the guest's history, as `domus attach` and the watcher say it. */
function changesOf(
  difference: RevertStep["difference"],
  verb: string | undefined,
): readonly Pick<GuestEvent, "kind" | "detail">[] {
  const isAway = verb?.endsWith("-detach") === true;
  const kind = isAway ? "detached" : "attached";
  switch (difference.of) {
    case "disk": {
      const disk = isAway ? difference.live : difference.config;
      // A medium comes into a drive that stays.
      const isDevice = verb === "block-attach" || verb === "block-detach";
      return disk && isDevice ? [{ kind, detail: deviceDetail({ kind: "disk", disk }) }] : [];
    }
    case "nic": {
      const nic = isAway ? difference.live : difference.config;
      return nic ? [{ kind, detail: deviceDetail({ kind: "nic", nic }) }] : [];
    }
    case "name":
      return [{ kind: "renamed", detail: { from: difference.live, to: difference.config } }];
    case "type":
    case "vcpus":
    case "maxVcpus":
    case "memoryKib":
    case "maxMemoryKib": {
      const { of: what, live: from, config: to } = difference;
      return [{ kind: "config-changed", detail: { what, from, to } }];
    }
  }
}

/** What becomes of a `domus persist` that was cut off. */
export const recoverPersist: Recover = async (ports, operation, { sameBoot }) => {
  const config = await endConfigWrite(ports, operation);
  if (config !== undefined) return config;
  const { guest, step } = operation;
  if (step !== "revert") return "Nothing was changed yet.";
  if (!sameBoot) return `The host was started again since: ${guest} was lost with it.`;
  const attaching = fieldsOf(operation).optionalText("attaching");
  if (attaching !== undefined) await waitForXl(ports, attaching);
  return `What it had done stays: domus persist --revert --dry-run ${shellWord(guest)} shows what is left.`;
};
