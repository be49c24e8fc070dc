/** What became of recorded images while domus did not look (docs/design/lifecycle.md, "Recovery"). */
import { attempt, attemptSync, failureText } from "../../base/failure.ts";
import type { DiskReach } from "../../host/disk-reach.ts";
import type { Host } from "../../host/host.ts";
import type { ImageRecord } from "../../host/records.ts";
import { parseXlListLong } from "../../xen/xl-list.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { overlaps } from "../guard/disk-overlap.ts";
import { targetPath } from "../inventory/read-backings.ts";
import { setAside, tidyImages } from "./aside.ts";
import { listDomains, neverRan } from "./domains.ts";
import { isThere } from "./image-file.ts";
import type { LifecyclePorts } from "./ports.ts";
import type { Recovered } from "./recover.ts";

/** Without Xen's answer nothing is said of domains. */
export async function lookAtImages(ports: LifecyclePorts): Promise<Recovered[]> {
  const { host, records } = ports;
  const open = records.operations();
  const closed = records.images().filter(({ guest, uuid }) => {
    return !open.some((one) => one.guest === guest || one.data["uuid"] === uuid);
  });
  const waiting = closed.filter(({ state }) => state === "waiting");
  const missing = closed.filter(({ state }) => state === "missing");
  const found: Recovered[] = [];
  const say = (guest: string, what: string, ended = true) => found.push({ guest, what, ended });
  // Back first: a filesystem that was not mounted, with an image whose guest has been started since.
  for (const image of missing) {
    if (!(await isThere(host, image))) continue;
    records.changeImage(image.id, { state: "waiting" });
    waiting.push({ ...image, state: "waiting" });
    say(image.guest, `The image ${image.path} of ${image.guest} is there again.`);
  }
  const listed = waiting.length > 0 ? await attempt(() => runningGuests(host)) : undefined;
  const running = listed?.ok ? listed.value : [];
  const reaches = await reachesOfAll(ports, waiting, running);
  for (const image of waiting) {
    const { guest } = image;
    const domain = running.find((one) => isOf(one, image, reaches));
    const looked = await attempt(() => lookAt(ports, image, domain));
    if (!looked.ok) say(guest, failureText(looked.failure), false);
    else if (looked.value !== undefined) say(guest, looked.value);
  }
  const tidied = await attempt(() => tidyImages(ports));
  for (const path of tidied.ok ? tidied.value : [])
    say("", `Deleted ${path}: it was kept long enough.`);
  return found;
}

/** What there is to say of one that waits. */
async function lookAt(
  ports: LifecyclePorts,
  image: ImageRecord,
  domain: RunningGuest | undefined,
): Promise<string | undefined> {
  const { guest, path } = image;
  if (domain) {
    const why =
      domain.uuid === image.uuid || domain.name === guest
        ? `the guest runs as domain ${domain.domid}, started behind domus's back`
        : `${domain.name} runs as domain ${domain.domid} and may write to a disk of it, behind domus's back`;
    const { path: now } = await setAside(ports, image, { why, alarm: true });
    const runs =
      domain.name === guest
        ? `${guest} runs`
        : `A disk of ${guest} is given to ${domain.name}, which runs`;
    return `${runs} as domain ${domain.domid} although its image ${path} was waiting: that was done without domus. The image no longer fits its disks and is not offered any more; it is kept as ${now}.`;
  }
  if (await isThere(ports.host, image)) return undefined;
  ports.records.changeImage(image.id, { state: "missing" });
  return `The image ${path} of ${guest} was waiting and is not there any more: somebody deleted or moved it, or its filesystem is not mounted. If it was moved, domus restore takes its new path.`;
}

type RunningGuest = DomainRow & { readonly disks: readonly string[] };

/** One that is built and has not run is being restored, or was left half-way: that harms no disk. */
async function runningGuests(host: Host): Promise<readonly RunningGuest[]> {
  const rows = (await listDomains(host)).filter((row) => !neverRan(row) && row.state !== "dying");
  if (rows.length === 0) return [];
  const { stdout } = await host.run(["xl", "list", "-l"]);
  const long = attemptSync(() => parseXlListLong(stdout));
  const live = new Map((long.ok ? long.value : []).map(({ domid, guest }) => [domid, guest]));
  return rows.map((row) => {
    const written = (live.get(row.domid)?.disks ?? []).filter(({ readonly }) => !readonly);
    return { ...row, disks: written.flatMap((disk) => targetPath(disk) ?? []) };
  });
}

type Reaches = ReadonlyMap<string, DiskReach>;

/** None, when they cannot be told: then disks are compared by their paths. */
async function reachesOfAll(
  { guard }: LifecyclePorts,
  images: readonly ImageRecord[],
  running: readonly RunningGuest[],
): Promise<Reaches> {
  const given = running.flatMap(({ disks }) => disks);
  if (images.length === 0 || given.length === 0) return new Map();
  const saved = images.flatMap(({ disks }) => disks.map(({ path }) => path));
  const read = await attempt(() => guard.reachesOf([...given, ...saved]));
  return read.ok ? read.value : new Map();
}

function isOf({ uuid, name, disks }: RunningGuest, image: ImageRecord, reaches: Reaches): boolean {
  if (uuid === image.uuid || name === image.guest) return true;
  return image.disks.some(
    ({ readonly, path }) => !readonly && disks.some((disk) => isSameDisk(disk, path, reaches)),
  );
}

function isSameDisk(one: string, other: string, reaches: Reaches): boolean {
  const [a, b] = [reaches.get(one), reaches.get(other)];
  return one === other || (a !== undefined && b !== undefined && overlaps(a, b));
}
