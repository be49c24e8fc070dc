/** Whether and how a guest is started (docs/design/lifecycle.md, "start"). */
import { FailureError, misuse, refused } from "../../base/failure.ts";
import type { Failure } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { printable } from "../../base/printable.ts";
import { shellWord } from "../../check/remedy.ts";
import type { ImageRecord } from "../../host/records.ts";
import type { DomainRow } from "../../xen/xl-list.ts";
import { timeText } from "../fingerprint/text.ts";
import { diskUses, findTaken } from "../guard/disk-claims.ts";
import type { DiskUse } from "../guard/disk-claims.ts";
import { wayOut } from "../inventory/crash-findings.ts";
import { isHalfBuilt } from "../inventory/domain-findings.ts";
import type { ConfigFact, ImageFact } from "../inventory/facts.ts";
import type { Inventory, InventoryGuest } from "../inventory/inventory.ts";
import { listDomains, suspendedWayOut } from "./domains.ts";
import { assertGuestName } from "./guest-name.ts";
import { assertAlone } from "./journal.ts";
import type { LifecyclePorts } from "./ports.ts";

/** What the boot check says; undefined where it could not be made. */
export type BootCheck = {
  readonly verdict: "boots" | "fails" | "unknown";
  readonly findings: readonly Finding[];
};

export type StartSurvey = {
  readonly guest: InventoryGuest;
  readonly config: ConfigFact;
  readonly domains: readonly DomainRow[];
  /** Other guests whose configs have the name or the uuid. */
  readonly doubles: readonly string[];
  readonly taken: readonly Failure[];
  readonly check?: BootCheck;
};

/** An image that is given up by a start. */
export type Discarded = {
  readonly path: string;
  readonly savedAtMs: number;
  readonly sizeBytes: number;
  readonly uuid: string;
  readonly record?: ImageRecord;
};

export type StartPlan = {
  readonly guest: string;
  readonly configPath: string;
  /** Of the config; absent: every start makes up a new one. */
  readonly uuid?: string;
  readonly disks: readonly DiskUse[];
  readonly discards: readonly Discarded[];
  /** What the check found, where it is started all the same: whole sentences. */
  readonly warnings: readonly string[];
};

export type StartOptions = {
  readonly discardImage: boolean;
  /** The boot check has no say. */
  readonly anyway: boolean;
};

/** Without the boot check, which reads the guest's disks: the plan may refuse before it. */
export async function surveyStart(
  ports: LifecyclePorts,
  { guests }: Inventory,
  guest: InventoryGuest,
): Promise<StartSurvey> {
  const { host, guard } = ports;
  const { config, name } = guest;
  assertAlone(ports, { guest: name, data: { uuid: guest.uuid } });
  if (!config)
    throw misuse(
      `No config of ${printable(name)} is known.`,
      "If it is in a directory that domus does not know, name that with --also DIR.",
    );
  if (!config.guest)
    throw refused([config.path], {
      what: `The config ${config.path} is not understood.`,
      why: "xl would refuse it, too.",
      next: `domus check ${shellWord(config.path)} says what is wrong with it.`,
    });
  const { uuid, name: configured } = config.guest;
  const domains = await listDomains(host);
  const doubles = guests
    .filter((one) => one !== guest && one.config?.guest)
    .filter(({ config: other }) => {
      const its = other!.guest!;
      return its.name === configured || (uuid !== undefined && its.uuid === uuid);
    })
    .map(({ config: other }) => other!.path);
  // Of a waiting image of its own planStart has more to say.
  const images = guest.images.flatMap(({ fact }) => fact.record?.id ?? []);
  const owner = { name: configured ?? name, uuid, images };
  const taken = await findTaken(guard, diskUses(config.guest.disks), owner);
  return { guest, config, domains, doubles, taken };
}

/** `refused` and `misuse` with the reason. */
export function planStart(survey: StartSurvey, options: StartOptions): StartPlan {
  const { guest, config, domains, doubles, taken, check } = survey;
  const { name = guest.name, uuid } = config.guest ?? {};
  assertGuestName(name);
  assertNoDomain(
    guest,
    name,
    domains.find((one) => one.name === name || one.uuid === uuid),
  );
  const waiting = waitingImages(guest);
  if (!options.discardImage && waiting.length > 0) throw imageWaits(name, waiting);
  if (doubles.length > 0)
    throw refused([config.path, ...doubles], {
      what: `${name} is not the only one of its name or uuid: ${doubles.map(printable).join(", ")}.`,
      why: "Which of them an image or a disk belongs to is a guess, and Xen takes two guests of one uuid for the same: its own guard against a disk in two guests lets them pass.",
      next: "If they are two guests, give one another name=, uuid= and MAC addresses. If it is an old copy, move it out of the directory.",
    });
  const [first] = taken;
  if (first) throw new FailureError(first);
  const warnings = assertBoots(name, check, options);
  return {
    ...{ guest: name, configPath: config.path, warnings },
    discards: waiting.map((fact) => discarded(fact, uuid)),
    disks: diskUses(config.guest?.disks ?? []),
    ...(uuid !== undefined && { uuid }),
  };
}

function assertNoDomain(guest: InventoryGuest, name: string, row: DomainRow | undefined): void {
  const known = guest.domains[0]?.fact;
  const domid = row?.domid ?? known?.domid;
  if (domid === undefined) return;
  const state = row?.state ?? known!.state;
  if (row && row.name !== name)
    throw refused([`domain ${domid}`], {
      what: `The domain ${domid}, called ${row.name}, has the uuid of ${name}.`,
      why: "Xen takes two guests of one uuid for the same, and its own guard against a disk in two guests lets them pass.",
      next: `If it is ${name}, renamed while it runs, there is nothing to start. If they are two guests, give one another uuid=, name= and MAC addresses.`,
    });
  if (state === "running")
    throw misuse(`${name} runs already, as domain ${domid}.`, "There is nothing to start.");
  const next = {
    paused:
      known?.domid === domid && isHalfBuilt(known)
        ? `Its xl was ended before it was whole, unless one is at work just now (ps ax | grep "[x]l "): domus stop --destroy-after 0 ${shellWord(name)} takes it away, and nothing is lost. Then start it again.`
        : `Let it go on: domus resume ${shellWord(name)}`,
    suspended: `It is being saved or moved, or was left so. ${suspendedWayOut(domid)}`,
  }[state as string];
  throw refused([`domain ${domid}`], {
    what: `${name} is there already, as domain ${domid} (${state}).`,
    why: "It has the guest's disks: two domains that write to one disk destroy its filesystems.",
    next:
      next ??
      (state === "crashed"
        ? wayOut({ domid, name })
        : `domus stop ${shellWord(name)} takes it away when it has ended in order. Then start it again.`),
  });
}

/** Those that a restore would take, with a record or without. */
function waitingImages({ images, findings }: InventoryGuest): readonly ImageFact[] {
  const stale = new Set(
    findings.filter(({ code }) => code === "image-stale").map(({ where }) => where[0]),
  );
  return images
    .map(({ fact }) => fact)
    .filter(({ path, image, record }) => {
      if (record) return record.state === "waiting";
      return image?.end.kind === "complete" && !stale.has(path);
    });
}

function imageWaits(name: string, [image, ...others]: readonly ImageFact[]): FailureError {
  const { path, record, modifiedMs } = image!;
  const at = record?.savedAtMs ?? modifiedMs;
  const when = at === undefined ? "" : `, since ${timeText(at)}`;
  const more = others.length === 0 ? "" : ` (and ${others.length} more)`;
  return refused([path], {
    what: `${name} is saved: its image ${path}${more} waits to be restored${when}.`,
    why: "Started from its disks, it loses all that it was doing, and from then on the image no longer fits the disks: to restore it after that destroys their filesystems.",
    next: `To let it go on where it was: domus restore ${shellWord(name)}. To give that up: domus start --discard-image ${shellWord(name)}, which keeps the image aside.`,
  });
}

function discarded(fact: ImageFact, uuid: string | undefined): Discarded {
  const { path, sizeBytes, record, image, modifiedMs = 0 } = fact;
  return {
    ...{ path, sizeBytes, savedAtMs: record?.savedAtMs ?? modifiedMs },
    uuid: record?.uuid ?? image?.config?.guest?.uuid ?? uuid ?? "",
    ...(record && { record }),
  };
}

function assertBoots(
  name: string,
  check: BootCheck | undefined,
  { anyway }: StartOptions,
): readonly string[] {
  const errors = (check?.findings ?? []).filter(({ severity }) => severity === "error");
  if (check?.verdict !== "fails") return errors.map(({ what }) => what);
  const [first] = errors;
  if (anyway) return errors.map(({ what }) => what);
  throw refused(first?.where ?? [name], {
    what: `${name} would not boot: ${first?.what ?? "the check says so."}`,
    why: first?.why ?? "The boot check found what stops it.",
    next: `${first?.next ?? ""} All of it: domus check ${shellWord(name)}. To start it all the same: domus start --anyway ${shellWord(name)}.`.trim(),
  });
}
