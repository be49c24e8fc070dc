/** What the system's counters and a file's times say about writes between two observations. */
import type { DeviceCounter, DiskWrites, FileTimes } from "../../host/disk-observation.ts";
import { timeText } from "./text.ts";

export type WritesVerdict =
  /** `what` is a sentence. */
  | { readonly verdict: "written"; readonly by: "counters" | "times"; readonly what: string }
  | { readonly verdict: "not written"; readonly by: "counters" | "times" }
  | { readonly verdict: "unknown"; readonly why: string };

/** `then` was observed before `now`. */
export function sameWrites(
  then: DiskWrites | undefined,
  now: DiskWrites | undefined,
): WritesVerdict {
  if (!then || !now) return unknown("The system did not count what was written to it.");
  const file = then.file && now.file ? compareTimes(then.file, now.file) : undefined;
  if (then.counters.length === 0 && now.counters.length === 0)
    return file ?? unknown("The system did not count what was written to it.");
  const device = compareCounters(then, now);
  if (device.verdict === "written") return device;
  // Behind a loop device, both: who writes to the file does not pass the device, and the reverse is flushed.
  if (file && file.verdict !== "not written") return file;
  if ((then.file === undefined) !== (now.file === undefined))
    return unknown("It was a file at one time and a device at the other.");
  return file && device.verdict === "unknown" ? file : device;
}

function unknown(why: string): WritesVerdict {
  return { verdict: "unknown", why };
}

function compareTimes(then: FileTimes, now: FileTimes): WritesVerdict {
  if (then.inode !== now.inode) return unknown("Another file is in its place.");
  if (then.sizeBytes !== now.sizeBytes) {
    const what = `The file had ${then.sizeBytes} bytes and has ${now.sizeBytes} now.`;
    return { verdict: "written", by: "times", what };
  }
  if (then.mtimeNs !== now.mtimeNs) {
    const what = `The file was last written at ${nsText(now.mtimeNs)}, before that at ${nsText(then.mtimeNs)}.`;
    return { verdict: "written", by: "times", what };
  }
  if (then.ctimeNs === now.ctimeNs) return { verdict: "not written", by: "times" };
  return unknown(
    `The file's inode was changed at ${nsText(now.ctimeNs)}: its owner, mode or name, or its times were set back.`,
  );
}

function nsText(ns: string): string {
  return timeText(Number(ns) / 1e6);
}

function compareCounters(then: DiskWrites, now: DiskWrites): WritesVerdict {
  if (then.bootId !== now.bootId)
    return unknown("The host was started again since, and does not know who wrote before.");
  const [own, around] = then.counters;
  const [ownNow, aroundNow] = now.counters;
  if (!own || !ownNow || !sameDevice(own, ownNow) || then.counters.length !== now.counters.length)
    return unknown("It was detached and attached again since, which ends the counting.");
  if (!sameCount(own, ownNow)) {
    const what = `Since then ${difference(own, ownNow)} to the device.`;
    return { verdict: "written", by: "counters", what };
  }
  if (around && (!aroundNow || !sameDevice(around, aroundNow) || !sameCount(around, aroundNow)))
    return unknown("The disk that it is a partition of was written to, perhaps elsewhere.");
  return { verdict: "not written", by: "counters" };
}

function sameDevice(a: DeviceCounter, b: DeviceCounter): boolean {
  return a.device === b.device && a.diskseq === b.diskseq;
}

function sameCount(a: DeviceCounter, b: DeviceCounter): boolean {
  return a.sectorsWritten === b.sectorsWritten && a.sectorsDiscarded === b.sectorsDiscarded;
}

function difference(then: DeviceCounter, now: DeviceCounter): string {
  const written = Number(now.sectorsWritten) - Number(then.sectorsWritten);
  const discarded = Number(now.sectorsDiscarded) - Number(then.sectorsDiscarded);
  const said = [
    ...(written === 0 ? [] : [`${written} sectors of 512 bytes were written`]),
    ...(discarded === 0 ? [] : [`${discarded} discarded`]),
  ];
  return said.join(" and ");
}
