/** The commands as their mains put them together, for tests on a Xen in memory. */
import { FailureError } from "../../src/base/failure.ts";
import { findGuest } from "../../src/guest/inventory/find-guest.ts";
import { readInventory } from "../../src/guest/inventory/inventory.ts";
import { configWith, planAttachDisk } from "../../src/guest/lifecycle/attach.ts";
import { findImage, planRestore, surveyRestore } from "../../src/guest/lifecycle/plan-restore.ts";
import { planSave, surveySave } from "../../src/guest/lifecycle/plan-save.ts";
import { planStart, surveyStart } from "../../src/guest/lifecycle/plan-start.ts";
import type { LifecyclePorts } from "../../src/guest/lifecycle/ports.ts";
import { recoverOperations } from "../../src/guest/lifecycle/recover.ts";
import { runDevice } from "../../src/guest/lifecycle/run-attach.ts";
import { runRestore } from "../../src/guest/lifecycle/restore.ts";
import { runSave } from "../../src/guest/lifecycle/save.ts";
import { runStart } from "../../src/guest/lifecycle/start.ts";
import { planConfigChange, planPersist, planRevertOf } from "../../src/guest/persist/persist.ts";
import { runPersist, runRevert } from "../../src/guest/persist/run-persist.ts";
import { GUEST } from "./fake-xen.ts";

export type Command = (ports: LifecyclePorts, signal?: AbortSignal) => Promise<unknown>;

const inventoryOf = ({ host, records }: LifecyclePorts) => readInventory(host, { records });

export const recover: Command = (ports) => recoverOperations(ports);

export const save: Command = async (ports, signal) => {
  await recoverOperations(ports);
  const guest = findGuest(await inventoryOf(ports), "here", GUEST);
  return runSave(ports, planSave(await surveySave(ports, guest, undefined)), signal);
};

export const restoring =
  (wanted: string, anyway = false): Command =>
  async (ports) => {
    await recoverOperations(ports);
    const path = findImage(await inventoryOf(ports), "here", wanted);
    return runRestore(ports, planRestore(await surveyRestore(ports, path), { anyway }));
  };

export const starting =
  (discardImage = false): Command =>
  async (ports) => {
    await recoverOperations(ports);
    const inventory = await inventoryOf(ports);
    const guest = findGuest(inventory, "here", GUEST);
    const survey = await surveyStart(ports, inventory, guest);
    return runStart(ports, planStart(survey, { discardImage, anyway: false }));
  };

export const persisting: Command = async (ports) => {
  await recoverOperations(ports);
  const inventory = await inventoryOf(ports);
  const guest = findGuest(inventory, "here", GUEST);
  const now = new Date(ports.nowMs());
  const plan = await planPersist(ports.host, inventory, guest, { memory: false, now });
  if (plan.config.written.length > 0) await runPersist(ports, plan);
};

export const reverting: Command = async (ports) => {
  await recoverOperations(ports);
  const inventory = await inventoryOf(ports);
  const plan = planRevertOf(inventory, findGuest(inventory, "here", GUEST), false);
  if (plan.steps.length === 0) return;
  const { failed } = await runRevert(ports, plan);
  if (failed) throw new FailureError(failed.failure);
};

/** `domus attach`, with `--persist` or without. */
export const attaching =
  (spec: string, { to = GUEST, persist = true } = {}): Command =>
  async (ports) => {
    await recoverOperations(ports);
    const guest = findGuest(await inventoryOf(ports), "here", to);
    const plan = planAttachDisk({ domain: guest.domains[0]!.fact, others: [] }, spec);
    const config = persist
      ? await planConfigChange(ports.host, guest, {
          change: (was) => configWith(was, plan),
          now: new Date(ports.nowMs()),
        })
      : undefined;
    await runDevice(ports, plan, config);
  };
