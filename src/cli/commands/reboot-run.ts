import { printable } from "../../base/printable.ts";
import { watchBoot } from "../../guest/console/watch-boot.ts";
import { driftOf } from "../../guest/inventory/drift.ts";
import { findGuest } from "../../guest/inventory/find-guest.ts";
import type { InventoryGuest } from "../../guest/inventory/inventory.ts";
import type { Inventory } from "../../guest/inventory/inventory.ts";
import { afterFailedBoot, readEndActions } from "../../guest/lifecycle/end-actions.ts";
import type { LifecyclePorts } from "../../guest/lifecycle/ports.ts";
import { planReboot, runReboot } from "../../guest/lifecycle/reboot.ts";
import type { Rebooted, RebootPlan, RebootSurvey } from "../../guest/lifecycle/reboot.ts";
import { cannot, startHint, targetDomain } from "../../guest/lifecycle/target-domain.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { localBoot } from "../local-console.ts";
import { openLifecycle } from "../local-lifecycle.ts";
import { wrap } from "../render/text.ts";
import { waitingText } from "../waiting.ts";
import { openInventory } from "./list-run.ts";
import { bootCheck, sayNext } from "./start-run.ts";

export type RebootFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly anyway: boolean;
  readonly wait: number;
  readonly limit: number;
  readonly dryRun: boolean;
};

export const run = failing(async function (this: Context, flags: RebootFlags, name: string) {
  const { out, signal, openHost, openBoot } = this;
  using ports = await openLifecycle(this, flags);
  const inventory = await openInventory(this, flags);
  const guest = findGuest(inventory, "This host", name);
  const survey = await surveyReboot(this, ports, { inventory, guest, flags, name });
  const { anyway, wait } = flags;
  const plan = planReboot(survey, { anyway, waitS: wait });
  for (const note of plan.notes) out.say(wrap(printable(note), out.width).join("\n"));
  const { domid } = plan.domain;
  const called = printable(plan.domain.name);
  if (flags.dryRun) {
    if (flags.json) out.json(rebootJson(plan));
    else
      out.result(
        [
          `Would ask ${called} to reboot: xl reboot ${domid}`,
          `Would wait for its new domain, and watch its console for ${flags.limit} s at most.`,
        ].join("\n"),
      );
    return EXIT.done;
  }
  const rebooted = await runReboot(ports, plan, {
    signal,
    onWait: waitingText(out, (seconds) => `${called}: waiting for its new domain, ${seconds} s.`),
    watch: (domain) => {
      out.say(
        `It starts again as domain ${domain.domid}. Ctrl-C ends the watch, and the guest goes on.`,
      );
      return watchBoot((openBoot ?? localBoot)(openHost(undefined)), domain, {
        signal,
        limitMs: flags.limit * 1000,
        onLine: (line) => out.progress(line),
      });
    },
  });
  out.progress("");
  if (flags.json) out.json(rebootJson(plan, rebooted));
  else sayRebooted(this, plan, rebooted);
  if (!flags.json && rebooted.boot.outcome === "failed")
    sayNext(this, afterFailedBoot(plan.domain.name, survey.actions?.crash));
  return rebooted.boot.outcome === "failed" ? EXIT.failed : EXIT.done;
});

type Surveying = {
  readonly inventory: Inventory;
  readonly guest: InventoryGuest;
  readonly flags: RebootFlags;
  readonly name: string;
};

async function surveyReboot(
  context: Context,
  ports: LifecyclePorts,
  { inventory, guest, flags, name }: Surveying,
): Promise<RebootSurvey> {
  const domain = targetDomain(inventory, guest, name);
  if (!domain) throw cannot("rebooted", guest, startHint(guest));
  const { config } = guest;
  const isChecked = config !== undefined && !flags.anyway && domain.state === "running";
  return {
    domain,
    actions: await readEndActions(ports.host, domain.domid),
    check: isChecked ? await bootCheck(context, ports, config.path) : undefined,
    configPath: config?.path,
    drift: driftOf(guest, inventory.backings),
  };
}

function rebootJson({ domain, notes }: RebootPlan, rebooted?: Rebooted) {
  const { name, domid, uuid } = domain;
  return {
    ...{ guest: name, uuid, domid, notes, done: rebooted !== undefined },
    ...(rebooted && { newDomid: rebooted.domain.domid, boot: rebooted.boot }),
  };
}

function sayRebooted({ out }: Context, { domain }: RebootPlan, { boot }: Rebooted): void {
  const name = printable(domain.name);
  if (boot.outcome === "failed")
    for (const line of boot.evidence) out.say(out.style("dim", `  ${line}`));
  const said = {
    up: `${name} is up again, as domain ${boot.domid}: ${boot.reason}.`,
    failed: `${name} did not come up again: ${boot.reason}.`,
    unknown: `${name} runs again, as domain ${boot.domid}; whether it is up cannot be told: ${boot.reason}.`,
  }[boot.outcome];
  out.result(said);
}
