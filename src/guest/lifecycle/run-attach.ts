/** Runs what `domus attach` and `domus detach` have planned: the domain first, then its config. */
import { attempt, commandFailed, failureText, FailureError, missing } from "../../base/failure.ts";
import { explainFailure } from "../../base/explain.ts";
import { shellWord } from "../../check/remedy.ts";
import { parseXlListLong } from "../../xen/xl-list.ts";
import { vdevKey } from "../../xen/drift.ts";
import { claimsFor } from "../guard/disk-claims.ts";
import { assertFree } from "../guard/disk-guard.ts";
import type { Host } from "../../host/host.ts";
import type { PersistPlan } from "../persist/persist.ts";
import { endConfigWrite, writeConfig } from "../persist/write-config.ts";
import { attachedPath, deviceDetail, deviceText } from "./attach.ts";
import type { DevicePlan } from "./attach.ts";
import { askDomain, xlFailure } from "./domain-command.ts";
import { withOperation } from "./journal.ts";
import type { LifecyclePorts } from "./ports.ts";
import type { Recover } from "./recover.ts";
import { waitForXl } from "./recover-save.ts";
import { fieldsOf } from "./save-data.ts";
import { hasNoDriver } from "./taken-up.ts";

const COMMANDS = {
  disk: { attach: "block-attach", detach: "block-detach" },
  nic: { attach: "network-attach", detach: "network-detach" },
} as const;

/** The words of the command that is run; undefined when the domain is as it should be. */
export function commandOf({ verb, device, words, isSo }: DevicePlan, domid: string) {
  return isSo ? undefined : ["xl", COMMANDS[device.kind][verb], domid, ...words];
}

/** `refused` when the disk is in use, or not there; `missing` where there is nothing at its path. */
export async function assertAttachable(
  { host, guard }: Pick<LifecyclePorts, "host" | "guard">,
  plan: DevicePlan,
): Promise<void> {
  const attached = attachedPath(plan);
  if (!attached) return;
  const { path, writes } = attached;
  const kind = await host.kind(path);
  if (kind !== "file" && kind !== "block-device")
    throw missing(
      [host.name],
      `disk ${path}`,
      "Check the path. A logical volume that is not active: vgchange -ay.",
    );
  await assertFree(guard, path, { writes, owner: plan.domain });
}

/** `persist`: what is written into the config then. `failed` with what was done and what was not. */
export async function runDevice(
  ports: LifecyclePorts,
  plan: DevicePlan,
  persist: PersistPlan | undefined,
): Promise<void> {
  const { verb, domain, device } = plan;
  const { domid, uuid, name } = domain;
  const attached = attachedPath(plan);
  const disks = await claimsFor(ports.guard, attached ? [attached] : []);
  const data = {
    ...{ uuid, domid, device: deviceText(device), disks },
    // What an xl that outlives this process is known by.
    ...(attached && { attaching: plan.words[0] }),
  };
  const start = { kind: verb, guest: name, step: "domain", data };
  await withOperation(ports, start, async (enter, keep) => {
    await assertAttachable(ports, plan);
    if (!plan.isSo) await change(ports, plan);
    if (!persist || persist.config.written.length === 0) return;
    const written = await attempt(() => writeConfig(ports, persist, { enter, keep, domain }));
    if (!written.ok) throw notWritten(plan, persist, new FailureError(written.failure));
  });
}

/** What becomes of an attach or detach that was cut off: the domain has the device or not, and the config is whole. */
export const recoverDevice: Recover = async (ports, operation, { sameBoot }) => {
  const config = await endConfigWrite(ports, operation);
  if (config !== undefined) return config;
  const { guest } = operation;
  if (!sameBoot) return `The host was started again since: ${guest} was lost with it.`;
  const attaching = fieldsOf(operation).optionalText("attaching");
  if (attaching !== undefined) await waitForXl(ports, attaching);
  return `What it had done stays; domus show ${shellWord(guest)} says how the guest is now.`;
};

async function change(ports: LifecyclePorts, plan: DevicePlan): Promise<void> {
  const { host, records, nowMs } = ports;
  const { verb, domain, device } = plan;
  const { domid, uuid, name } = domain;
  const ran = await askDomain(host, domain, (id) => commandOf(plan, id)!);
  // It has happened by now, whatever it takes to look at it.
  const atMs = nowMs();
  const isThere = await hasDevice(host, plan);
  const isDone = isThere === undefined ? ran.exitCode === 0 : isThere === (verb === "attach");
  if (ran.exitCode !== 0 || !isDone) {
    const state = isDone
      ? `${deviceText(device)} ${verb === "attach" ? "is in the domain" : "is gone from the domain"} all the same.`
      : "The domain is as it was.";
    const hint = verb === "detach" ? await detachHint(ports, plan) : "";
    throw xlFailure(
      ran,
      domain,
      `${state.charAt(0).toUpperCase()}${state.slice(1)}${hint} domus show ${shellWord(name)} says what it has.`,
    );
  }
  records.addEvent({
    ...{ atMs, guest: name, uuid, domid, by: "domus" },
    kind: verb === "attach" ? "attached" : "detached",
    detail: deviceDetail(device),
  });
}

async function detachHint(ports: LifecyclePorts, plan: DevicePlan): Promise<string> {
  const { domain, device } = plan;
  if (device.kind !== "disk") return "";
  if (await hasNoDriver(ports, plan))
    return ` ${domain.name} has no PV drivers that would answer. A disk that it was started with it may use without them: stop it first. One that was attached since it never had: xl block-detach --force ${domain.domid} ${shellWord(device.disk.vdev)} takes that back.`;
  return " A guest gives a disk back only when it does not use it any more: unmount it there first, or take it out of its volume group.";
}

/** Whether libxl has it; undefined when it does not tell. */
async function hasDevice(host: Host, { domain, device }: DevicePlan): Promise<boolean | undefined> {
  const listed = await attempt(async () => {
    const { exitCode, stdout } = await host.run(["xl", "list", "-l"]);
    return exitCode === 0 ? parseXlListLong(stdout) : [];
  });
  const guest = listed.ok
    ? listed.value.find(({ domid }) => domid === domain.domid)?.guest
    : undefined;
  if (!guest) return undefined;
  return device.kind === "disk"
    ? guest.disks.some(({ vdev }) => vdevKey(vdev) === vdevKey(device.disk.vdev))
    : guest.nics.some(({ mac }) => mac === device.nic.mac);
}

function notWritten(
  { verb, device, domain, isSo }: DevicePlan,
  { path }: PersistPlan,
  { failure }: FailureError,
) {
  const { why, next } = explainFailure(failure);
  const done = isSo ? "" : `${deviceText(device)} was ${verb}ed, but `;
  const what = `${done}the config ${path} was not written: ${failureText(failure)}`;
  return commandFailed([path], {
    what: `${what.charAt(0).toUpperCase()}${what.slice(1)}`,
    why,
    next: `${next} Until then the guest has it as it is now, and loses that when it is started anew: domus persist ${shellWord(domain.name)} writes it.`,
  });
}
