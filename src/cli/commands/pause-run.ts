import { printable } from "../../base/printable.ts";
import { findGuest } from "../../guest/inventory/find-guest.ts";
import { planPause, planResume, runPause, runResume } from "../../guest/lifecycle/pause.ts";
import type { PausePlan } from "../../guest/lifecycle/pause.ts";
import { cannot, startHint, targetDomain } from "../../guest/lifecycle/target-domain.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { openLifecycle } from "../local-lifecycle.ts";
import { wrap } from "../render/text.ts";
import { openInventory } from "./list-run.ts";

export type PauseFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly dryRun: boolean;
};

export type ResumeFlags = PauseFlags & { readonly anyway: boolean };

export const pause = failing(async function (this: Context, flags: PauseFlags, name: string) {
  using ports = await openLifecycle(this, flags);
  const inventory = await openInventory(this, flags);
  const guest = findGuest(inventory, "This host", name);
  const domain = targetDomain(inventory, guest, name);
  if (!domain) throw cannot("paused", guest, startHint(guest));
  const plan = planPause(domain);
  if (!flags.dryRun) await runPause(ports, plan);
  return say(this, flags, plan, ["pause", "paused"]);
});

export const resume = failing(async function (this: Context, flags: ResumeFlags, name: string) {
  using ports = await openLifecycle(this, flags);
  const inventory = await openInventory(this, flags);
  const guest = findGuest(inventory, "This host", name);
  const domain = targetDomain(inventory, guest, name);
  if (!domain) throw cannot("resumed", guest, startHint(guest));
  const images = guest.images.map(({ fact }) => fact);
  const events = ports.records.events({ guest: domain.uuid });
  const plan = planResume({ domain, images, events }, flags);
  if (!flags.dryRun) await runResume(ports, plan);
  if (domain.watched === false)
    this.out.say(wrap(unwatched(domain.name), this.out.width).join("\n"));
  return say(this, flags, plan, ["unpause", "running"]);
});

/** Before Xen 4.20 a save ends the xl that looks after a domain, also one after which the guest goes on. */
function unwatched(name: string): string {
  return `No process of xl looks after ${printable(name)} any more: when it reboots, nobody starts it again. domus stop and domus start give it one.`;
}

function say(
  { out }: Context,
  { json, dryRun }: PauseFlags,
  { domain, isSo }: PausePlan,
  [verb, state]: readonly [string, string],
): ExitCode {
  const { name, domid, uuid } = domain;
  const called = `${printable(name)} (domain ${domid})`;
  if (json)
    out.json({
      guest: name,
      domid,
      uuid,
      done: !dryRun && !isSo,
      state: dryRun && !isSo ? null : state,
    });
  else if (isSo) out.result(`${called} is ${state} already.`);
  else if (dryRun) out.result(`Would run: xl ${verb} ${domid}`);
  else
    out.result(
      state === "paused"
        ? `${called} is paused; it keeps its memory and its disks.`
        : `${called} goes on.`,
    );
  return EXIT.done;
}
