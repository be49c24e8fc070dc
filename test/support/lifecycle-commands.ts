/** The commands as their mains put them together, for tests on a Xen in memory. */
import { findGuest } from "../../src/guest/inventory/find-guest.ts";
import { readInventory } from "../../src/guest/inventory/inventory.ts";
import { findImage, planRestore, surveyRestore } from "../../src/guest/lifecycle/plan-restore.ts";
import { planSave, surveySave } from "../../src/guest/lifecycle/plan-save.ts";
import { planStart, surveyStart } from "../../src/guest/lifecycle/plan-start.ts";
import type { LifecyclePorts } from "../../src/guest/lifecycle/ports.ts";
import { recoverOperations } from "../../src/guest/lifecycle/recover.ts";
import { runRestore } from "../../src/guest/lifecycle/restore.ts";
import { runSave } from "../../src/guest/lifecycle/save.ts";
import { runStart } from "../../src/guest/lifecycle/start.ts";
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
