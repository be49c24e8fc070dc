/**
 * Thin volumes of device-mapper as destinations (linux: Documentation/admin-guide/device-mapper/thin-provisioning.rst): what is
 * discarded is no longer mapped and reads as zero, in whole blocks of the pool; and a pool that does not zero new blocks gives old
 * bytes to whoever writes only a part of one.
 */
import { attempt } from "../../base/failure.ts";
import type { Host } from "../host.ts";

export type ThinVolume = {
  /** What is written in part for the first time is zero elsewhere. */
  readonly zeroesNewBlocks: boolean;
};

/** `number` is `major:minor`. Undefined when it is no thin volume, or when nobody can say. */
export async function readThinVolume(
  host: Pick<Host, "run">,
  number: string,
): Promise<ThinVolume | undefined> {
  const volume = await targetOf(host, number);
  // `thin POOL ID [EXTERNAL ORIGIN]`: with an origin, what is not mapped reads as that.
  if (volume?.[0] !== "thin" || volume.length > 3) return undefined;
  const pool = await targetOf(host, volume[1] ?? "");
  if (pool?.[0] !== "thin-pool") return undefined;
  return { zeroesNewBlocks: !pool.includes("skip_block_zeroing") };
}

/** Type and arguments of a device that has one target. */
async function targetOf(
  host: Pick<Host, "run">,
  number: string,
): Promise<readonly string[] | undefined> {
  const match = /^(\d+):(\d+)$/.exec(number);
  if (!match) return undefined;
  const argv = ["dmsetup", "table", "--major", match[1]!, "--minor", match[2]!];
  const ran = await attempt(() => host.run(argv));
  if (!ran.ok || ran.value.exitCode !== 0) return undefined;
  const lines = ran.value.stdout.trim().split("\n");
  return lines.length === 1 ? lines[0]!.split(" ").slice(2) : undefined;
}
