/** Fingerprints in words. Names come from disks: what is returned is not escaped. */
import type { VolumeFingerprint } from "./types.ts";

/** `ext4 on partition 1` */
export function volumeText({ name, format }: VolumeFingerprint): string {
  return `${format} on ${name}`;
}

/** `ext4 on partition 1: commit 1234 of 2026-11-21 10:31:12 UTC`; undefined for what does not count. */
export function counterText(volume: VolumeFingerprint): string | undefined {
  const { counter } = volume;
  if (!counter) return undefined;
  const at = counter.atSeconds === undefined ? "" : ` of ${timeText(counter.atSeconds * 1000)}`;
  return `${volumeText(volume)}: ${counter.text}${at}`;
}

/** `2026-11-21 10:31:12 UTC`; of what is beyond the years that have four digits, the number. */
export function timeText(ms: number): string {
  if (!(ms >= 0 && ms < 253_402_300_800_000)) return `${ms} ms after 1970`;
  return `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
