/** Whether and how an image is restored (docs/design/lifecycle.md, "restore"). */
import { attempt, FailureError, missing, misuse, refused } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import type { ImageRecord } from "../../host/records.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { timeText } from "../fingerprint/text.ts";
import { diskUses, findTaken } from "../guard/disk-claims.ts";
import type { DiskUse } from "../guard/disk-claims.ts";
import type { DiskOwner } from "../guard/waiting-disks.ts";
import type { DiskProof, ImageFact, ImageProof } from "../inventory/facts.ts";
import { findGuest } from "../inventory/find-guest.ts";
import type { Inventory } from "../inventory/inventory.ts";
import { targetPath } from "../inventory/read-backings.ts";
import { listDomains } from "./domains.ts";
import { assertGuestName } from "./guest-name.ts";
import { assertAlone } from "./journal.ts";
import { imageFlaw, isFileOf, readImageFile } from "./image-file.ts";
import type { ImageFile } from "./image-file.ts";
import { disksOf, proofOf } from "./saved-disks.ts";
import type { LifecyclePorts } from "./ports.ts";

export type RestoreSurvey = {
  readonly file: ImageFile;
  /** Of this very file. */
  readonly record?: ImageRecord;
  readonly domains: readonly DomainRow[];
  /** What the fingerprints say; absent without a record. */
  readonly proof?: ImageProof;
  /** Why the guard does not give a disk. */
  readonly taken: readonly Failure[];
};

export type RestorePlan = {
  readonly guest: string;
  readonly uuid: string;
  readonly path: string;
  readonly sizeBytes: number;
  readonly savedAtMs: number;
  readonly disks: readonly DiskUse[];
  readonly record?: ImageRecord;
  /** What domus could not prove: sentences, escaped. Only with `--anyway` there are any. */
  readonly doubts: readonly string[];
};

/** The fingerprints are taken in between. */
const RECORDED_WITHIN_MS = 15 * 60_000;

/** The image that is meant: a path, or the one that waits of a guest of that name. */
export function findImage(inventory: Inventory, host: string, wanted: string): string {
  if (wanted.includes("/")) return wanted;
  const guest = findGuest(inventory, host, wanted);
  const facts = guest.images.map(({ fact }) => fact);
  const waiting = facts.filter(({ record }) => record?.state === "waiting");
  const offered = waiting.length > 0 ? waiting : facts.filter(isUnrecorded);
  const [only, ...others] = offered;
  if (only && others.length === 0) return only.path;
  if (only)
    throw misuse(
      `${printable(guest.name)} has ${offered.length} images: ${offered.map(({ path }) => printable(path)).join(", ")}.`,
      "Give the path of the one that is meant.",
    );
  const lost = guest.lostImages.find(({ record }) => record.state === "waiting");
  if (lost)
    throw missing(
      [lost.record.path],
      `image of ${guest.name}, which was saved there`,
      "If it was moved, give its path. If it was deleted, start the guest from its disks: domus start.",
    );
  throw misuse(
    `No image of ${printable(guest.name)} waits to be restored: it is ${guest.state}.`,
    `domus show ${shellWord(guest.name)} has all that is known of it. An image elsewhere is named by its path.`,
  );
}

function isUnrecorded({ record, image }: ImageFact): boolean {
  return record === undefined && image?.end.kind === "complete";
}

/** `missing` when there is no image at the path. Reads up to 256 MiB of each disk. */
export async function surveyRestore(
  ports: LifecyclePorts,
  wanted: string,
  signal?: AbortSignal,
): Promise<RestoreSurvey> {
  const { host, guard, records, tell } = ports;
  const real = await attempt(() => host.realPath(wanted));
  const path = real.ok && !wanted.startsWith("/") ? real.value : wanted;
  const file = await readImageFile(host, path, signal);
  if (!file) throw noImage(path, real.ok);
  const saved = file.image.config?.guest;
  assertAlone(ports, { guest: saved?.name ?? "", data: { uuid: saved?.uuid } });
  const paths = [path, ...(real.ok ? [real.value] : [])];
  const record = recordOfFile(records.images(), file, paths) ?? (await recordOfMoved(ports, file));
  const domains = await listDomains(host);
  const taken = await findTaken(guard, diskUses(disksOf(file)), ownerOf(file, record));
  // Of an image that is refused anyway nothing need be read.
  const isOffered = record && OFFERED.has(record.state) && taken.length === 0;
  if (isOffered)
    tell(`Comparing the disks of ${record.guest} with what they were when it was saved.`);
  const proof = isOffered ? await proofOf(host, record, file, signal) : undefined;
  return { file, domains, taken, ...(record && { record }), ...(proof && { proof }) };
}

function ownerOf({ image }: ImageFile, record: ImageRecord | undefined): DiskOwner {
  const { name = record?.guest ?? "", uuid = record?.uuid } = image.config?.guest ?? {};
  return { name, uuid, ...(record && { images: [record.id] }) };
}

function noImage(path: string, isThere: boolean) {
  const next = "domus list shows the images that domus knows.";
  return isThere
    ? misuse(`${printable(path)} is no save image.`, next)
    : missing([path], "save image", next);
}

/** The newest row that is about this file and not about one that had its path before. */
function recordOfFile(
  images: readonly ImageRecord[],
  { sizeBytes, modifiedMs = 0 }: ImageFile,
  paths: readonly string[],
): ImageRecord | undefined {
  return images.find((one) => paths.includes(one.path) && isFileOf(one, { sizeBytes, modifiedMs }));
}

/** The row of a file that was moved here: nothing is at its path, and size, time and guest are the same. */
async function recordOfMoved(
  { host, records }: LifecyclePorts,
  { image, sizeBytes, modifiedMs }: ImageFile,
): Promise<ImageRecord | undefined> {
  const uuid = image.config?.guest?.uuid;
  if (modifiedMs === undefined || uuid === undefined) return undefined;
  for (const one of records.images()) {
    if (one.uuid !== uuid || one.sizeBytes !== sizeBytes || one.state === "saving") continue;
    if (Math.abs(modifiedMs - one.savedAtMs) > RECORDED_WITHIN_MS) continue;
    if ((await host.kind(one.path)) === "missing") return one;
  }
  return undefined;
}

/** `refused` with the reason. `anyway`: where domus cannot tell, the person can. */
export function planRestore(
  { file, record, domains, proof, taken }: RestoreSurvey,
  { anyway }: { readonly anyway: boolean },
): RestorePlan {
  const { path, image, sizeBytes, modifiedMs = 0 } = file;
  assertWhole(file);
  const saved = image.config?.guest;
  const guest = saved?.name ?? record?.guest;
  const uuid = saved?.uuid ?? record?.uuid;
  if (guest === undefined || uuid === undefined)
    throw refused([path], {
      what: `It cannot be told whose image ${path} is.`,
      why: "There is no config in it, or none that makes sense: which disks it would write to is not known.",
      next: `If you know: xl restore CONFIG ${shellWord(path)}. Nothing guards the disks then.`,
    });
  assertGuestName(guest);
  if (record) assertOffered(record);
  assertNoDomain(
    guest,
    domains.find((one) => one.uuid === uuid || one.name === guest),
  );
  const [first] = taken;
  if (first) throw new FailureError(first);
  if (proof) assertUnchanged(guest, record!, proof);
  const doubts = doubtsOf(file, record, proof);
  if (doubts.length > 0 && !anyway)
    throw refused([path], {
      what: `Nothing proves that the disks of ${guest} are what they were when ${path} was written.`,
      why: `${doubts.join(" ")} If a disk was written to since, the guest destroys its filesystems.`,
      next: `If you are sure that nothing was: domus restore --anyway ${shellWord(path)}. Otherwise: domus start --discard-image ${shellWord(guest)} starts it from its disks and keeps the image.`,
    });
  const savedAtMs = record?.savedAtMs ?? modifiedMs;
  const disks = diskUses(disksOf(file));
  return { guest, uuid, path, sizeBytes, savedAtMs, disks, doubts, ...(record && { record }) };
}

function assertWhole({ path, image }: ImageFile): void {
  const flaw = imageFlaw(image);
  if (flaw !== undefined)
    throw refused([path], {
      what: `The image ${path} is not whole.`,
      why: `${flaw} The disk was full, the save was ended half-way, or the guest had crashed before.`,
      next: "Start the guest from its disks, as after a power failure: domus start --discard-image GUEST.",
    });
  if (image.format !== "xl" && image.format !== "xl-legacy")
    throw refused([path], {
      what: `The image ${path} was made by ${image.format}, not by xl.`,
      why: "xl restore does not know its format.",
      next:
        image.format === "libvirt"
          ? `Restore it there: virsh restore ${shellWord(path)}`
          : "It needs the Xen that it was made with.",
    });
}

/** One that was set aside can be had back, when its disks are what they were; so can one that was moved. */
const OFFERED: ReadonlySet<ImageRecord["state"]> = new Set(["waiting", "aside", "missing"]);

function assertOffered({ guest, path, state, endedAtMs, savedAtMs }: ImageRecord): void {
  if (OFFERED.has(state)) return;
  const at = timeText(endedAtMs ?? savedAtMs);
  const why =
    state === "restored"
      ? `It was restored (${at}), and the guest has gone on from there.`
      : "It is being written, or the save was cut off.";
  throw refused([path], {
    what: `The image ${path} is not offered any more.`,
    why: `${why} Restored now, the guest would go on with what it remembers of its filesystems, and destroy them.`,
    next: `Start the guest from its disks: domus start ${shellWord(guest)}. If you have put back the disks of that moment from snapshots: copy the image to another name, and domus restore --anyway COPY.`,
  });
}

function assertNoDomain(guest: string, domain: DomainRow | undefined): void {
  if (!domain) return;
  throw refused([`domain ${domain.domid}`], {
    what: `${guest} is there already, as domain ${domain.domid} (${domain.state}).`,
    why: "A guest that is there twice writes to its disks twice, and destroys them.",
    next: `If it runs, the image is of no use any more. If it is a left-over: xl destroy ${domain.domid}, then run the command again.`,
  });
}

function assertUnchanged(guest: string, { path, savedAtMs }: ImageRecord, proof: ImageProof): void {
  const changed = proof.disks.filter(({ changes }) => changes.length > 0);
  if (changed.length === 0) return;
  const told = changed.map((disk) => `${diskText(disk)}: ${disk.changes.join(" ")}`);
  throw refused([path, ...changed.map((disk) => disk.path)], {
    what: `The disks of ${guest} have changed since it was saved (${timeText(savedAtMs)}). ${told.join(" ")}`,
    why: "The guest remembers its filesystems as they were. It would write that over what is there now, and destroy them. There is no way round this one.",
    next: `Start it from its disks, the image is kept: domus start --discard-image ${shellWord(guest)}. If there are snapshots of the disks from the moment of the save, the image belongs to those.`,
  });
}

function doubtsOf(
  file: ImageFile,
  record: ImageRecord | undefined,
  proof: ImageProof | undefined,
): string[] {
  if (!record || !proof)
    return [
      "The image is not one that domus has saved, so it knows nothing of the disks at that moment.",
    ];
  const elsewhere = disksOf(file)
    .filter((disk) => !disk.readonly && targetPath(disk) === undefined)
    .map(
      ({ vdev }) =>
        `The disk ${printable(vdev)} is not served by dom0 itself, and was not looked at.`,
    );
  if (proof.verdict === "unchanged") return elsewhere;
  const unsure = proof.disks.filter(
    ({ same, proof: by }) => !same || by === "sample" || by === "none",
  );
  return [...elsewhere, ...unsure.map(doubtText)];
}

function doubtText(disk: DiskProof): string {
  const seen =
    disk.proof === "none" || !disk.same
      ? "nothing could be compared"
      : "no change was seen, but only samples of it could be compared";
  return [`${diskText(disk)}: ${seen}.`, ...disk.doubts].join(" ");
}

function diskText({ vdev, path }: DiskProof): string {
  return `${printable(vdev)} (${printable(path)})`;
}

/** Where else images are looked for, when one is named by its path. */
export function placesFor(wanted: string): readonly string[] {
  return wanted.includes("/") ? [directoryOf(wanted)] : [];
}
