import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import { shellWord } from "../../check/remedy.ts";
import { findGuest } from "../../guest/inventory/find-guest.ts";
import { planSave, surveySave } from "../../guest/lifecycle/plan-save.ts";
import type { SavePlan } from "../../guest/lifecycle/plan-save.ts";
import { runSave } from "../../guest/lifecycle/save.ts";
import type { ImageRecord } from "../../host/records.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { openLifecycle } from "../local-lifecycle.ts";
import { openInventory } from "./list-run.ts";

export type SaveFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly to?: string;
  readonly dryRun: boolean;
};

export const run = failing(async function (this: Context, flags: SaveFlags, name: string) {
  using ports = await openLifecycle(this, flags);
  const inventory = await openInventory(this, flags);
  const guest = findGuest(inventory, "This host", name);
  const plan = planSave(await surveySave(ports, guest, flags.to));
  const record = flags.dryRun ? undefined : await runSave(ports, plan, this.signal);
  if (flags.json) this.out.json(saveJson(plan, record));
  else this.out.result(saveText(plan, record));
  return EXIT.done;
});

function saveJson(plan: SavePlan, record: ImageRecord | undefined) {
  const { guest, uuid, domid, image, neededBytes, freeBytes } = plan;
  return {
    ...{ guest, uuid, domid, image, done: record !== undefined, neededBytes, freeBytes },
    unproven: unprovenOf(plan, record),
    ...(record && { sizeBytes: record.sizeBytes, savedAtMs: record.savedAtMs }),
  };
}

function unprovenOf(plan: SavePlan, record: ImageRecord | undefined): readonly string[] {
  if (!record) return plan.unproven;
  return record.disks
    .filter(({ readonly, fingerprint }) => !readonly && fingerprint === undefined)
    .map(({ vdev }) => vdev);
}

function saveText(plan: SavePlan, record: ImageRecord | undefined): string {
  const { guest, domid, image, neededBytes, freeBytes } = plan;
  const unproven = unprovenOf(plan, record).map(
    (vdev) =>
      `Of ${printable(vdev)} no fingerprint can be taken: domus restore will not be able to prove that it is unchanged.`,
  );
  const head = record
    ? [
        `${printable(guest)} is saved in ${printable(image)} (${sizeText(record.sizeBytes ?? 0)}).`,
        `To let it go on: domus restore ${shellWord(guest)}`,
      ]
    : [
        `Would save ${printable(guest)} (domain ${domid}) in ${printable(image)}.`,
        `It takes up to ${sizeText(neededBytes)}; ${sizeText(freeBytes)} are free.`,
      ];
  return [...head, ...unproven].join("\n");
}
