import { randomBytes, randomUUID } from "node:crypto";
import { misuse } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import { watchBoot } from "../../guest/console/watch-boot.ts";
import { findGuest } from "../../guest/inventory/find-guest.ts";
import { cleanStale } from "../../guest/rehearse/clean.ts";
import { planRehearsal } from "../../guest/rehearse/plan.ts";
import type { CopyDisk, RehearsalPlan } from "../../guest/rehearse/plan.ts";
import { rehearse } from "../../guest/rehearse/run.ts";
import type { Rehearsed } from "../../guest/rehearse/run.ts";
import { surveyRehearsal } from "../../guest/rehearse/survey.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { localBoot } from "../local-console.ts";
import { openLifecycle, rehearsalDirectories } from "../local-lifecycle.ts";
import { wrap, wrapLabelled } from "../render/text.ts";
import { assertRoot } from "../root-only.ts";
import { openInventory } from "./list-run.ts";

export type RehearseFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly memory?: number;
  readonly limit?: number;
  readonly console: boolean;
  readonly clean: boolean;
  readonly dryRun: boolean;
};

export const run = failing(async function (this: Context, flags: RehearseFlags, name?: string) {
  if (flags.clean) return clean(this, flags);
  if (name === undefined) throw misuse("No guest is named.", "domus rehearse GUEST");
  if (!flags.dryRun) assertRoot(this);
  const { openHost, signal } = this;
  const inventory = await openInventory(this, flags);
  const guest = findGuest(inventory, "This host", name);
  const host = openHost(undefined);
  const survey = await surveyRehearsal(host, guest);
  const id = randomBytes(4).toString("hex");
  const workspace = rehearsalDirectories(this.process.env ?? {});
  const plan = planRehearsal(survey, {
    id,
    uuid: randomUUID(),
    directory: workspace.path(id),
    ...(flags.memory !== undefined && { memoryMib: flags.memory }),
  });
  if (flags.dryRun) return showPlan(this, flags, plan);
  using ports = await openLifecycle(this, { dryRun: false });
  this.out.say(`Starting a copy of ${printable(plan.guest)}: ${plan.name}`);
  for (const note of plan.notes) this.out.say(printable(note));
  const watch = watcher(this, flags);
  const rehearsed = await rehearse({ ...ports, workspace, watch }, plan, signal);
  return report(this, flags, plan, rehearsed);
});

function watcher({ out, openHost }: Context, { limit, console }: RehearseFlags) {
  return (domain: Parameters<typeof watchBoot>[1], signal: AbortSignal) => {
    out.say(`It runs as domain ${domain.domid}; watching its console.`);
    return watchBoot(localBoot(openHost(undefined)), domain, {
      signal,
      ...(limit !== undefined && { limitMs: limit * 1000 }),
      // What watchBoot tells of is escaped.
      ...(console && { onLine: (line: string) => out.say(`  ${line}`) }),
    });
  };
}

/** What was cut off has been taken away by the recovery that each command begins with; this also finds what nobody has recorded. */
async function clean(context: Context, flags: RehearseFlags): Promise<ExitCode> {
  using ports = await openLifecycle(context, { dryRun: false });
  const { done, left } = await cleanStale({
    ...ports,
    workspace: rehearsalDirectories(context.process.env ?? {}),
  });
  const { out } = context;
  if (flags.json) out.json({ cleaned: done, left });
  else if (done.length + left.length === 0) out.say("Nothing of a rehearsal is left.");
  else out.result([...done, ...left].map(printable).join("\n"));
  return left.length === 0 ? EXIT.done : EXIT.failed;
}

function diskJson({ vdev, kind, path, target, argv }: CopyDisk) {
  return {
    vdev,
    kind,
    ...(path !== undefined && { path }),
    target,
    ...(argv && { command: argv }),
  };
}

function planJson({ guest, name, uuid, memoryMib, disks, notes }: RehearsalPlan) {
  return { guest, copy: { name, uuid, memoryMib, disks: disks.map(diskJson) }, notes };
}

function showPlan({ out }: Context, { json }: RehearseFlags, plan: RehearsalPlan): ExitCode {
  if (json) out.json({ ...planJson(plan), done: false });
  else {
    const commands = [
      ...plan.disks.flatMap(({ argv }) => (argv ? [argv] : [])),
      ["xl", "create", plan.configPath],
    ];
    const lines = commands.map((argv) => `  ${printable(argv.map(shellWord).join(" "))}`);
    out.result(["Would run:", ...lines].join("\n"));
    for (const note of plan.notes) out.say(printable(note));
    out.say("Then its console would be watched, and all of it be taken away again.");
  }
  return EXIT.done;
}

const WORDS = {
  up: { color: "green", text: "comes up" },
  failed: { color: "red", text: "does not come up" },
  unknown: { color: "yellow", text: "was not seen to come up" },
} as const;

function report(
  { out }: Context,
  { json }: RehearseFlags,
  plan: RehearsalPlan,
  { outcome, reason, evidence, left }: Rehearsed,
): ExitCode {
  if (json) out.json({ ...planJson(plan), done: true, boot: { outcome, reason, evidence }, left });
  else {
    const { color, text } = WORDS[outcome];
    const head = `${printable(plan.guest)} ${out.style(color, text)}: ${reason}.`;
    const lines = wrap(head, out.width);
    if (outcome !== "up" && evidence.length > 0)
      lines.push("The last on its console:", ...evidence.map((line) => `  ${line}`));
    out.result(lines.join("\n"));
  }
  if (left.length > 0) {
    out.say("Not all of the copy could be taken away:");
    for (const one of left)
      for (const line of wrapLabelled("", printable(one), out.width)) out.say(line);
    out.say("domus rehearse --clean tries again.");
  }
  return outcome === "up" ? EXIT.done : EXIT.findings;
}
