import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import { findGuest } from "../../guest/inventory/find-guest.ts";
import { readEndActions } from "../../guest/lifecycle/end-actions.ts";
import { comingDomain } from "../../guest/lifecycle/successor.ts";
import { planStop, runStop } from "../../guest/lifecycle/stop.ts";
import type { StopPlan, Stopped } from "../../guest/lifecycle/stop.ts";
import { targetDomain } from "../../guest/lifecycle/target-domain.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { openLifecycle } from "../local-lifecycle.ts";
import { waitingText } from "../waiting.ts";
import { openInventory } from "./list-run.ts";

export type StopFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly acpi: boolean;
  readonly destroyAfter?: number;
  readonly wait: number;
  readonly dryRun: boolean;
};

export const run = failing(async function (this: Context, flags: StopFlags, name: string) {
  const { out, signal } = this;
  using ports = await openLifecycle(this, flags);
  const inventory = await openInventory(this, flags);
  const guest = findGuest(inventory, "This host", name);
  const called = printable(guest.name);
  // Between two lives a guest has none, and is not stopped for that.
  const domain = targetDomain(inventory, guest, name) ?? (await comingDomain(ports, guest.name));
  if (!domain) {
    if (flags.json) out.json({ guest: guest.name, done: false, state: guest.state });
    else out.result(`${called} does not run: it is ${guest.state}.`);
    return EXIT.done;
  }
  const actions = await readEndActions(ports.host, domain.domid);
  const plan = planStop(
    { domain, actions },
    {
      acpi: flags.acpi,
      waitS: flags.wait,
      ...(flags.destroyAfter !== undefined && { destroyAfterS: flags.destroyAfter }),
    },
  );
  if (flags.dryRun) {
    if (flags.json) out.json(stopJson(plan));
    else out.result(stepTexts(plan).join("\n"));
    return EXIT.done;
  }
  const onWait = waitingText(
    out,
    (seconds) => `${called} still runs, ${seconds} s after it was asked to shut down.`,
  );
  const stopped = await runStop(ports, plan, { signal, onWait });
  out.progress("");
  if (flags.json) out.json(stopJson(plan, stopped));
  else if (stopped.how === "destroyed") out.result(`${called} was destroyed.`);
  else out.result(`${called} has shut down, after ${stopped.seconds} s.`);
  return EXIT.done;
});

function stopJson({ domain, ask, destroyAfterS, waitS }: StopPlan, stopped?: Stopped) {
  const { name, domid, uuid } = domain;
  return {
    ...{ guest: name, domid, uuid, done: stopped !== undefined, waitSeconds: waitS },
    ask: ask ?? null,
    destroyAfterSeconds: destroyAfterS ?? null,
    ...stopped,
  };
}

function stepTexts({ domain, ask, destroyAfterS, waitS }: StopPlan): string[] {
  const { name, domid } = domain;
  const destroy = `destroy it: xl destroy ${domid}`;
  if (destroyAfterS === 0) return [`Would ${destroy}`];
  const flag = ask === "power-button" ? "-F " : "";
  return [
    ask
      ? `Would ask ${shellWord(name)} to shut down: xl shutdown ${flag}${domid}`
      : `Would ask nothing of ${shellWord(name)}: it is ending.`,
    destroyAfterS === undefined
      ? `Would wait until its domain is gone, for ${waitS} s at most.`
      : `Would wait until its domain is gone, and after ${destroyAfterS} s ${destroy}`,
  ];
}
