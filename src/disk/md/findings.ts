/** What domus says about md arrays. Each code has a page in docs/reference/findings/. */
import type { Finding } from "../../base/finding.ts";
import type { Where } from "../../base/where.ts";

export type Degraded = {
  readonly name: string;
  readonly where: Where;
  /** Members that are there and up to date. */
  readonly present: number;
  readonly wanted: number;
};

export function degraded({ name, where, present, wanted }: Degraded): Finding {
  return {
    code: "md-degraded",
    severity: "warning",
    where,
    what: `The mirror ${name} has ${present} of its ${wanted} members.`,
    why: "The guest can boot from what is left, some initramfs images only after waiting for the rest. Another failure loses the data.",
    next: "See that every disk of the mirror is in disk= of the guest's config. Then, in the guest: cat /proc/mdstat, and mdadm ARRAY --add DEVICE for what is missing.",
  };
}

export function memberStale(where: Where, name: string, why: string): Finding {
  return {
    code: "md-member-stale",
    severity: "warning",
    where,
    what: `This member of the mirror ${name} is not in use: ${why}.`,
    why: "It lacks what was written since. Linux leaves it out of the array, and so does domus; whoever looks at it alone sees old files.",
    next: "In the guest: mdadm --detail ARRAY shows what md makes of it; mdadm ARRAY --re-add DEVICE (or --add) brings it up to date.",
  };
}
