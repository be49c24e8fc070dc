/** Whether and how a guest is saved. Pure, but for the survey (docs/design/lifecycle.md, "save"). */
import { misuse, refused } from "../../base/failure.ts";
import type { FailureError } from "../../base/failure.ts";
import { directoryOf } from "../../base/path.ts";
import { MIB, sizeText } from "../../base/units.ts";
import { shellWord } from "../../check/remedy.ts";
import type { Host, PathKind } from "../../host/host.ts";
import { diskUses } from "../guard/disk-claims.ts";
import type { DiskUse } from "../guard/disk-claims.ts";
import type { DomainFact } from "../inventory/facts.ts";
import type { InventoryGuest } from "../inventory/inventory.ts";
import { targetPath } from "../inventory/read-backings.ts";
import { saveDirectory } from "../inventory/read-images.ts";
import { suspendedWayOut } from "./domains.ts";
import { assertGuestName } from "./guest-name.ts";
import { assertAlone } from "./journal.ts";
import type { LifecyclePorts } from "./ports.ts";
import { temporaryImage } from "./temporary-image.ts";

export type SaveSurvey = {
  readonly guest: InventoryGuest;
  readonly image: string;
  readonly imageKind: PathKind;
  readonly directoryKind: PathKind;
  /** The directory is domus's own, and is made when it is not there. */
  readonly isOwnDirectory: boolean;
  readonly freeBytes: number;
  /** Where xendomains restores from. */
  readonly bootDirectory: string;
};

export type SavePlan = {
  readonly guest: string;
  readonly uuid: string;
  readonly domid: number;
  readonly image: string;
  readonly temporary: string;
  readonly makesDirectory: boolean;
  /** What the image takes, at most. */
  readonly neededBytes: number;
  readonly freeBytes: number;
  readonly configPath?: string;
  readonly disks: readonly DiskUse[];
  /** Of which no fingerprint can be taken, so that domus cannot prove later that they are unchanged. */
  readonly unproven: readonly string[];
};

/** Beside the pages: headers, page tables, QEMU's state, video memory. */
const OVERHEAD_BYTES = 64 * MIB;

/** `to`: where a person wants it. */
export async function surveySave(
  ports: LifecyclePorts,
  guest: InventoryGuest,
  to: string | undefined,
): Promise<SaveSurvey> {
  const { host, files, imageDirectory, nowMs } = ports;
  assertAlone(ports, { guest: guest.name, data: { uuid: guest.uuid } });
  if (to !== undefined && (!to.startsWith("/") || to.endsWith("/")))
    throw misuse(
      `--to takes the path of a file, from / on, not ${to}.`,
      "For example: --to /srv/images/web1.xl",
    );
  const image = to ?? `${imageDirectory}/${guest.name}-${timeName(nowMs())}.xl`;
  const directory = directoryOf(image);
  const [imageKind, directoryKind] = await Promise.all([host.kind(image), host.kind(directory)]);
  const isOwnDirectory = directory === imageDirectory;
  const place = await existing(host, directory);
  return {
    ...{ guest, image, imageKind, directoryKind, isOwnDirectory },
    freeBytes: await files.freeBytes(place),
    bootDirectory: await saveDirectory(host),
  };
}

/** The directory itself, or the nearest above it that is there. */
async function existing(host: Host, directory: string): Promise<string> {
  let place = directory;
  while (place !== "/" && (await host.kind(place)) !== "directory") place = directoryOf(place);
  return place;
}

/** `20261121-131502`, in UTC. */
export function timeName(ms: number): string {
  return new Date(ms).toISOString().slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "-");
}

/** `refused` and `misuse` with the reason. */
export function planSave({
  guest,
  image,
  imageKind,
  directoryKind,
  isOwnDirectory,
  freeBytes,
  bootDirectory,
}: SaveSurvey): SavePlan {
  const domain = domainToSave(guest);
  const { domid, uuid, memoryMib } = domain;
  const name = domain.name;
  assertGuestName(name, domid);
  if (imageKind !== "missing")
    throw misuse(`There is something at ${image} already.`, "Name another file with --to.");
  if (directoryOf(image) === bootDirectory)
    throw refused([image], {
      what: `No image is written to ${bootDirectory}.`,
      why: "xendomains restores what lies there when the host starts, whatever has become of the disks since.",
      next: "Leave out --to, or name another directory.",
    });
  if (directoryKind !== "directory" && !(isOwnDirectory && directoryKind === "missing"))
    throw misuse(`${directoryOf(image)} is no directory.`, "Name a file in one that is there.");
  const neededBytes = memoryMib * MIB + Math.ceil((memoryMib * MIB) / 128) + OVERHEAD_BYTES;
  if (freeBytes < neededBytes)
    throw refused([directoryOf(image)], {
      what: `There is no room for the image: ${sizeText(freeBytes)} are free in ${directoryOf(image)}, and it can take ${sizeText(neededBytes)}.`,
      why: `${name} has ${memoryMib} MiB of memory, all of which may be in it. A save that runs out of room is taken back, after the guest has stood still for nothing.`,
      next: "Make room, or name a file on another filesystem with --to.",
    });
  const disks = domain.guest?.disks ?? [];
  return {
    ...{ guest: name, uuid, domid, image, neededBytes, freeBytes },
    temporary: temporaryImage(image),
    makesDirectory: directoryKind === "missing",
    ...(guest.config && { configPath: guest.config.realPath }),
    disks: diskUses(disks),
    unproven: disks
      .filter((disk) => disk.target !== "" && !disk.readonly && targetPath(disk) === undefined)
      .map(({ vdev }) => vdev),
  };
}

function domainToSave({ name, domains, state }: InventoryGuest): DomainFact {
  const [domain, other] = domains.map(({ fact }) => fact);
  if (!domain)
    throw misuse(`${name} is ${state}: there is nothing to save.`, "domus list shows what runs.");
  if (other)
    throw refused([`domain ${domain.domid}`, `domain ${other.domid}`], {
      what: `${name} has more than one domain: ${domain.domid} (${domain.state}) and ${other.domid} (${other.state}).`,
      why: "Which of them is the guest is a guess, and both may have its disks.",
      next: `Look at them: domus show ${shellWord(name)}. Destroy the one that is left over: xl destroy DOMID.`,
    });
  if (domain.state === "running" && domain.guest) return domain;
  throw notToSave(name, domain);
}

function notToSave(name: string, { domid, state, guest }: DomainFact): FailureError {
  const where = [`domain ${domid}`];
  if (state === "paused")
    return refused(where, {
      what: `${name} is paused.`,
      why: "A guest is asked to suspend itself before it is saved, and one that is paused does not answer.",
      next: `Let it go on first: domus resume ${shellWord(name)}`,
    });
  if (state === "suspended")
    return refused(where, {
      what: `${name} is suspended: it is being saved or moved by somebody else, or was left so.`,
      why: "Two who save one guest destroy each other's image.",
      next: suspendedWayOut(domid),
    });
  if (state === "running" && !guest)
    return refused(where, {
      what: `libxl knows no configuration of ${name} (domain ${domid}).`,
      why: "xl writes it into the image; without it nothing can be restored.",
      next: "It was made by something other than xl, or not to its end: save it with what made it.",
    });
  return refused(where, {
    what: `${name} is ${state}: it cannot be saved.`,
    why: "Only a guest that runs can go on later. The image of one that has ended or crashed is of no use.",
    next: `domus show ${shellWord(name)} says more. To start it anew: domus stop --destroy-after 0 ${shellWord(name)}, then domus start ${shellWord(name)}.`,
  });
}
