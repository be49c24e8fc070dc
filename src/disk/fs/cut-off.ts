import { corrupt } from "../../base/failure.ts";
import type { Failure, FailureError } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { sizeText } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import type { ByteSource } from "../source.ts";

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

/**
 * A superblock that says more than the device has: a `corrupt` failure, since nothing else in it can be relied on, and
 * Linux does not mount such a filesystem. `found`: what it says, in words.
 */
export function pastEnd(where: Where, found: string, device: ByteSource): FailureError {
  return corrupt(where, found, `${NO_MORE} ${sizeText(device.size)} (${device.size} bytes)`);
}

const NO_MORE = "no more than the device has:";

/** Whether that is why a filesystem could not be opened. */
export function isPastEnd(failure: Failure): failure is Extract<Failure, { kind: "corrupt" }> {
  return failure.kind === "corrupt" && failure.expected.startsWith(NO_MORE);
}

/** Such a failure, for people. `kind` is the filesystem's. */
export function pastEndFinding(
  kind: string,
  failure: Extract<Failure, { kind: "corrupt" }>,
): Finding {
  return {
    code: "filesystem-past-end",
    severity: "error",
    where: failure.where,
    what: `The ${kind} filesystem is larger than its device: found ${failure.found}, expected ${failure.expected}.`,
    why: "Linux compares the two and refuses to mount it. The device was made smaller without the filesystem, or it is an incomplete copy of a larger one.",
    next: "Give the device its old size back (LVM: the old sizes are in /etc/lvm/archive), or copy it again, whole. Run no fsck before: it would cut files off.",
  };
}
