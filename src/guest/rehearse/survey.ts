/** What a rehearsal has to know of the guest and the host. */
import { commandFailed, misuse, refused } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { MIB } from "../../base/units.ts";
import { decodeText } from "../../bytes/text.ts";
import type { Host, PathKind } from "../../host/host.ts";
import type { DiskSpec } from "../../xen/disk-spec.ts";
import { parseDomainConfig } from "../../xen/domain-config.ts";
import type { DomainConfig } from "../../xen/domain-config.ts";
import { parseXlInfo } from "../../xen/xl-info.ts";
import type { InventoryGuest } from "../inventory/inventory.ts";
import { readVolume } from "./volumes.ts";
import type { Volume } from "./volumes.ts";

export type RehearsalDisk = {
  readonly spec: DiskSpec;
  /** As libxl would open it. Absent: nothing in the drive, or not a path of dom0. */
  readonly path?: string;
  /** After all links: what an overlay may rest on, wherever it lies itself. */
  readonly realPath?: string;
  readonly kind: PathKind | "elsewhere" | "empty";
  /** Of a writable one that is a volume of LVM. */
  readonly volume?: Volume;
};

export type RehearsalSurvey = {
  readonly guest: string;
  readonly configPath: string;
  readonly text: string;
  readonly config: DomainConfig;
  /** A domain of the guest is there, whatever it does: it has the disks. */
  readonly runs: boolean;
  readonly disks: readonly RehearsalDisk[];
  readonly freeMemoryMib: number;
};

/** `misuse` without a config, `refused` for one that xl refuses. Nothing is changed. */
export async function surveyRehearsal(host: Host, guest: InventoryGuest): Promise<RehearsalSurvey> {
  const { name, config: known, domains } = guest;
  if (!host.live) throw misuse(`Nothing is started on ${host.name}.`, "Run it on the host.");
  if (!known)
    throw misuse(
      `No config of ${name} is known.`,
      "A rehearsal starts what the config says. domus list shows where it was looked; --also DIR looks elsewhere, too.",
    );
  const text = decodeText(await host.readFile(known.realPath, MIB));
  const { config, failures } = parseDomainConfig(text, { path: known.path });
  if (!config || failures.length > 0)
    throw refused([known.path], {
      what: `The config ${known.path} is refused by xl.`,
      why: "What is wrong with it is no question of the boot: the guest cannot be started at all.",
      next: `domus check ${printable(known.path)} says what is wrong with it.`,
    });
  const disks: RehearsalDisk[] = [];
  for (const spec of config.disks) disks.push(await surveyDisk(host, spec));
  return {
    guest: name,
    configPath: known.path,
    text,
    config,
    runs: domains.length > 0,
    disks,
    freeMemoryMib: await freeMemory(host),
  };
}

async function surveyDisk(host: Host, spec: DiskSpec): Promise<RehearsalDisk> {
  if (spec.target === "") return { spec, kind: "empty" };
  if (spec.script !== undefined || (spec.backend ?? "0") !== "0")
    return { spec, kind: "elsewhere" };
  const path = /^\.?\//.test(spec.target) ? spec.target : `/dev/${spec.target}`;
  const kind = await host.kind(path);
  if ((kind !== "block-device" && kind !== "file") || spec.readonly) return { spec, path, kind };
  const realPath = await host.realPath(path);
  const volume = kind === "block-device" ? await readVolume(host, path) : undefined;
  return { spec, path, realPath, kind, ...(volume && { volume }) };
}

async function freeMemory(host: Host): Promise<number> {
  const { exitCode, stdout, stderr } = await host.run(["xl", "info"]);
  const free = exitCode === 0 ? parseXlInfo(stdout).freeMemoryKib : undefined;
  if (free !== undefined) return Math.floor(free / 1024);
  throw commandFailed(["xl info"], {
    what: "Xen does not say how much memory is free.",
    why: stderr.trim().split("\n").at(-1) || `xl info ended with ${exitCode}.`,
    next: "Run it as root on a host that runs Xen: xl info must answer.",
  });
}
