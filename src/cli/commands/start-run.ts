import { attempt, failureText, misuse } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import { checkGuest } from "../../guest/check/check-guest.ts";
import { readHostAround } from "../../guest/check/host-around.ts";
import { findHostXen } from "../../guest/config/host-xen.ts";
import { watchBoot } from "../../guest/console/watch-boot.ts";
import type { BootOutcome } from "../../guest/console/watch-boot.ts";
import { afterFailedBoot, readEndActions } from "../../guest/lifecycle/end-actions.ts";
import { crashAction } from "../../guest/lifecycle/successor.ts";
import { findGuest } from "../../guest/inventory/find-guest.ts";
import { planStart, surveyStart } from "../../guest/lifecycle/plan-start.ts";
import type { BootCheck, StartPlan } from "../../guest/lifecycle/plan-start.ts";
import type { LifecyclePorts } from "../../guest/lifecycle/ports.ts";
import { runStart } from "../../guest/lifecycle/start.ts";
import type { Started } from "../../guest/lifecycle/start.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { localBoot } from "../local-console.ts";
import { openLifecycle } from "../local-lifecycle.ts";
import { wrapLabelled } from "../render/text.ts";
import { openInventory } from "./list-run.ts";

export type StartFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly discardImage: boolean;
  readonly anyway: boolean;
  readonly wait: boolean;
  readonly limit?: number;
  readonly dryRun: boolean;
};

export const run = failing(async function (this: Context, flags: StartFlags, name: string) {
  const { out, signal } = this;
  if (flags.limit !== undefined && !(flags.limit > 0))
    throw misuse("--limit takes a number of seconds above 0.", "For example: --limit 600");
  using ports = await openLifecycle(this, flags);
  const inventory = await openInventory(this, flags);
  const guest = findGuest(inventory, "This host", name);
  const survey = await surveyStart(ports, inventory, guest);
  // What is refused anyway need not be checked.
  const unchecked = planStart(survey, flags);
  const plan = flags.anyway
    ? unchecked
    : planStart({ ...survey, check: await bootCheck(this, ports, unchecked.configPath) }, flags);
  for (const warning of plan.warnings) out.say(`The boot check says: ${printable(warning)}`);
  if (flags.dryRun) {
    if (flags.json) out.json(startJson(plan));
    else out.result(planText(plan));
    return EXIT.done;
  }
  const started = await runStart(ports, plan, signal);
  const actions = await attempt(() => readEndActions(ports.host, started.domain.domid));
  const outcome = flags.wait ? await watch(this, flags, started) : undefined;
  if (flags.json) out.json(startJson(plan, started, outcome));
  else sayStarted(this, plan, started, outcome);
  if (!flags.json && outcome?.outcome === "failed") {
    // It may have been gone before libxl was asked.
    const known = actions.ok ? actions.value?.crash : undefined;
    const crash = known ?? (await crashAction(ports.host, started.domain));
    sayNext(this, afterFailedBoot(plan.guest, crash));
  }
  return outcome?.outcome === "failed" ? EXIT.failed : EXIT.done;
});

/** Undefined, and said, when it cannot be made: what cannot be checked may boot all the same. */
export async function bootCheck(
  { out, signal, openFacts }: Context,
  { host }: LifecyclePorts,
  configPath: string,
): Promise<BootCheck> {
  const cache = await openFacts();
  const checked = await attempt(async () => {
    const xen = await findHostXen(host, {});
    const around = await readHostAround(host);
    return checkGuest({ host, xen, configPath, around, signal, ...(cache && { cache }) });
  });
  if (checked.ok) return checked.value;
  out.say(`Not checked whether it boots: ${printable(failureText(checked.failure))}`);
  return { verdict: "unknown", findings: [] };
}

/** Ctrl-C ends the watch, not the guest. */
async function watch(
  { out, signal, openBoot, openHost }: Context,
  { limit }: StartFlags,
  { domain }: Started,
): Promise<BootOutcome> {
  const host = openHost(undefined);
  out.say(`Watching it boot; Ctrl-C ends the watch, and the guest goes on.`);
  const outcome = await watchBoot((openBoot ?? localBoot)(host), domain, {
    signal,
    ...(limit !== undefined && { limitMs: limit * 1000 }),
    onLine: (line) => out.progress(line),
  });
  out.progress("");
  return outcome;
}

function startJson(plan: StartPlan, started?: Started, outcome?: BootOutcome) {
  const { guest, configPath, discards, warnings } = plan;
  return {
    ...{ guest, config: configPath, warnings, done: started !== undefined },
    discards: discards.map(({ path }, index) => ({
      image: path,
      ...(started && { keptAs: started.aside[index] }),
    })),
    ...(started && { domid: started.domain.domid, uuid: started.domain.uuid }),
    ...(outcome && { boot: outcome }),
  };
}

function planText({ guest, configPath, discards }: StartPlan): string {
  return [
    ...discards.map(({ path }) => `Would set aside the image ${printable(path)}.`),
    `Would start ${printable(guest)}: xl create ${printable(shellWord(configPath))}`,
  ].join("\n");
}

function sayStarted(
  { out }: Context,
  { guest }: StartPlan,
  { domain }: Started,
  outcome: BootOutcome | undefined,
): void {
  const name = printable(guest);
  if (!outcome) {
    out.result(
      `${name} is started as domain ${domain.domid}. Whether it comes up was not watched.`,
    );
    return;
  }
  const { reason, evidence, domid } = outcome;
  if (outcome.outcome === "failed")
    for (const line of evidence) out.say(out.style("dim", `  ${line}`));
  const said = {
    up: `${name} is up, as domain ${domid}: ${reason}.`,
    failed: `${name} did not come up: ${reason}.`,
    unknown: `${name} is started as domain ${domid}; whether it is up cannot be told: ${reason}.`,
  }[outcome.outcome];
  out.result(said);
}

export function sayNext({ out }: Context, text: string): void {
  out.say(wrapLabelled("next", printable(text), out.width).join("\n"));
}
