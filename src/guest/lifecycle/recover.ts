/**
 * Puts in order what commands have left that were cut off, and what happened behind domus's back. At the beginning of every
 * command that changes state (docs/design/lifecycle.md, "Recovery").
 */
import { attempt, attemptSync, failureText, unsupported } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord, Operation } from "../../host/records.ts";
import { parseXlListLong } from "../../xen/xl-list.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { targetPath } from "../inventory/read-backings.ts";
import { setAside, tidyImages } from "./aside.ts";
import { listDomains, neverRan } from "./domains.ts";
import { claimOperation, isSameBoot } from "./journal.ts";
import type { LifecyclePorts } from "./ports.ts";
import { recoverRestore } from "./recover-restore.ts";
import { recoverSave } from "./recover-save.ts";
import { recoverStart } from "./recover-start.ts";

export type Recovered = {
  readonly guest: string;
  /** What was found and done: a sentence or more, not escaped. */
  readonly what: string;
  /** False: it could not be ended, and nothing is done with the guest until it can. */
  readonly ended: boolean;
};

/** Ends an operation that was cut off; returns what it did. Throws when it cannot be ended yet. */
export type Recover = (
  ports: LifecyclePorts,
  operation: Operation,
  facts: {
    /** False: the host was started again since, and all its domains are gone. */
    readonly sameBoot: boolean;
  },
) => Promise<string>;

/** Kinds that have nothing to end: what they did is done, the rest was not begun. */
const NOTHING_LEFT: Recover = () =>
  Promise.resolve("What it had done stays; domus show says how the guest is now.");

const RECOVERIES: Readonly<Record<string, Recover>> = {
  save: recoverSave,
  restore: recoverRestore,
  start: recoverStart,
  stop: NOTHING_LEFT,
  reboot: NOTHING_LEFT,
  pause: NOTHING_LEFT,
  resume: NOTHING_LEFT,
  attach: NOTHING_LEFT,
  detach: NOTHING_LEFT,
  persist: NOTHING_LEFT,
};

/** `more` are of other kinds of operations. Fails only when the records cannot be used. */
export async function recoverOperations(
  ports: LifecyclePorts,
  more: Readonly<Record<string, Recover>> = {},
): Promise<readonly Recovered[]> {
  const found: Recovered[] = [];
  for (const operation of ports.records.operations()) {
    const claimed = ports.isAlive(operation) ? undefined : claimOperation(ports, operation);
    if (claimed) found.push(await recoverOne(ports, claimed, { ...RECOVERIES, ...more }));
  }
  return [...found, ...(await lookAtImages(ports))];
}

/** Whether there is something for `recoverOperations`; changes nothing. */
export function cutOffOperations({
  records,
  isAlive,
}: Pick<LifecyclePorts, "records" | "isAlive">): readonly Operation[] {
  return records.operations().filter((operation) => !isAlive(operation));
}

async function recoverOne(
  ports: LifecyclePorts,
  operation: Operation,
  recoveries: Readonly<Record<string, Recover>>,
): Promise<Recovered> {
  const { guest, kind, step } = operation;
  const head = `domus ${kind} ${guest} was cut off at its step "${step}".`;
  const recover = Object.hasOwn(recoveries, kind) ? recoveries[kind] : undefined;
  const facts = { sameBoot: isSameBoot(ports, operation) };
  const done = await attempt(() => {
    if (recover) return recover(ports, operation, facts);
    throw unsupported(["the records"], `an operation of the kind ${kind}, of a newer domus`);
  });
  if (!done.ok)
    return {
      guest,
      what: `${head} It could not be put in order: ${failureText(done.failure)}`,
      ended: false,
    };
  ports.records.endOperation(operation.id);
  return { guest, what: `${head} ${done.value}`, ended: true };
}

/** What became of images that wait, and old files. Without Xen's answer nothing is said of domains. */
async function lookAtImages(ports: LifecyclePorts): Promise<Recovered[]> {
  const { host, records } = ports;
  const open = records.operations();
  const waiting = records.images().filter(({ state, guest, uuid }) => {
    const isOpen = open.some((one) => one.guest === guest || one.data["uuid"] === uuid);
    return state === "waiting" && !isOpen;
  });
  const found: Recovered[] = [];
  const listed = waiting.length > 0 ? await attempt(() => runningGuests(host)) : undefined;
  for (const image of waiting) {
    const { guest, path } = image;
    const domain = listed?.ok ? listed.value.find((one) => isOf(one, image)) : undefined;
    if (domain) {
      const why = `the guest runs as domain ${domain.domid}, started behind domus's back`;
      const { path: now } = await setAside(ports, image, { why, alarm: true });
      const runs =
        domain.name === guest
          ? `${guest} runs`
          : `A disk of ${guest} is written to by ${domain.name}, which runs`;
      const what = `${runs} as domain ${domain.domid} although its image ${path} was waiting: it was started, or restored, without domus. The image no longer fits its disks and is not offered any more; it is kept as ${now}.`;
      found.push({ guest, what, ended: true });
    } else if ((await host.kind(path)) === "missing") {
      records.changeImage(image.id, { state: "missing" });
      const what = `The image ${path} of ${guest} was waiting and is not there any more: somebody deleted or moved it. If it was moved, domus restore takes its new path.`;
      found.push({ guest, what, ended: true });
    }
  }
  const deleted = await attempt(() => tidyImages(ports));
  const paths = deleted.ok ? deleted.value : [];
  return [
    ...found,
    ...paths.map((path) => ({
      guest: "",
      what: `Deleted ${path}: it was kept long enough.`,
      ended: true,
    })),
  ];
}

type RunningGuest = DomainRow & { readonly disks: readonly string[] };

/** One that is built and has not run is being restored, or was left half-way: that harms no disk. */
async function runningGuests(host: Host): Promise<readonly RunningGuest[]> {
  const rows = (await listDomains(host)).filter((row) => !neverRan(row) && row.state !== "dying");
  if (rows.length === 0) return [];
  const { stdout } = await host.run(["xl", "list", "-l"]);
  const long = attemptSync(() => parseXlListLong(stdout));
  const live = new Map((long.ok ? long.value : []).map(({ domid, guest }) => [domid, guest]));
  return rows.map((row) => {
    const written = (live.get(row.domid)?.disks ?? []).filter(({ readonly }) => !readonly);
    return { ...row, disks: written.flatMap((disk) => targetPath(disk) ?? []) };
  });
}

function isOf({ uuid, name, disks }: RunningGuest, image: ImageRecord): boolean {
  const isShared = image.disks.some(({ readonly, path }) => !readonly && disks.includes(path));
  return uuid === image.uuid || name === image.guest || isShared;
}
