import type { Finding } from "../../base/finding.ts";
import { sizeText } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";

/** For filesystems that Linux mounts although their device is too small. Sizes in bytes. */
export function cutOffNote(where: Where, claimedBytes: number, deviceBytes: number): Finding {
  return {
    code: "filesystem-cut-off",
    severity: "warning",
    where,
    what: `The filesystem has ${sizeText(claimedBytes)}, but the device only ${sizeText(deviceBytes)}.`,
    why: "Linux mounts it all the same. Files in the part that is missing cannot be read.",
    next: "Find out whether the device was made smaller or copied in part, and enlarge it or copy it again.",
  };
}
