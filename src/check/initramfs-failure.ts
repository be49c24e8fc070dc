/** What it means for the boot that the kernel cannot unpack a part of its initramfs. */
import type { GuestFacts, PlannedBoot } from "./facts.ts";
import type { PlacedSegment } from "./guest-boot.ts";
import { initramfsNeed } from "./initramfs-need.ts";
import { shorten } from "./remedy.ts";

/**
 * Error, unless the kernel is known to reach its root without an initramfs, or has its init from a segment before this
 * one: then it prints the message and goes on.
 */
export function unpackSeverity({ boot }: GuestFacts, placed?: PlacedSegment): "error" | "warning" {
  if (placed && isBehindInit(placed)) return "warning";
  return boot && initramfsNeed(boot).needed === false ? "warning" : "error";
}

function isBehindInit({ image, index }: PlacedSegment): boolean {
  return image.initSegment !== undefined && index > image.initSegment;
}

/** Whether a verdict can be given at all: what is lost behind init may be what the guest needs. */
export function isOpen(placed: PlacedSegment): { undecided?: true } {
  return isBehindInit(placed) ? { undecided: true } : {};
}

/**
 * What the admin sees, in the order in which it scrolls by. `message` is what the kernel gives as the reason, where
 * that is known to the letter (init/initramfs.c, lib/decompress_*.c).
 */
export function unpackConsole(boot: PlannedBoot, message?: string, placed?: PlacedSegment): string {
  const { needed, because } = initramfsNeed(boot);
  const first = `The kernel prints "Initramfs unpacking failed:${message === undefined ? '" and a reason' : ` ${message}"`}`;
  if (placed && isBehindInit(placed)) {
    return `${first} and goes on with what lies before; the files from here on are missing.`;
  }
  if (needed === false) return `${first} and goes on: it has the drivers for its root built in.`;
  const reason = because === "" ? "" : `: ${shorten(because)}`;
  return `${first}, then "Kernel panic - not syncing: VFS: Unable to mount root fs on unknown-block(0,0)"${reason}.`;
}
