/** Whether a guest uses what was attached to it: libxl has it in the domain as soon as dom0's side is there. */
import { attempt } from "../../base/failure.ts";
import { shellWord } from "../../check/remedy.ts";
import { parseVdev } from "../../xen/vdev.ts";
import type { DevicePlan } from "./attach.ts";
import type { LifecyclePorts } from "./ports.ts";

/** A guest with PV drivers takes it up at once. */
const TAKE_UP_MS = 10_000;
const POLL_MS = 1000;
/** Of the guest's side (xen: xen/include/public/io/xenbus.h, XenbusStateInitialising, XenbusStateConnected). */
const INITIALISING = 1;
const CONNECTED = 4;

/** Waits some seconds for an HVM guest to take up what it was given. Sentences for one that does not. */
export async function notTakenUp(
  ports: Pick<LifecyclePorts, "host" | "clock">,
  plan: DevicePlan,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const { clock } = ports;
  const until = clock.now() + TAKE_UP_MS;
  for (;;) {
    const state = await frontendState(ports, plan);
    if (state === undefined || state >= CONNECTED || signal?.aborted) return undefined;
    if (clock.now() >= until) break;
    await clock.sleep(POLL_MS, signal);
  }
  const { name } = plan.domain;
  return (
    `${name} does not use it so far: an HVM guest needs PV drivers for what it gets while it runs. ` +
    `Without them it has it when it is started anew, from a config that has it: domus persist ${shellWord(name)}.`
  );
}

/** No driver of the guest has begun to use it. One that the guest was started with its device model may show to it all the same. */
export async function hasNoDriver(
  ports: Pick<LifecyclePorts, "host">,
  plan: DevicePlan,
): Promise<boolean> {
  return (await frontendState(ports, plan)) === INITIALISING;
}

/** As xl lists it; undefined where it does not. */
async function frontendState(
  { host }: Pick<LifecyclePorts, "host">,
  { domain, device }: DevicePlan,
): Promise<number | undefined> {
  const isDisk = device.kind === "disk";
  const verb = isDisk ? "block-list" : "network-list";
  const ran = await attempt(() => host.run(["xl", verb, String(domain.domid)]));
  if (!ran.ok || ran.value.exitCode !== 0) return undefined;
  // Vdev BE handle state ...; Idx BE Mac handle state ... (xen: tools/xl/xl_block.c, xl_nic.c)
  const [at, key, stateAt] = isDisk
    ? [0, String(parseVdev(device.disk.vdev)?.number), 3]
    : [2, device.nic.mac, 4];
  const rows = ran.value.stdout.split("\n").map((line) => line.trim().split(/\s+/));
  const state = rows.find((row) => row[at] === key)?.[stateAt];
  return state !== undefined && /^\d+$/.test(state) ? Number(state) : undefined;
}
