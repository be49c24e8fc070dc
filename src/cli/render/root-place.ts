import type { Where } from "../../base/where.ts";
import type { PlannedBoot } from "../../check/facts.ts";

/** Where root= was found, down to the filesystem: `["xvda", "partition 1", "ext4"]`. */
export function rootPlace({ root }: PlannedBoot): Where | undefined {
  return root?.where && [...root.where, ...(root.format === undefined ? [] : [root.format])];
}
