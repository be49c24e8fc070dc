import { randomBytes } from "node:crypto";
import { misuse } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import { findGuest } from "../../guest/inventory/find-guest.ts";
import {
  configWith,
  deviceText,
  planAttachDisk,
  planAttachNic,
  planDetachDisk,
  planDetachNic,
} from "../../guest/lifecycle/attach.ts";
import type { DevicePlan, DeviceSurvey } from "../../guest/lifecycle/attach.ts";
import { assertAttachable, commandOf, runDevice } from "../../guest/lifecycle/run-attach.ts";
import { notTakenUp } from "../../guest/lifecycle/taken-up.ts";
import { cannot, startHint, targetDomain } from "../../guest/lifecycle/target-domain.ts";
import { planConfigChange } from "../../guest/persist/persist.ts";
import type { PersistPlan } from "../../guest/persist/persist.ts";
import type { DomainSummary } from "../../xen/domain-summary.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { openLifecycle } from "../local-lifecycle.ts";
import { lineChanges } from "../render/line-changes.ts";
import { wrap } from "../render/text.ts";
import { openInventory } from "./list-run.ts";

export type DeviceFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly nic?: string;
  readonly persist: boolean;
  readonly dryRun: boolean;
};

export const attach = failing(async function (
  this: Context,
  flags: DeviceFlags,
  name: string,
  spec?: string,
) {
  if ((spec === undefined) === (flags.nic === undefined))
    throw misuse(
      "Either a disk or a network interface is attached.",
      "domus attach GUEST /dev/vg0/data,raw,xvdb,rw, or domus attach GUEST --nic bridge=xenbr0",
    );
  return change(this, flags, name, (survey) =>
    spec === undefined ? planAttachNic(survey, flags.nic!, newMac()) : planAttachDisk(survey, spec),
  );
});

export const detach = failing(async function (
  this: Context,
  flags: DeviceFlags,
  name: string,
  vdev?: string,
) {
  if ((vdev === undefined) === (flags.nic === undefined))
    throw misuse(
      "Either a disk or a network interface is detached.",
      "domus detach GUEST xvdb, or domus detach GUEST --nic 00:16:3e:00:00:01",
    );
  return change(this, flags, name, (survey, config) =>
    vdev === undefined
      ? planDetachNic(survey, flags.nic!, config)
      : planDetachDisk(survey, vdev, config),
  );
});

/** Of the range that Xen has for it (xl-network-configuration(5)). */
function newMac(): string {
  const [a = 0, b = 0, c = 0] = randomBytes(3);
  return [0x00, 0x16, 0x3e, a & 0x7f, b, c]
    .map((byte) => byte.toString(16).padStart(2, "0"))
    .join(":");
}

/** `config`: what the guest's config says, where that is to be changed, too. */
type PlanDevice = (survey: DeviceSurvey, config: DomainSummary | undefined) => DevicePlan;

async function change(
  context: Context,
  flags: DeviceFlags,
  name: string,
  planDevice: PlanDevice,
): Promise<ExitCode> {
  using ports = await openLifecycle(context, flags);
  const inventory = await openInventory(context, flags);
  const guest = findGuest(inventory, "This host", name);
  const domain = targetDomain(inventory, guest, name);
  if (!domain) throw cannot("given a device", guest, startHint(guest));
  const others = inventory.guests.filter((one) => one !== guest);
  const plan = planDevice({ domain, others }, flags.persist ? guest.config?.guest : undefined);
  const persist = flags.persist
    ? await planConfigChange(ports.host, guest, {
        change: (config) => configWith(config, plan),
        now: new Date(ports.nowMs()),
      })
    : undefined;
  if (flags.dryRun) await assertAttachable(ports, plan);
  else await runDevice(ports, plan, persist);
  if (flags.json) context.out.json(deviceJson(flags, plan, persist));
  else sayDevice(context, flags, plan, persist);
  const mayLackDrivers = domain.state === "running" && domain.guest?.type === "hvm";
  if (plan.verb === "attach" && !flags.dryRun && mayLackDrivers) {
    const unused = await notTakenUp(ports, plan, context.signal);
    if (unused !== undefined)
      context.out.say(wrap(printable(unused), context.out.width).join("\n"));
  }
  return EXIT.done;
}

function deviceJson({ dryRun }: DeviceFlags, plan: DevicePlan, persist: PersistPlan | undefined) {
  const { domain, device } = plan;
  const { name, domid, uuid } = domain;
  return {
    ...{ guest: name, domid, uuid, done: !dryRun, device },
    command: commandOf(plan, String(domid)) ?? null,
    ...(persist && { config: persist.path, changes: changesOf(persist) }),
    ...(persist && !dryRun && persist.config.written.length > 0 && { copy: persist.copyPath }),
  };
}

function changesOf({ expected, config }: PersistPlan) {
  return lineChanges(new TextDecoder().decode(expected), config.text);
}

function sayDevice(
  { out }: Context,
  { dryRun }: DeviceFlags,
  plan: DevicePlan,
  persist: PersistPlan | undefined,
): void {
  const { domain, device, verb } = plan;
  const name = printable(domain.name);
  const text = printable(deviceText(device));
  const argv = commandOf(plan, String(domain.domid));
  if (!argv) out.result(`${name} does not have ${text}.`);
  else if (dryRun) out.result(`Would run: ${printable(argv.map(shellWord).join(" "))}`);
  else if (verb === "attach") out.result(`${name} has ${text}.`);
  else out.result(`${name} does not have ${text} any more.`);
  if (!persist) {
    if (argv && !dryRun)
      out.say(
        `Its config does not know that: a reboot keeps it, a new start does not. domus persist ${shellWord(domain.name)} writes it.`,
      );
    return;
  }
  const changes = changesOf(persist);
  if (changes.length === 0) {
    out.say(`${printable(persist.path)} says so already.`);
    return;
  }
  out.result(`${printable(persist.path)}${dryRun ? " would become" : ""}:`);
  for (const { sign, text: line } of changes)
    out.result(out.style(sign === "+" ? "green" : "red", `${sign} ${printable(line)}`));
  if (!dryRun) out.say(`The old file is ${printable(persist.copyPath)}.`);
}
