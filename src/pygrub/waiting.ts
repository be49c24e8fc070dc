/**
 * Asked before a guest's disk is booted: does a save image wait for it? Booting would write to the disks that the image's
 * memory still has in its caches, and who restores it afterwards destroys their filesystems. One small file is read;
 * the rest only when something waits.
 */
import { existsSync, statSync } from "node:fs";
import { attempt, attemptSync, failureText } from "../base/failure.ts";
import { fileName } from "../base/path.ts";
import { stateDirectory } from "../base/state-directory.ts";
import { decodeText } from "../bytes/text.ts";
import { SETTINGS_PATH } from "../guest/bootloader/settings.ts";
import type { WaitingWish } from "../guest/bootloader/settings.ts";
import type { Host } from "../host/host.ts";
import { readWaitingFile, waitingImageOf } from "../host/local/waiting-file.ts";
import type { WaitingImage } from "../xen/waiting-list.ts";
import type { Options } from "./options.ts";

export type WaitingSay = {
  /** For the console, a line for each thing. */
  readonly lines: readonly string[];
  readonly stops: boolean;
};

export type WaitingServices = {
  readonly host: Host;
  /** Whose child this process is: the xl that builds the domain. */
  readonly parentPid: number;
  readonly env: NodeJS.ProcessEnv;
  /** Asked only when an image waits. */
  readonly wish: () => Promise<WaitingWish>;
};

/** Undefined: nothing waits for this guest, go on. */
export async function askWaiting(
  options: Pick<Options, "disk" | "output">,
  { host, parentPid, env, wish }: WaitingServices,
): Promise<WaitingSay | undefined> {
  const read = attemptSync(() => readWaitingFile(stateDirectory(env)));
  // Not stopped: else one damaged file of domus's own would keep every guest of the host down. A restore by domus looks
  // at the disks themselves, and refuses where this boot has written.
  if (!read.ok) return { stops: false, lines: unreadable(failureText(read.failure)) };
  if (read.value.length === 0) return undefined;
  const domain = await readDomain(options, host);
  const image =
    waitingImageOf(read.value, options.disk) ??
    read.value.find((one) => domain && isOf(domain, one)) ??
    (await waitingForBytesOf(read.value, options.disk, host));
  if (!image) return undefined;
  if (await wasRestored(image, parentPid, host)) return { stops: false, lines: restored(image) };
  if ((await wish()) === "warn") return { stops: false, lines: warning(image) };
  const isOther = domain !== undefined && !isOf(domain, image);
  const taker = isOther ? { name: domain.name, disk: options.disk } : undefined;
  return { stops: true, lines: refusal(image, taker) };
}

type Domain = { readonly name: string; readonly uuid?: string };

function isOf({ name, uuid }: Domain, image: WaitingImage): boolean {
  return image.guest === name || image.uuid.toLowerCase() === uuid;
}

/** libxl's name for the file that it wants the answer in. */
const OUTPUT_OF_LIBXL = /\/bootloader\.(\d{1,5})\.out$/;

/**
 * What libxl hands over need not be the guest's own disk: a qcow2 image it attaches to dom0 first. But the domain is there
 * already, with its name and uuid in xenstore.
 */
async function readDomain(
  { output = "" }: Pick<Options, "output">,
  host: Pick<Host, "run">,
): Promise<Domain | undefined> {
  const domid = OUTPUT_OF_LIBXL.exec(output)?.[1];
  if (domid === undefined) return undefined;
  const domain = `/local/domain/${domid}`;
  const ran = await attempt(() => host.run(["xenstore-read", `${domain}/name`, `${domain}/vm`]));
  if (!ran.ok || ran.value.exitCode !== 0) return undefined;
  const [name = "", vm] = ran.value.stdout.split("\n");
  const uuid = vm?.replace(/^\/vm\//, "").toLowerCase();
  return { name, ...(uuid !== undefined && { uuid }) };
}

/**
 * By another disk that has bytes in common with this one: a partition and the disk around it, a loop device and its file. Of the
 * images' disks only the names are looked up: they may be many, and a guest waits.
 */
async function waitingForBytesOf(
  images: readonly WaitingImage[],
  disk: string,
  host: Host,
): Promise<WaitingImage | undefined> {
  const { readIdentities, readReaches } = await import("../host/local/block-graph.ts");
  const paths = images.flatMap(({ disks }) => disks.map(({ path }) => path));
  const read = await attempt(async () => ({
    own: (await readReaches(host, [disk])).get(disk),
    identities: await readIdentities(host, paths),
  }));
  if (!read.ok) return undefined;
  const { own, identities } = read.value;
  const isReached = (path: string) => own?.reaches.includes(identities.get(path) ?? "") === true;
  return images.find(({ disks }) => disks.some(({ path }) => isReached(path)));
}

/** Of a command line; xl's own is shorter. */
const MAX_COMMAND_BYTES = 65_536;

/**
 * Whether the guest has been running from the image, and only reboots: then the image fits its disks no more, and to stop it here
 * would keep it down for nothing. libxl runs no bootloader for a restore; the process of `xl restore` that comes here all the same
 * is the one that stayed to watch over the domain, and makes the next one of a guest that has run (xen: tools/xl/xl_vmcontrol.c,
 * tools/libs/light/libxl_create.c). It is not there any more when its domain has been saved since.
 */
async function wasRestored(
  { image }: WaitingImage,
  parentPid: number,
  host: Pick<Host, "readFile">,
): Promise<boolean> {
  const read = await attempt(() => host.readFile(`/proc/${parentPid}/cmdline`, MAX_COMMAND_BYTES));
  if (!read.ok) return false;
  const { imageOf, parseXlProcess } = await import("../guest/watch/observation.ts");
  const xl = parseXlProcess(parentPid, decodeText(read.value));
  const from = xl?.verb === "restore" ? imageOf(xl) : undefined;
  if (from === undefined) return false;
  // xl has gone to / since: of a path that was given from another directory the name is left.
  return from.startsWith("/") ? isSameFile(from, image) : fileName(from) === fileName(image);
}

function isSameFile(a: string, b: string): boolean {
  if (a === b) return true;
  const [one, other] = [a, b].map((path) => statSync(path, { throwIfNoEntry: false }));
  return one !== undefined && other !== undefined && one.dev === other.dev && one.ino === other.ino;
}

function restored({ guest, image }: WaitingImage): string[] {
  return [
    `${guest} was restored from ${image} with xl, not with domus, and reboots: it is started.`,
    "Never restore that image again: its memory does not fit the disks any more. The next command of domus that changes something sets it aside.",
  ];
}

function savedText({ guest, image, savedAtMs }: WaitingImage): string {
  const time = new Date(savedAtMs).toISOString().slice(0, 16).replace("T", " ");
  return `${guest} was saved on ${time} UTC, and its memory waits in ${image}`;
}

/** `taker`: another guest, which would boot from its disk. */
function refusal(
  image: WaitingImage,
  taker?: { readonly name: string; readonly disk: string },
): string[] {
  const { guest } = image;
  const restore = existsSync(image.image)
    ? `To let it go on where it was: domus restore ${guest}`
    : `The image is not there now. When it is on a disk that is not mounted, mount it, then: domus restore ${guest}`;
  return [
    `not started: ${savedText(image)}.`,
    ...(taker
      ? [`${taker.disk}, from which ${taker.name} would boot, is a disk of ${guest}.`]
      : []),
    "A boot writes to its disks; the saved memory does not fit them any more, and restoring it would destroy them.",
    restore,
    `To start it afresh, with the image set aside: domus start --discard-image ${guest}`,
    ...(taker ? [`When ${guest} is stopped after that, ${taker.name} can have the disk.`] : []),
    `To be warned only, on this host: waiting-image=warn in ${SETTINGS_PATH}`,
  ];
}

function warning(image: WaitingImage): string[] {
  return [
    `started all the same (waiting-image=warn): ${savedText(image)}.`,
    `Never restore that image with xl: its memory does not fit the disks any more. To set it aside: domus start --discard-image ${image.guest}`,
  ];
}

function unreadable(why: string): string[] {
  return [
    `cannot tell whether a save image waits for this guest: ${why}.`,
    "It is started all the same. Any command of domus that changes a guest writes that list anew.",
  ];
}
