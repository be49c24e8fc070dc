/** Whether two disks of this machine have bytes in common. */
import type { DiskReach } from "../../host/disk-reach.ts";

/** Not symmetric on its own: a disk does not name what is beside a partition of it. */
export function overlaps(one: DiskReach, other: DiskReach): boolean {
  return one.reaches.includes(other.identity) || other.reaches.includes(one.identity);
}
