/**
 * `npm run torture -- watch [--runs N] [--seed N]`: so many changes of one guest, drawn by the seed, on a real Xen host in QEMU with domus watch
 * as its service. Each has to be told, once, in order; every 20th change the watcher is killed, and the next one happens while
 * it is dead. Prints how long after each command its event was there.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { debianKernel } from "../../lab/debian.ts";
import { guestInitramfs, makeExt4Guest } from "../../lab/guest.ts";
import { freshHost } from "../../lab/host.ts";
import type { LabHost } from "../../lab/host.ts";
import { hasBooted, installWatcher } from "../../test/support/lab-watcher.ts";
import type { LabWatcher } from "../../test/support/lab-watcher.ts";
import { randomSource } from "../../test/support/mutate.ts";
import { LOOP_CRASHES, LOOP_WITHIN_MS } from "../../src/guest/watch/crash-loop.ts";

const KERNEL = "6.1-cloud";
const IMAGE = "/var/tmp/guest.xl";
const KILL_EVERY = 20;

/** Its name changes; its console's log keeps the one that it was made with. */
type Guest = {
  state: "none" | "made" | "running" | "paused" | "crashed" | "saved";
  name: string;
  attached: boolean;
  memoryMib: number;
};

type Change = {
  readonly command: string;
  readonly kind: string;
  readonly after: Partial<Guest>;
  /** The guest does it, or has to be up first. */
  readonly byGuest?: true;
  /** A boot begins. */
  readonly boots?: true;
  /** It leaves no trace that can be found later, or ends in a state that cannot be told from another. */
  readonly liveOnly?: true;
};

function changesOf(guest: Guest, config: string): readonly Change[] {
  const { name, attached, memoryMib } = guest;
  const gone = { state: "none", attached: false } as const;
  const destroy: Change = { command: `xl destroy ${name}`, kind: "stopped", after: gone };
  switch (guest.state) {
    case "none": {
      const fresh = { name: "pandora", attached: false, memoryMib: 96 };
      const create = { command: `xl create ${config}`, kind: "started", boots: true } as const;
      return [
        { ...create, after: { ...fresh, state: "running" } },
        { command: `xl create -p ${config}`, kind: "created", after: { ...fresh, state: "made" } },
      ];
    }
    case "made":
      return [
        {
          command: `xl unpause ${name}`,
          kind: "started",
          boots: true,
          after: { state: "running" },
        },
      ];
    case "paused":
      return [
        { command: `xl unpause ${name}`, kind: "resumed", after: { state: "running" } },
        destroy,
      ];
    case "crashed":
      return [destroy];
    case "saved":
      return [{ command: `xl restore ${IMAGE}`, kind: "restored", after: { state: "running" } }];
    case "running":
      return [...runningChanges(name, attached, memoryMib), destroy];
  }
}

function runningChanges(name: string, attached: boolean, memoryMib: number): readonly Change[] {
  const pause: Change = { command: `xl pause ${name}`, kind: "paused", after: { state: "paused" } };
  const gone = { state: "none", attached: false } as const;
  const other = name === "pandora" ? "mail" : "pandora";
  // Never one that it may have already, whatever a reboot makes of it.
  const memory = memoryMib > 76 ? memoryMib - 1 : 95;
  const sysrq = (key: string) => `xl sysrq ${name} ${key}`;
  const byGuest = { byGuest: true, liveOnly: true } as const;
  const reboot: Change = {
    command: sysrq("b"),
    kind: "rebooted",
    boots: true,
    after: {},
    ...byGuest,
  };
  return [
    // The commonest by far.
    ...[pause, pause, pause],
    attached
      ? { command: `xl block-detach ${name} xvdb`, kind: "detached", after: { attached: false } }
      : {
          command: `xl block-attach ${name} /dev/vg0/pandora-data,raw,xvdb,rw`,
          ...{ kind: "attached", after: { attached: true } },
        },
    { command: `xl rename ${name} ${other}`, kind: "renamed", after: { name: other } },
    {
      command: `xl mem-set ${name} ${memory}m`,
      kind: "config-changed",
      after: { memoryMib: memory },
    },
    { command: `xl save ${name} ${IMAGE}`, kind: "saved", after: { state: "saved" } },
    // The log of its console has the name of that moment.
    ...(name === "pandora" ? [reboot] : []),
    {
      command: sysrq("c"),
      kind: "crashed",
      byGuest: true,
      after: { state: "crashed" },
      liveOnly: true,
    },
    { command: sysrq("o"), kind: "stopped", after: gone, ...byGuest },
  ];
}

/** The exit code. */
export async function tortureWatch(options: { runs: number; seed: number }): Promise<number> {
  const directory = mkdtempSync(join(tmpdir(), "domus-torture-watch-"));
  const host = await freshHost({ name: "torture-watch" });
  let watcher: LabWatcher | undefined;
  try {
    const config = await makeGuest(host, directory);
    watcher = await installWatcher(host);
    const stop = new AbortController();
    // What was measured up to then is worth its report.
    process.once("SIGINT", () => stop.abort());
    await storm({ host, watcher, config, signal: stop.signal, ...options });
    console.log(watcher.report());
    console.log(`${watcher.seen.length} changes seen, none twice, none lost.`);
    return 0;
  } catch (error) {
    if (watcher) console.log(watcher.report());
    console.log(
      `BUG seed ${options.seed}: ${error instanceof Error ? error.message : String(error)}`,
    );
    return 1;
  } finally {
    await host.remove();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function makeGuest(host: LabHost, directory: string): Promise<string> {
  const image = join(directory, "guest.img");
  makeExt4Guest(image, { kernel: KERNEL });
  const config = await host.writeGuest({
    ...{ name: "pandora", memoryMib: 96, disks: [{ image }] },
    ...{ kernel: debianKernel(KERNEL).vmlinuz, ramdisk: guestInitramfs(KERNEL) },
    config: [
      'extra = "root=/dev/xvda console=hvc0 sysrq_always_enabled"',
      'on_crash = "preserve"',
      'on_reboot = "restart"',
    ],
  });
  await host.output("lvcreate -qqy -L 4m -n pandora-data vg0");
  return config;
}

type Storm = {
  readonly host: LabHost;
  readonly watcher: LabWatcher;
  readonly config: string;
  readonly runs: number;
  readonly seed: number;
  /** Ends it after the change that is under way. */
  readonly signal: AbortSignal;
};

async function storm({ host, watcher, config, runs, seed, signal }: Storm): Promise<void> {
  const random = randomSource(seed);
  const guest: Guest = { state: "none", name: "pandora", attached: false, memoryMib: 96 };
  const crashedAtMs: number[] = [];
  let boots = 0;
  for (let run = 1; run <= runs && !signal.aborted; run++) {
    const all = changesOf(guest, config);
    const isDead = run % KILL_EVERY === 0;
    // Once more would be a loop, and an alarm beside the event.
    const recent = crashedAtMs.filter((atMs) => Date.now() - atMs < 2 * LOOP_WITHIN_MS);
    const mayCrash = recent.length < LOOP_CRASHES - 1;
    const possible = all.filter(
      ({ kind, liveOnly }) => !(isDead && liveOnly) && (mayCrash || kind !== "crashed"),
    );
    const change = possible[random(possible.length)]!;
    console.log(`${run}: ${isDead ? "(dead) " : ""}${change.command}`);
    if (isDead) {
      await watcher.kill();
      await host.output(change.command, { timeoutMs: 600_000 });
      await watcher.step(watcher.start, [change.kind], "late");
    } else await watcher.step(change.command, [change.kind], change.byGuest ? "guest" : "at once");
    if (change.kind === "crashed") crashedAtMs.push(Date.now());
    Object.assign(guest, change.after);
    if (!change.boots) continue;
    await host.waitForConsole("pandora", hasBooted(++boots), 600_000);
  }
}
