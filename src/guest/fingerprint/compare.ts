/** Whether a disk is what it was. Docs: docs/design/fingerprint.md, "Comparing". */
import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import { sameWrites } from "./compare-writes.ts";
import { WHOLE_REGION } from "./opaque.ts";
import { counterText, timeText, volumeText } from "./text.ts";
import type { DiskFingerprint, VolumeFingerprint } from "./types.ts";

/** What `same` rests on, from certain to nothing; `content` where a difference was read from the disk. */
export type Proof = "counters" | "whole" | "times" | "commits" | "sample" | "none" | "content";

/** Texts are whole sentences, escaped. */
export type Comparison = {
  readonly same: boolean;
  readonly proof: Proof;
  /** What was changed, and when where that is known. */
  readonly changes: readonly string[];
  /** What could not be told, or may have another reason. */
  readonly doubts: readonly string[];
};

/** `then` was taken before `now`, with the same limits. Not the same: changed, or nothing can be said (`proof` is `none`). */
export function compareFingerprints(then: DiskFingerprint, now: DiskFingerprint): Comparison {
  const content = compareContent(then, now);
  const writes = sameWrites(then.writes, now.writes);
  const doubts = [...content.doubts];
  const moving = [then, now].flatMap((one) =>
    one.moving ? [`It was being written to while it was read (${timeText(one.takenAtMs)}).`] : [],
  );
  if (then.identity !== undefined && now.identity !== undefined && then.identity !== now.identity)
    doubts.push("It is another file or device than at that time.");
  if (writes.verdict === "unknown") doubts.push(writes.why);
  const changes = [
    ...moving,
    ...(writes.verdict === "written" ? [printable(writes.what)] : []),
    ...content.changes,
  ];
  if (changes.length > 0) {
    const proof =
      content.changes.length > 0 || writes.verdict !== "written" ? "content" : writes.by;
    return { same: false, proof, changes, doubts };
  }
  const certain = content.proof === "whole" ? "whole" : undefined;
  if (writes.verdict === "not written") {
    const proof = writes.by === "counters" ? writes.by : (certain ?? writes.by);
    return { same: true, proof, changes, doubts };
  }
  return { same: content.proof !== "none", proof: content.proof, changes, doubts };
}

/** As `compareFingerprints`, by what is on the disk alone. */
export function compareContent(then: DiskFingerprint, now: DiskFingerprint): Comparison {
  const changes: string[] = [];
  const doubts: string[] = [];
  if (then.sizeBytes !== now.sizeBytes)
    changes.push(
      `The disk had ${sizeText(then.sizeBytes)} (${then.sizeBytes} bytes) and has ${sizeText(now.sizeBytes)} (${now.sizeBytes} bytes) now.`,
    );
  const known = new Map(now.volumes.map((volume) => [volume.name, volume]));
  for (const volume of then.volumes) {
    const other = known.get(volume.name);
    known.delete(volume.name);
    if (!other) changes.push(`${volumeText(volume)} is gone.`);
    else compareVolume(volume, other, { changes, doubts });
  }
  for (const volume of known.values()) changes.push(`${volumeText(volume)} is new.`);
  const escaped = { changes: changes.map(printable), doubts: doubts.map(printable) };
  if (changes.length > 0) return { same: false, proof: "content", ...escaped };
  const proof = proofOf(then, now);
  return { same: proof !== "none", proof, ...escaped };
}

type Said = { readonly changes: string[]; readonly doubts: string[] };

function compareVolume(
  then: VolumeFingerprint,
  now: VolumeFingerprint,
  { changes, doubts }: Said,
): void {
  const what = volumeText(then);
  if (then.format !== now.format) {
    const why = now.note === undefined ? "" : ` (${now.note})`;
    changes.push(`${then.name} was ${then.format} and is ${now.format} now${why}.`);
    return;
  }
  if (then.sizeBytes !== now.sizeBytes) {
    changes.push(`${what} had ${then.sizeBytes} bytes and has ${now.sizeBytes} now.`);
    return;
  }
  const regions = new Map(now.regions.map((region) => [region.name, region]));
  const different: string[] = [];
  const unread: string[] = [];
  for (const { name, bytes, digest } of then.regions) {
    const other = regions.get(name);
    regions.delete(name);
    if (!other || other.bytes !== bytes) different.push(name);
    else if (digest === undefined || other.digest === undefined) unread.push(name);
    else if (digest !== other.digest) different.push(name);
  }
  different.push(...regions.keys());
  if (different.length > 0) changes.push(changeText(then, now, different));
  if (unread.length > 0) doubts.push(`${what}: not read: ${unread.join(", ")}.`);
  const note = now.note ?? then.note;
  if (note !== undefined) doubts.push(`${what}: ${note}.`);
}

function changeText(
  then: VolumeFingerprint,
  now: VolumeFingerprint,
  regions: readonly string[],
): string {
  const parts = regions.includes(WHOLE_REGION)
    ? "its content is not the same any more"
    : `changed: ${regions.join(", ")}`;
  const text = then.counter?.text;
  if (text === undefined || !now.counter || text === now.counter.text)
    return `${volumeText(then)}: ${parts}.`;
  return `${counterText(now)}; it was ${text} (${parts}).`;
}

/** What equal digests are worth. */
function proofOf(then: DiskFingerprint, now: DiskFingerprint): Proof {
  const isRead = ({ regions }: VolumeFingerprint) =>
    regions.some(({ digest }) => digest !== undefined);
  const volumes = [...then.volumes, ...now.volumes];
  if (![then, now].every((one) => one.volumes.some(isRead))) return "none";
  const isWhole = ({ depth }: VolumeFingerprint) => depth === "whole";
  // The disk itself holds all the rest.
  if (
    [then, now].every((one) => one.volumes.some((volume) => isDisk(volume, one) && isWhole(volume)))
  )
    return "whole";
  const holders = volumes.filter(({ depth }) => depth !== "container");
  const systems = holders.filter(({ format }) => format !== "swap" && format !== "empty");
  const isFine = ({ depth }: VolumeFingerprint) => depth === "commits" || depth === "whole";
  return systems.length > 0 && systems.every(isFine) ? "commits" : "sample";
}

/** The first volume is the disk. */
function isDisk(volume: VolumeFingerprint, { volumes }: DiskFingerprint): boolean {
  return volume === volumes[0];
}
