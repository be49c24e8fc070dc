/**
 * What a bootloader in dom0 does for a guest: finds what is to be started on its disk, and writes kernel and initramfs
 * where Xen's builder takes them from.
 */
import { whereText } from "../../base/where.ts";
import type { BootFile } from "../../boot/loader/loader.ts";
import type { Host } from "../../host/host.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";
import type { HostFacts } from "../../xen/host-facts.ts";
import { openDisks } from "../disks/open-disks.ts";
import type { Out } from "./handover-bytes.ts";
import { writeKernel, writeRamdisk } from "./handover-bytes.ts";
import { planHandover } from "./plan-handover.ts";
import type { Remark, RepairWish } from "./plan-handover.ts";
import { readMenu } from "./read-menu.ts";
import type { BootMenu, Look, MenuEntry } from "./read-menu.ts";

export type BootRequest = {
  /** The guest's first disk, in dom0. It is read as raw, whatever it looks like. */
  readonly disk: string;
  /** Files in the guest. */
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** Appended to the entry's arguments. */
  readonly args: string;
  /** A number from 0 on, or a title. One that there is not is passed over, as pygrub does it. */
  readonly entry?: string;
  readonly offset?: number;
  readonly repair: RepairWish;
};

/** What a person made of the menu. */
export type Choice = { readonly index: number; readonly args?: string };

export type BootServices = {
  readonly host: Host;
  readonly xen: () => Promise<HostFacts | undefined>;
  /** Asks a person; left out, the default is taken. */
  readonly choose?: (menu: BootMenu) => Promise<Choice>;
  readonly signal?: AbortSignal;
};

export type BootOut = { readonly kernel: Out; readonly ramdisk: Out };

/** What was found to be started. */
export type ChosenBoot = {
  readonly title: string;
  readonly because: string;
  readonly loader: string;
  /** Paths in the guest, for people. */
  readonly kernelPath: string;
  readonly ramdiskPaths: readonly string[];
  readonly args: string;
};

export type PreparedBoot = ChosenBoot & { readonly remarks: readonly Remark[] };

/** Nothing can be started. The message has a line for each place that was looked at. */
export class NothingToStart extends Error {
  readonly looks: readonly Look[];

  constructor(looks: readonly Look[]) {
    super(looks.map(({ where, said }) => `${whereText(where)}: ${said}`).join("\n"));
    this.looks = looks;
  }
}

/** The menu of the disk. `NothingToStart` when there is none. */
export async function listBoot(
  request: BootRequest,
  { host, signal }: BootServices,
): Promise<BootMenu> {
  await using disks = await openDisks(host, [specOf(request.disk)], signal ? { signal } : {});
  // Awaited here: the disk is closed on return.
  return await menuOf(request, disks.disks[0]!, signal);
}

/**
 * Writes kernel and initramfs to `out`; without `out` it only says what it would. `NothingToStart`, also where the entry
 * cannot be started, or a failure of a file that it names.
 */
export async function prepareBoot(
  request: BootRequest,
  services: BootServices,
  out?: BootOut,
): Promise<PreparedBoot> {
  const { host, choose, signal } = services;
  await using disks = await openDisks(host, [specOf(request.disk)], signal ? { signal } : {});
  const menu = await menuOf(request, disks.disks[0]!, signal);
  const choice = choose && request.entry === undefined ? await choose(menu) : undefined;
  const index = choice?.index ?? indexOf(request.entry, menu);
  const entry = startable(menu, index);
  const own = choice?.args ?? entry.args;
  // pygrub's spelling: to nothing it appends a blank, too, but for a kernel that was named.
  const args =
    request.args === "" || request.kernel !== undefined
      ? own + request.args
      : `${own} ${request.args}`;
  const chosen: ChosenBoot = {
    title: entry.title,
    because: index === menu.chosen ? menu.because : "it was asked for",
    loader: menu.loader,
    kernelPath: entry.kernel.path,
    ramdiskPaths: entry.ramdisks.map(({ path }) => path),
    args,
  };
  const { repair } = request;
  const context = { repair, xen: services.xen, ...(signal && { signal }) };
  const plan = await planHandover(entry, context);
  const remarks = [...lackRemarks(entry), ...plan.remarks];
  if (!out) return { ...chosen, remarks };
  remarks.push(...(await writeKernel(plan.kernel, out.kernel, signal)));
  if (plan.ramdisk) remarks.push(...(await writeRamdisk(plan.ramdisk, out.ramdisk, signal)));
  return { ...chosen, remarks };
}

async function menuOf(
  request: BootRequest,
  disk: Parameters<typeof readMenu>[0]["disk"],
  signal: AbortSignal | undefined,
): Promise<BootMenu> {
  const { kernel, ramdisk, offset } = request;
  const { menu, looks } = await readMenu({
    disk,
    ...(kernel !== undefined && { kernel }),
    ...(ramdisk !== undefined && { ramdisk }),
    ...(offset !== undefined && { offset }),
    ...(signal && { signal }),
  });
  if (!menu) throw new NothingToStart(looks);
  return menu;
}

/** By number, else by title; the default where there is no such entry. */
function indexOf(wanted: string | undefined, { entries, chosen }: BootMenu): number {
  if (wanted === undefined) return chosen;
  const number = /^\s*\d{1,9}\s*$/.test(wanted) ? Number(wanted) : undefined;
  const index =
    number ?? entries.findIndex((one) => one.ownTitle === wanted || one.title === wanted);
  return index >= 0 && index < entries.length ? index : chosen;
}

function startable(
  { entries, where, because, chosen }: BootMenu,
  index: number,
): MenuEntry & { readonly kernel: BootFile } {
  const entry = entries[index]!;
  const { kernel, problem = "it has no kernel" } = entry;
  if (kernel && entry.problem === undefined) return { ...entry, kernel };
  const why = index === chosen ? ` (${because})` : "";
  const others = entries.flatMap((one, number) =>
    one.kernel && one.problem === undefined ? [`${number} "${one.title}"`] : [],
  );
  const said = [`the entry "${entry.title}"${why} cannot be started: ${problem}`];
  if (others.length > 0) {
    said.push(
      `Entries that could be: ${others.slice(0, MAX_OTHERS).join(", ")}. Choose one at the console (xl create -c), or with bootloader_args = [ "--entry=NUMBER" ] in the guest's config.`,
    );
  }
  throw new NothingToStart(said.map((text) => ({ where, said: text })));
}

/** How many entries a console line names. */
const MAX_OTHERS = 8;

function lackRemarks({ lacks }: MenuEntry): Remark[] {
  if (lacks === undefined) return [];
  return [
    { what: `The entry asks for something that is not there (${lacks}), and starts without.` },
  ];
}

/** libxl hands the bootloader a device or raw file: what a tenant writes into it does not make it another format. */
function specOf(disk: string): DiskSpec {
  return {
    text: disk,
    target: disk.startsWith("/") ? disk : `./${disk}`,
    format: "raw",
    vdev: "xvda",
    readonly: true,
    cdrom: false,
    directIoSafe: false,
    deprecated: [],
  };
}

/** For the console, a line for each thing. */
export function explainNothing(disk: string, looks: readonly Look[]): string[] {
  return [
    `found nothing to start on ${disk}.`,
    ...looks.map(({ where, said }) => `${whereText(where)}: ${said}`),
    "To start files of the disk by name, give their paths in the guest as kernel= and ramdisk= in its config; for good, repair its loader from a rescue system (update-grub, grub2-mkconfig).",
  ];
}
