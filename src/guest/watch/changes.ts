/** What changes of a domain while it is there: its state, its name, what it has. Pure. */
import { imageOfTemporary } from "../lifecycle/temporary-image.ts";
import { MIGRATED_AWAY } from "./beginnings.ts";
import { crashDetail } from "./endings.ts";
import { imageOf, possessionsOf } from "./observation.ts";
import type { DomainLook, XlProcess } from "./observation.ts";
import { SHUTDOWN } from "./monitor-log.ts";
import type { Ending } from "./monitor-log.ts";
import type { Possessions, Suspension, Tracked } from "./state.ts";
import { endingOf, tell } from "./step.ts";
import type { Step } from "./step.ts";

/** What `xl create` leaves behind needs a moment to take a domain away that has ended. */
const TAKEN_AWAY_WITHIN_MS = 5000;
/** As long as that is there it is at it: scripts for devices may take 40 s each. Beyond this it hangs. */
const XL_TAKES_MS = 120_000;

/** `now` has the name and the state of now, all else of before. */
export function changed(step: Step, before: Tracked, now: Tracked, fact: DomainLook): Tracked {
  const renamed = newName(step, before, now);
  const moved =
    before.state === now.state ? stayed(step, renamed) : newState(step, before, renamed);
  if (!fact.guest || (moved.state !== "running" && moved.state !== "paused")) return moved;
  const has = possessionsOf(fact.guest);
  if (moved.has) tellPossessions(step, moved, { before: moved.has, has });
  return { ...moved, has };
}

function newName(step: Step, before: Tracked, now: Tracked): Tracked {
  if (before.name === now.name) return now;
  if (MIGRATED_AWAY.test(now.name)) return { ...now, suspension: { by: "migrate" } };
  if (!MIGRATED_AWAY.test(before.name))
    tell(step, "renamed", now, { from: before.name, to: now.name });
  return now;
}

function newState(step: Step, before: Tracked, now: Tracked): Tracked {
  const { suspension, over, ...rest } = now;
  const keeps = { ...rest, ...(over && { over }) };
  switch (now.state) {
    case "suspended":
      return { ...now, suspension: suspenderOf(step, before) };
    case "crashed":
      if (over !== "crashed") tell(step, "crashed", now, crashDetail(endingOf(step, now)));
      return { ...rest, over: "crashed" };
    case "shut-down":
      return stayed(step, now);
    case "paused":
      if (before.state === "suspended") goesOn(step, now, suspension);
      else tell(step, "paused", now);
      return suspension?.ours ? { ...keeps, suspension } : keeps;
    case "running":
      if (before.state === "suspended" || suspension?.ours) goesOn(step, now, suspension);
      else tell(step, "resumed", now);
      return rest;
    case "dying":
      return now;
  }
}

/** It is there after its memory was written somewhere. */
function goesOn(step: Step, now: Tracked, suspension: Suspension | undefined): void {
  // Checked while it stands still, or taken back: only with the domain's end it is saved.
  if (suspension?.ours) return;
  if (suspension?.by === "save") {
    const { image } = suspension;
    tell(step, "saved", now, { ...(image !== undefined && { image }), goesOn: now.state });
  } else if (suspension?.by === "migrate") tell(step, "resumed", now, { after: "migration" });
  else if (now.state === "running") tell(step, "resumed", now);
  else tell(step, "paused", now);
}

/** In the same state as before; for what takes time to tell. */
function stayed(step: Step, now: Tracked): Tracked {
  if (now.state === "suspended" && (now.suspension?.by ?? "unknown") === "unknown")
    return { ...now, suspension: suspenderOf(step, now) };
  if (now.state !== "shut-down" || now.over) return now;
  const ending = endingOf(step, now);
  if (!isKept(step, now, ending)) return now;
  const reason = ending?.code === SHUTDOWN.reboot ? "reboot" : "poweroff";
  tell(step, "stopped", now, { reason, kept: true });
  return { ...now, over: "stopped" };
}

/** It has shut down, and nobody is about to take it away. */
function isKept(
  { look }: Step,
  { monitorPid, stateMs }: Tracked,
  ending: Ending | undefined,
): boolean {
  if (ending?.action === "preserve") return true;
  // Of that one the process goes on to look after the next domain.
  const isLeft = ending?.action === "rename-restart";
  const goes = !isLeft && look.processes.some(({ pid }) => pid === monitorPid);
  return look.atMs - stateMs >= (goes ? XL_TAKES_MS : TAKEN_AWAY_WITHIN_MS);
}

function suspenderOf({ look }: Step, { domid, name }: Tracked): Suspension {
  const isIt = (word: string | undefined) => word === String(domid) || word === name;
  const isOfIt = ({ words }: XlProcess) => isIt(words[0]);
  const save = look.processes.find((one) => one.verb === "save" && isOfIt(one));
  if (save) {
    const image = imageOf(save);
    const ours = image === undefined ? undefined : imageOfTemporary(image);
    if (ours !== undefined) return { by: "save", image: ours, ours: true };
    return { by: "save", ...(image !== undefined && { image }) };
  }
  // `xl migrate -s 'ssh -p 2222' web host`
  const migrate = look.processes.some(
    ({ verb, words }) => verb === "migrate" && (isIt(words[0]) || isIt(words.at(-2))),
  );
  return { by: migrate ? "migrate" : "unknown" };
}

type Both = { readonly before: Possessions; readonly has: Possessions };

function tellPossessions(step: Step, tracked: Tracked, { before, has }: Both): void {
  const old = new Map(before.disks.map((disk) => [disk.vdev, disk.target]));
  const now = new Map(has.disks.map((disk) => [disk.vdev, disk.target]));
  for (const [vdev, target] of old)
    if (!now.has(vdev)) tell(step, "detached", tracked, { vdev, target });
  for (const [vdev, target] of now) {
    const was = old.get(vdev);
    if (was === undefined) tell(step, "attached", tracked, { vdev, target });
    else if (was !== target)
      tell(step, "config-changed", tracked, { what: vdev, from: was, to: target });
  }
  for (const nic of before.nics)
    if (!has.nics.includes(nic)) tell(step, "detached", tracked, { nic });
  for (const nic of has.nics)
    if (!before.nics.includes(nic)) tell(step, "attached", tracked, { nic });
  for (const what of ["memoryKib", "vcpus"] as const)
    if (before[what] !== has[what])
      tell(step, "config-changed", tracked, { what, from: before[what], to: has[what] });
}
