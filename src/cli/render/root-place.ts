import type { Where } from "../../base/where.ts";
import type { PlannedBoot } from "../../check/facts.ts";

/** Where root= was found, down to the filesystem (`["xvda", "partition 1", "ext4"]`) or to what `rootflags=` names in it. */
export function rootPlace({ root }: PlannedBoot): Where | undefined {
  if (!root?.where) return undefined;
  const format = root.format === undefined ? [] : [root.format];
  const view = root.view?.option === undefined ? [] : [root.view.option];
  return [...root.where, ...format, ...view];
}
