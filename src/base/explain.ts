/** What, why and what next for every kind of failure. The codes are permanent; docs/reference/errors.md lists them. */
import type { Failure } from "./failure.ts";
import { whereText } from "./where.ts";

export type FailureCode =
  | "io-failed"
  | "not-permitted"
  | "corrupt-data"
  | "not-supported"
  | "not-found"
  | "limit-reached"
  | "syntax-error"
  | "usage"
  | "refused"
  | "remote-failed"
  | "command-failed";

export type Explanation = {
  readonly code: FailureCode;
  readonly what: string;
  readonly why: string;
  readonly next: string;
};

const TOLD_CODES = {
  refused: "refused",
  remote: "remote-failed",
  failed: "command-failed",
} as const;

/** The text is not escaped: it can hold names from a guest, so it goes through `printable` before a terminal. */
export function explainFailure(failure: Failure): Explanation {
  const at = whereText(failure.where);
  switch (failure.kind) {
    case "io":
      return explainIo(failure, at);
    case "corrupt":
      return {
        code: "corrupt-data",
        what: `The data at ${at} is damaged.`,
        why: `It has ${failure.found} where ${failure.expected} belongs.`,
        next:
          failure.next ??
          "If the guest is running, look again after it is stopped: its disk changes under the reader. If it stays so, check the filesystem from inside the guest or a rescue system (fsck on a copy first), or restore it.",
      };
    case "unsupported":
      return {
        code: "not-supported",
        what: `domus cannot read ${at}.`,
        why: failure.next
          ? `It does not know ${failure.feature}.`
          : `It does not know ${failure.feature}. That says nothing against the data: the guest may read it well.`,
        next:
          failure.next ??
          "Look from inside the guest. If domus should know it, report it with this text.",
      };
    case "missing":
      return {
        code: "not-found",
        what: `${at} has no ${failure.what}.`,
        why: failure.what.startsWith("program ")
          ? "It is in none of the directories where programs are looked for."
          : "It was looked for there and is not there: a name is wrong, or it was removed.",
        next:
          failure.next ??
          "Check the spelling. domus disk parts and domus disk ls show what is there.",
      };
    case "limit":
      return {
        code: "limit-reached",
        what: `domus stopped reading ${at}.`,
        why: `The limit for ${failure.what} is ${failure.limit}. Sound data stays far below it; damaged or hostile data may not.`,
        next: "Treat the data with suspicion. If it is sound, report it with this text: then the limit is too low.",
      };
    case "syntax":
      return {
        code: "syntax-error",
        what: `Line ${failure.line}, column ${failure.column} of ${at} is not understood.`,
        why: `There is ${failure.found} where ${failure.expected} belongs.`,
        next: "Correct that line, then run the command again.",
      };
    case "misuse":
      return { code: "usage", what: failure.what, why: "", next: failure.next };
    case "refused":
    case "remote":
    case "failed": {
      const { kind, what, why, next } = failure;
      return { code: TOLD_CODES[kind], what, why, next };
    }
  }
}

/** What an errno means to an admin; others are given as they are. */
const ERRNO: Readonly<Record<string, readonly [why: string, next: string]>> = {
  EIO: [
    "The device reported an error (EIO).",
    "Look for disk errors with dmesg and smartctl in dom0, and make a copy of the disk before anything else.",
  ],
  EBUSY: [
    "Something else holds it exclusively (EBUSY).",
    "See who has it: fuser -v, lsof, losetup -a, xl block-list.",
  ],
  ENOENT: [
    "There is no such file or device (ENOENT).",
    "Check the path. For a logical volume: lvs, and vgchange -ay if it is not active.",
  ],
  ENXIO: [
    "The device node leads to no device (ENXIO).",
    "Check that the device is there: lsblk. For a logical volume: vgchange -ay.",
  ],
  EROFS: [
    "The filesystem is read-only (EROFS).",
    "The kernel makes it so when its disk fails: look in dmesg, and check the filesystem before it is written to again (mount -o remount,rw).",
  ],
  ENOSPC: ["The disk is full (ENOSPC).", "Make room (df -h), then run the command again."],
  EPIPE: [
    "What was to read it has ended (EPIPE).",
    "Look at what the program at the other end says.",
  ],
  ETIMEDOUT: [
    "It did not answer in time (ETIMEDOUT).",
    "Check that the host or the device is up, then run the command again.",
  ],
};

function explainIo(failure: Extract<Failure, { kind: "io" }>, at: string): Explanation {
  const what = `${at}: ${failure.op} failed.`;
  if (failure.errno === "EACCES" || failure.errno === "EPERM") {
    return {
      code: "not-permitted",
      what,
      why: `This user may not do that (${failure.errno}).`,
      next: failure.next ?? "Run domus as root: guests' disks are readable for root only.",
    };
  }
  const known = Object.hasOwn(ERRNO, failure.errno) ? ERRNO[failure.errno] : undefined;
  const [why, next] = known ?? [
    `The system says ${failure.errno}.`,
    "Look in dmesg and the journal of dom0 for the time of the error.",
  ];
  return { code: "io-failed", what, why, next: failure.next ?? next };
}
