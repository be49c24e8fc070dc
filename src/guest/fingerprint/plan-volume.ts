/** Which plan fits a volume. Never fails for what is on it. */
import { attempt, failureText } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Volume } from "../../disk/content.ts";
import { btrfsProber } from "../../disk/fs/btrfs/prober.ts";
import { ext4Prober } from "../../disk/fs/ext4/prober.ts";
import { xfsProber } from "../../disk/fs/xfs/prober.ts";
import type { ByteSource } from "../../disk/source.ts";
import { formatOf } from "../disks/volume-facts.ts";
import { planBtrfs } from "./btrfs.ts";
import { planExt4 } from "./ext4.ts";
import { planFat } from "./fat.ts";
import { planMember, planOpaque, planTable, planWhole } from "./opaque.ts";
import type { PlanOptions, VolumePlan } from "./volume-plan.ts";
import { planXfs } from "./xfs.ts";

type Plan = (source: ByteSource, options: PlanOptions) => Promise<VolumePlan>;

/** By what the shallow probers call them; FAT is opened as it is. */
const PLANS: ReadonlyMap<string, Plan> = new Map<string, Plan>([
  [ext4Prober.name, planExt4],
  [xfsProber.name, planXfs],
  [btrfsProber.name, planBtrfs],
  ["vfat", planFat],
]);

export type VolumeOptions = PlanOptions & {
  /** What is digested whole, whatever it is. */
  readonly wholeBytes: number;
  /** Volumes of which the parts were found: members that were put together. */
  readonly isAssembled: (volume: Volume) => boolean;
};

/** It holds other volumes, which have a share of their own. */
export function isContainer({ content, children }: Volume): boolean {
  return content.kind === "member" || (content.kind === "table" && children.length > 0);
}

export async function planVolume(volume: Volume, options: VolumeOptions): Promise<VolumePlan> {
  const { content, source, tried } = volume;
  const format = formatOf(content);
  const plan = PLANS.get(format);
  const planned = plan ? await attempt(() => plan(source, options)) : undefined;
  const known = planned?.ok ? planned.value : undefined;
  if (source.size <= options.wholeBytes) {
    const whole = planWhole(source, known?.format ?? format);
    // It says more to people than that something changed.
    return { ...whole, ...(known?.counter && { counter: known.counter }) };
  }
  if (known) return known;
  if (content.kind === "table" && isContainer(volume)) return planTable(source, content.table);
  if (content.kind === "member" && options.isAssembled(volume)) return planMember(source, format);
  const failure = planned && !planned.ok ? planned.failure : tried[0]?.failure;
  const note = failure && noteText(failure);
  return planOpaque(source, { ...options, format, ...(note !== undefined && { note }) });
}

function noteText(failure: Failure): string {
  return failureText({ ...failure, where: failure.where.slice(-1) });
}
