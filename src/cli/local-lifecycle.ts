/** What commands that change guests work with on this machine, and the recovery that comes before each of them. */
import { join } from "node:path";
import { systemClock } from "../base/clock.ts";
import { printable } from "../base/printable.ts";
import { stateDirectory } from "../base/state-directory.ts";
import type { LifecyclePorts } from "../guest/lifecycle/ports.ts";
import { cutOffOperations, recoverOperations } from "../guest/lifecycle/recover.ts";
import type { Recover } from "../guest/lifecycle/recover.ts";
import { recoverRehearsal } from "../guest/rehearse/clean.ts";
import type { Host } from "../host/host.ts";
import { localImageFiles } from "../host/local/image-files.ts";
import { workDirectories } from "../host/local/work-directories.ts";
import type { WorkDirectories } from "../host/local/work-directories.ts";
import { xlProcessesWith } from "../host/local/xl-processes.ts";
import type { Records } from "../host/records.ts";
import type { Context } from "./context.ts";
import { localGuard } from "./local-guard.ts";
import { localJournal, openLocalRecords, readLocalRecords } from "./local-records.ts";
import { wrap } from "./render/text.ts";
import { assertRoot } from "./root-only.ts";

export function localLifecycle(
  { out, process }: Context,
  host: Host,
  records: Records,
): LifecyclePorts {
  return {
    ...localJournal(records),
    host,
    guard: localGuard(host, records),
    files: localImageFiles,
    xlWith: (word) => Promise.resolve(xlProcessesWith(word)),
    clock: systemClock,
    nowMs: () => Date.now(),
    imageDirectory: join(stateDirectory(process.env ?? {}), "images"),
    tell: (text) => out.say(printable(text)),
  };
}

/** Where copies of guests have their configs and overlays. */
export function rehearsalDirectories(env: NodeJS.ProcessEnv): WorkDirectories {
  return workDirectories(join(stateDirectory(env), "rehearse"));
}

export type OpenLifecycle = LifecyclePorts & Disposable;

export type LifecycleOptions = {
  /** Nothing is written: the records are read, and what could be recovered is only said. */
  readonly dryRun: boolean;
  /** Recovery of further kinds of operations. */
  readonly recoveries?: Readonly<Record<string, Recover>>;
};

/** The beginning of every command that changes a guest. `refused` for who is not root. */
export async function openLifecycle(
  context: Context,
  { dryRun, recoveries }: LifecycleOptions,
): Promise<OpenLifecycle> {
  const ports = context.openLifecycle?.() ?? openLocal(context, dryRun);
  const close = () => ports.records[Symbol.dispose]();
  try {
    if (dryRun) sayCutOff(context, ports);
    else {
      const rehearse = recoverRehearsal(rehearsalDirectories(context.process.env ?? {}));
      await sayRecovered(context, ports, { rehearse, ...recoveries });
    }
    return { ...ports, [Symbol.dispose]: close };
  } catch (error) {
    close();
    throw error;
  }
}

function openLocal(context: Context, dryRun: boolean): LifecyclePorts {
  if (!dryRun) assertRoot(context);
  const env = context.process.env ?? {};
  const records = dryRun ? readLocalRecords(env) : openLocalRecords(env);
  return localLifecycle(context, context.openHost(undefined), records);
}

async function sayRecovered(
  { out }: Context,
  ports: LifecyclePorts,
  recoveries: LifecycleOptions["recoveries"],
): Promise<void> {
  for (const { what, ended } of await recoverOperations(ports, recoveries)) {
    const lines = wrap(printable(what), out.width);
    out.say(ended ? lines.join("\n") : out.style("yellow", lines.join("\n")));
  }
}

function sayCutOff({ out }: Context, ports: LifecyclePorts): void {
  for (const { kind, guest, step } of cutOffOperations(ports))
    out.say(
      `domus ${kind} ${printable(guest)} was cut off at its step "${step}": the next command that is no --dry-run puts that in order first.`,
    );
}
