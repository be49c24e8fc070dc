/** What a start that failed has left, why it failed, and what comes next. A script for a disk or a network card is often the reason. */
import { attempt, commandFailed } from "../../base/failure.ts";
import type { FailureError } from "../../base/failure.ts";
import { listText, shellWord } from "../../check/remedy.ts";
import type { Host, Ran } from "../../host/host.ts";
import { xlSaid } from "../../xen/xl-messages.ts";
import {
  hotplugLogSince,
  hotplugLogSize,
  readLockHolders,
  readLoopFacts,
} from "../inventory/hotplug.ts";
import type { LoopFact } from "../inventory/hotplug.ts";
import type { StartPlan } from "./plan-start.ts";
import type { LifecyclePorts } from "./ports.ts";

/** As it was before xl was run. */
export type BeforeStart = {
  readonly logBytes: number;
  readonly loops: ReadonlySet<string>;
};

export async function lookBeforeStart(host: Host): Promise<BeforeStart> {
  const loops = await readLoopFacts(host);
  return { logBytes: await hotplugLogSize(host), loops: new Set(loops.map(nameOfLoop)) };
}

const nameOfLoop = ({ device, key }: LoopFact) => `${device} ${key}`;

export type FailedStart = {
  readonly ran: Ran;
  readonly before: BeforeStart;
  /** Domains of the guest that are still there. */
  readonly domids: readonly number[];
};

/** Takes away what is the guest's alone, and says the rest. */
export async function failedStart(
  ports: LifecyclePorts,
  plan: StartPlan,
  { ran, before, domids }: FailedStart,
): Promise<FailureError> {
  const { host } = ports;
  const { guest, configPath } = plan;
  const isOfScript = SCRIPT_FAILED.test(ran.stderr);
  const logged = isOfScript ? await hotplugLogSince(host, before.logBytes) : [];
  const left = [
    ...(domids.length > 0 ? [`Domain ${domids.join(", ")} of it is still there.`] : []),
    ...(await leftLoops(ports, plan, before)),
    ...(isOfScript ? await heldLocks(host) : []),
  ];
  const said = xlSaid(ran.stderr) || `nothing; it ended with exit code ${ran.exitCode}`;
  const late = TIMED_OUT.test(ran.stderr)
    ? " libxl gives a script 40 seconds: what it does hangs, or waits for another one."
    : "";
  const log =
    logged.length > 0 ? ` In /var/log/xen/xen-hotplug.log since then: ${logged.join("; ")}` : "";
  const next = isOfScript
    ? `Put right what the script says, then domus start ${shellWord(guest)} again.`
    : `Look at /var/log/xen (xl-${guest}.log, the console's log), and at domus check ${shellWord(guest)}.`;
  return commandFailed([configPath], {
    what: ran.exitCode === 0 ? `${guest} ended at once.` : `xl create of ${guest} failed.`,
    why: `xl says: ${said}${late === "" && log === "" ? "" : "."}${late}${log}`,
    next: [...(left.length > 0 ? left : ["Nothing of it is left."]), next].join(" "),
  });
}

/** What libxl says of a script that failed, was killed, or took too long (xen: tools/libs/light/libxl_exec.c, libxl_aoutils.c). */
const SCRIPT_FAILED =
  /\bscript: |\/\S+ (?:add|remove|online|offline) \[\d+\] (?:exited with error|died due to)|killing execution of /;
const TIMED_OUT = /killing execution of .{1,300} because of timeout/;

const LET_GO_MS = 10_000;
const POLL_MS = 250;

/** Loop devices that are new. Those behind the guest's own files that nobody uses are let go of. */
async function leftLoops(
  ports: LifecyclePorts,
  { disks }: StartPlan,
  before: BeforeStart,
): Promise<string[]> {
  const { host, tell } = ports;
  const own = new Set<string>();
  for (const { path } of disks) {
    const look = await attempt(async () => host.lookAtDisk?.(path));
    if (look.ok && look.value) own.add(look.value.identity);
  }
  const said: string[] = [];
  for (const loop of await readLoopFacts(host)) {
    if (before.loops.has(nameOfLoop(loop)) || (await isUsed(ports, loop))) continue;
    const { device, file, key } = loop;
    if (!own.has(key)) {
      said.push(
        `The loop device ${device} (${file}) is new since then: unless somebody else made it, losetup -d ${device}.`,
      );
      continue;
    }
    await attempt(() => host.run(["losetup", "-d", device], { survives: true }));
    if (!(await isGone(ports, loop)))
      said.push(`${file} is still behind ${device}: losetup -d ${device}.`);
    else tell(`The start had left ${file} behind ${device}; it was let go of.`);
  }
  return said;
}

/** The kernel lets go of it when nobody has it open any more: udev looks into what is new. */
async function isGone({ host, clock }: LifecyclePorts, loop: LoopFact): Promise<boolean> {
  const until = clock.now() + LET_GO_MS;
  for (;;) {
    const loops = await readLoopFacts(host);
    if (!loops.some((one) => nameOfLoop(one) === nameOfLoop(loop))) return true;
    if (clock.now() >= until) return false;
    await clock.sleep(POLL_MS);
  }
}

/** By others than loop devices; also when that cannot be told. */
async function isUsed({ guard }: LifecyclePorts, { file, held }: LoopFact): Promise<boolean> {
  if (held) return true;
  const users = await attempt(() => guard.findUsers(file));
  return !users.ok || users.value.some(({ kind }) => kind !== "loop");
}

async function heldLocks(host: Host): Promise<string[]> {
  const holders = await readLockHolders(host);
  if (holders.length === 0) return [];
  const those = listText(
    holders.map(({ lock, pid, program }) => `process ${pid} (${program || "?"}) holds ${lock}`),
  );
  return [
    `A lock of the scripts is held: ${those}. Unless a script is at work, it was left by one that was killed, and every other one waits for it: kill ${holders.map(({ pid }) => pid).join(" ")}.`,
  ];
}
