import { explainFailure } from "../../base/explain.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import { differenceText } from "../../guest/inventory/drift.ts";
import { findGuest } from "../../guest/inventory/find-guest.ts";
import type { Inventory, InventoryGuest } from "../../guest/inventory/inventory.ts";
import type { LifecyclePorts } from "../../guest/lifecycle/ports.ts";
import { planPersist, planRevertOf } from "../../guest/persist/persist.ts";
import { assertRevertible, runPersist, runRevert } from "../../guest/persist/run-persist.ts";
import type { Reverted } from "../../guest/persist/run-persist.ts";
import type { Difference } from "../../xen/drift.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import type { ExitCode } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { openLifecycle } from "../local-lifecycle.ts";
import { lineChanges } from "../render/line-changes.ts";
import { wrapLabelled } from "../render/text.ts";
import { openInventory } from "./list-run.ts";

export type PersistFlags = {
  readonly json: boolean;
  readonly also?: readonly string[];
  readonly revert: boolean;
  readonly memory: boolean;
  readonly dryRun: boolean;
};

export const run = failing(async function (this: Context, flags: PersistFlags, name: string) {
  using ports = await openLifecycle(this, flags);
  const inventory = await openInventory(this, flags);
  const of: Survey = { ports, inventory, guest: findGuest(inventory, "This host", name) };
  return await (flags.revert ? revert(this, flags, of) : persist(this, flags, of));
});

type Survey = {
  readonly ports: LifecyclePorts;
  readonly inventory: Inventory;
  readonly guest: InventoryGuest;
};

async function persist(
  context: Context,
  flags: PersistFlags,
  { ports, inventory, guest }: Survey,
): Promise<ExitCode> {
  const { out } = context;
  const { memory } = flags;
  const now = new Date(ports.nowMs());
  const plan = await planPersist(ports.host, inventory, guest, { memory, now });
  const { written, left, text } = plan.config;
  const changes = lineChanges(new TextDecoder().decode(plan.expected), text);
  const isChange = written.length > 0 && !flags.dryRun;
  if (isChange) await runPersist(ports, plan);
  if (flags.json) {
    out.json({
      guest: guest.name,
      config: plan.path,
      done: isChange,
      ...(isChange && { copy: plan.copyPath }),
      written: written.map((difference) => ({ what: differenceText(difference), ...difference })),
      left: left.map(leftJson),
      changes,
    });
    return EXIT.done;
  }
  const lines = changes.map(({ sign, text: line }) =>
    out.style(sign === "+" ? "green" : "red", `${sign} ${printable(line)}`),
  );
  const head = `${printable(plan.path)}${flags.dryRun ? " would become" : ""}:`;
  if (written.length > 0) out.result([head, ...lines].join("\n"));
  else out.result(`${printable(guest.name)}: nothing to write, the config says what runs.`);
  sayLeft(context, left);
  if (isChange) out.say(`The old file is ${printable(plan.copyPath)}.`);
  return EXIT.done;
}

async function revert(
  context: Context,
  flags: PersistFlags,
  { ports, inventory, guest }: Survey,
): Promise<ExitCode> {
  const { out, signal } = context;
  const plan = planRevertOf(inventory, guest, flags.memory);
  if (flags.dryRun) await assertRevertible(ports, plan);
  const isDone = flags.dryRun || plan.steps.length === 0;
  const { done, failed }: Reverted = isDone ? { done: [] } : await runRevert(ports, plan, signal);
  if (flags.json) {
    out.json({
      guest: guest.name,
      domid: plan.domain.domid,
      steps: plan.steps.map((step) => ({
        what: differenceText(step.difference),
        command: step.argv,
        done: done.includes(step),
      })),
      left: plan.left.map(leftJson),
      ...(failed && { failed: explainFailure(failed.failure) }),
    });
    return failed ? EXIT.failed : EXIT.done;
  }
  const shown = flags.dryRun ? plan.steps : done;
  const lines = shown.map(({ argv }) => printable(argv.map(shellWord).join(" ")));
  if (plan.steps.length === 0)
    out.result(`${printable(guest.name)}: nothing to do, what runs is what the config says.`);
  else if (lines.length > 0)
    out.result(
      [flags.dryRun ? "Would run:" : "Done:", ...lines.map((line) => `  ${line}`)].join("\n"),
    );
  sayLeft(context, plan.left);
  if (!failed) return EXIT.done;
  const { what, why } = explainFailure(failed.failure);
  out.say(`${out.style("red", "domus:")} ${printable(what)}`);
  for (const line of wrapLabelled("why", printable(why), out.width)) out.say(line);
  const rest = plan.steps.length - done.length - 1;
  const undone =
    rest === 0 ? "" : ` ${rest} more ${rest === 1 ? "step was" : "steps were"} not begun.`;
  for (const line of wrapLabelled(
    "next",
    `What is done stays.${undone} domus persist --revert --dry-run ${shellWord(guest.name)} shows what is left.`,
    out.width,
  ))
    out.say(line);
  return EXIT.failed;
}

type Left = { readonly difference: Difference; readonly why: string };

function leftJson({ difference, why }: Left) {
  return { what: differenceText(difference), why, ...difference };
}

function sayLeft({ out }: Context, left: readonly Left[]): void {
  for (const { difference, why } of left)
    out.say(`Left as it is: ${printable(differenceText(difference))} (${printable(why)})`);
}
