/**
 * Disks that a saved guest needs as they are: its memory image is good for one state of them, and worth nothing after one write
 * (docs/design/lifecycle.md, "No disk for two").
 */
import { attempt, refused } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import type { DiskReach } from "../../host/disk-reach.ts";
import type { Host } from "../../host/host.ts";
import type { DeviceUser } from "../../host/local/device-users.ts";
import type { ImageRecord, Records } from "../../host/records.ts";
import { timeText } from "../fingerprint/text.ts";
import { overlaps } from "./disk-overlap.ts";

export type WaitingPorts = {
  /** See `imagesThatWait`. */
  readonly waitingImages: () => Promise<readonly ImageRecord[]>;
  /** Of those paths at which something is. */
  readonly reachesOf: (paths: readonly string[]) => Promise<ReadonlyMap<string, DiskReach>>;
};

/** Who gets a disk. The images of the guest itself are not in its way: what is to be said of them, its command says. */
export type DiskOwner = {
  readonly name: string;
  readonly uuid?: string | undefined;
  /** Further images that the command itself restores or gives up. */
  readonly images?: readonly number[];
};

/** A disk that has to stay as it is, and for whose sake. */
export type WaitingDisk = {
  readonly image: ImageRecord;
  /** As it was called when the guest was saved. */
  readonly path: string;
  readonly vdev: string;
};

/** Of the records: those that wait, with the file at its place. Recovery says of the others that they are missing. */
export async function imagesThatWait(
  host: Pick<Host, "kind">,
  records: Pick<Records, "images">,
): Promise<readonly ImageRecord[]> {
  const found: ImageRecord[] = [];
  for (const image of records.images()) {
    if (image.state !== "waiting") continue;
    const kind = await attempt(() => host.kind(image.path));
    // What cannot be looked at may be there.
    if (!kind.ok || kind.value !== "missing") found.push(image);
  }
  return found;
}

/**
 * The disk of another guest whose image waits, of which bytes are bytes of the one at `path`, under whatever name; undefined when
 * there is none, and when nothing is at `path`. To be asked after it was looked who uses the disk: a guest that is being saved has
 * it until its image waits.
 */
export async function findWaitingDisk(
  ports: WaitingPorts,
  path: string,
  owner?: DiskOwner,
): Promise<WaitingDisk | undefined> {
  const images = await ports.waitingImages();
  const disks = images.flatMap((image) =>
    image.disks
      .filter(({ readonly }) => !readonly)
      .map((disk): WaitingDisk => ({ image, path: disk.path, vdev: disk.vdev })),
  );
  if (disks.every(({ image }) => isOwn(image, owner))) return undefined;
  const reaches = await ports.reachesOf([path, ...disks.map((disk) => disk.path)]);
  const wanted = reaches.get(path);
  const found = disks.filter((disk) => {
    const reach = reaches.get(disk.path);
    return wanted !== undefined && reach !== undefined && overlaps(wanted, reach);
  });
  // A guest that was saved later has written to the disk since: the older image is worth nothing any more.
  const since = Math.max(
    ...found.flatMap(({ image }) => (isOwn(image, owner) ? [image.savedAtMs] : [])),
    -Infinity,
  );
  return found.find(({ image }) => !isOwn(image, owner) && image.savedAtMs >= since);
}

function isOwn({ id, guest, uuid }: ImageRecord, owner: DiskOwner | undefined): boolean {
  if (!owner) return false;
  return owner.name === guest || owner.uuid === uuid || owner.images?.includes(id) === true;
}

/** Behind "it is". Names are not escaped. */
export function waitingDiskText({ image, path, vdev }: WaitingDisk): string {
  return `the disk ${vdev} (${path}) of ${image.guest}, whose memory image ${image.path} waits since ${timeText(image.savedAtMs)}`;
}

/** The same as a user of the disk, for who has no guest to give it to. */
export async function waitingUsers(
  ports: WaitingPorts,
  path: string,
): Promise<readonly DeviceUser[]> {
  const found = await findWaitingDisk(ports, path);
  return found ? [{ kind: "image", what: waitingDiskText(found), writes: false }] : [];
}

/** Nothing when no image of another guest waits for the disk; otherwise `refused`. Who only reads it may have it. */
export async function assertNoImageWaits(
  ports: WaitingPorts,
  path: string,
  { writes, owner }: { readonly writes: boolean; readonly owner: DiskOwner },
): Promise<void> {
  const found = writes ? await findWaitingDisk(ports, path, owner) : undefined;
  if (!found) return;
  const { image } = found;
  const [guest, word] = [printable(image.guest), shellWord(image.guest)];
  throw refused([path], {
    what: `${path} is ${waitingDiskText(found)}.`,
    why: "The image fits the disk as it is. One write makes it worthless: who restores it after that destroys the filesystems.",
    next: `To let ${guest} go on where it was: domus restore ${word}. To give that up: domus start --discard-image ${word}, which keeps the image aside. When ${guest} is stopped then (domus stop ${word}), run the command again. Read-only (r) the disk may be had now.`,
  });
}
