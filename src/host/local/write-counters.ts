/** The kernel's count of what is written to a block device (Documentation/block/stat.rst), and whether it counts at all. */
import { stat } from "node:fs/promises";
import { attempt } from "../../base/failure.ts";
import { readText } from "./read-text.ts";
import { runLocal } from "./run.ts";

/** Sectors written and discarded, as `written+discarded`, out of `stat` of a device: fields 7 and 14. */
export function writtenSectors(counters: string | undefined): string | undefined {
  const fields = counters?.split(/\s+/) ?? [];
  const [written, discarded] = [fields[6], fields[13]];
  return written === undefined || discarded === undefined ? undefined : `${written}+${discarded}`;
}

/**
 * Whether writes to the device at `path`, which is `sys` in /sys/dev/block, are counted. `disk` is the disk that it is a partition
 * of, or the device itself.
 *
 * Up to Linux 6.1 device-mapper counts without asking `queue/iostats`, which is 0 there (drivers/md/dm.c, dm_io_acct); later
 * kernels ask, and say 1 from the start. No version says which of the two a kernel is. But reads and writes are counted at the
 * same place: so one sector is read past the page cache, and what counted that counts writes as well.
 */
export async function countsWrites(path: string, sys: string, disk: string): Promise<boolean> {
  if ((await readText(`${disk}/queue/iostats`)) === "1") return true;
  const isMapped = await stat(`${sys}/dm`).then(
    (stats) => stats.isDirectory(),
    () => false,
  );
  if (!isMapped) return false;
  const before = sectorsRead(await readText(`${sys}/stat`));
  const argv = ["dd", `if=${path}`, "of=/dev/null", "bs=4096", "count=1", "iflag=direct"];
  const read = await attempt(() => runLocal(argv));
  if (!read.ok || read.value.exitCode !== 0) return false;
  const after = sectorsRead(await readText(`${sys}/stat`));
  return before !== undefined && after !== undefined && after > before;
}

/** Field 3. */
function sectorsRead(counters: string | undefined): bigint | undefined {
  const field = counters?.split(/\s+/)[2];
  return field === undefined || !/^\d+$/.test(field) ? undefined : BigInt(field);
}
