import { directoryOf } from "../../base/path.ts";
import { printable } from "../../base/printable.ts";
import { timeText } from "../../guest/fingerprint/text.ts";
import {
  findImage,
  placesFor,
  planRestore,
  surveyRestore,
} from "../../guest/lifecycle/plan-restore.ts";
import type { RestorePlan } from "../../guest/lifecycle/plan-restore.ts";
import { runRestore } from "../../guest/lifecycle/restore.ts";
import type { Restored } from "../../guest/lifecycle/restore.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { openLifecycle } from "../local-lifecycle.ts";
import { openInventory } from "./list-run.ts";

export type RestoreFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly anyway: boolean;
  readonly dryRun: boolean;
};

export const run = failing(async function (this: Context, flags: RestoreFlags, name: string) {
  const { out, signal } = this;
  using ports = await openLifecycle(this, flags);
  const also = [...(flags.also ?? []), ...placesFor(name)];
  const path = findImage(await openInventory(this, { ...flags, also }), "This host", name);
  const plan = planRestore(await surveyRestore(ports, path, signal), flags);
  for (const doubt of plan.doubts) out.say(`Not proven: ${doubt}`);
  const restored = flags.dryRun ? undefined : await runRestore(ports, plan, signal);
  if (flags.json) out.json(restoreJson(plan, restored));
  else out.result(restoreText(plan, restored));
  return EXIT.done;
});

function restoreJson(plan: RestorePlan, restored: Restored | undefined) {
  const { guest, uuid, path, sizeBytes, savedAtMs, doubts } = plan;
  return {
    ...{ guest, uuid, image: path, sizeBytes, savedAtMs, doubts, done: restored !== undefined },
    ...(restored && { domid: restored.domid, keptAs: restored.image }),
  };
}

function restoreText(plan: RestorePlan, restored: Restored | undefined): string {
  const guest = printable(plan.guest);
  const path = printable(plan.path);
  if (!restored) return `Would restore ${guest} from ${path}, saved ${timeText(plan.savedAtMs)}.`;
  const { domid, image } = restored;
  return `${guest} goes on as domain ${domid}.\n${keptText(plan.path, image)}`;
}

function keptText(from: string, to: string): string {
  if (to === from) return `The image ${printable(from)} is of no use any more: delete it.`;
  // Of domus's own ones; what xl has made for xendomains is moved, and never deleted.
  if (directoryOf(to) === directoryOf(from))
    return `The image is kept for a while as ${printable(to)}; it must not be restored again.`;
  return `The image was moved out of xendomains' way, to ${printable(to)}; it must not be restored again. It is yours to delete.`;
}
