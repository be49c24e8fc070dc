/** `list --json` and `show --json`: the contract is docs/reference/json.md. */
import { failureText } from "../../base/failure.ts";
import type { Backing, DomainFact, ImageFact } from "../../guest/inventory/facts.ts";
import type { Inventory, InventoryGuest } from "../../guest/inventory/inventory.ts";
import type { Part } from "../../guest/inventory/match.ts";
import { targetPath } from "../../guest/inventory/read-backings.ts";
import type { SummaryDisk } from "../../xen/domain-summary.ts";

type Backings = ReadonlyMap<string, Backing>;
type Json = Record<string, unknown>;

export function inventoryJson(
  { domains, failures, findings, backings }: Inventory,
  guests: readonly InventoryGuest[],
): Json {
  return {
    domains: domains.kind,
    domainsSeenAt: domains.kind === "listed" ? secondsOf(domains.seenAtMs) : null,
    guests: guests.map((guest) => inventoryGuestJson(guest, backings)),
    findings,
    notRead: [...failures, ...(domains.kind === "unknown" ? [domains.failure] : [])].map(
      failureText,
    ),
  };
}

function inventoryGuestJson(guest: InventoryGuest, backings: Backings): Json {
  const { name, uuid, state, config, domains, images, lostImages, operations } = guest;
  const { has, findings, check } = guest;
  return {
    name,
    uuid: uuid ?? null,
    state,
    type: has?.type ?? null,
    memoryBytes: bytesOf(has?.memoryKib),
    maxMemoryBytes: bytesOf(has?.maxMemoryKib),
    vcpus: has?.vcpus ?? null,
    maxVcpus: has?.maxVcpus ?? null,
    config: config
      ? { path: config.path, file: config.realPath, autostart: config.autostart }
      : null,
    domains: domains.map(domainJson),
    images: images.map(imageJson),
    missingImages: lostImages.map(({ record }) => ({
      ...{ path: record.path, savedAt: secondsOf(record.savedAtMs), record: record.state },
    })),
    operations: operations.map(({ operation, running }) => ({
      ...{ kind: operation.kind, step: operation.step, running, pid: operation.pid },
      startedAt: secondsOf(operation.startedAtMs),
    })),
    check: check ? { verdict: check.verdict, at: secondsOf(check.atMs) } : null,
    disks: (has?.disks ?? []).map((disk) => diskJson(disk, backings)),
    nics: (has?.nics ?? []).map(({ mac, bridge }) => ({
      mac: mac ?? null,
      bridge: bridge ?? null,
    })),
    findings,
  };
}

function secondsOf(ms: number | undefined): number | null {
  return ms === undefined ? null : Math.floor(ms / 1000);
}

function bytesOf(kib: number | undefined): number | null {
  return kib === undefined ? null : kib * 1024;
}

function domainJson({ fact, by }: Part<DomainFact>): Json {
  const { domid, name, uuid, state, memoryMib, vcpus, watched } = fact;
  const memoryBytes = memoryMib * 1024 * 1024;
  return { domid, name, uuid, state, memoryBytes, vcpus, watched: watched ?? null, matchedBy: by };
}

function imageJson({ fact, by }: Part<ImageFact>): Json {
  const { path, sizeBytes, modifiedMs, restoredAtBoot, image, failure, record, proof } = fact;
  const { xen, pages, pageSizeBytes, hasEmulator } = image?.stream ?? {};
  return {
    path,
    sizeBytes,
    savedAt: secondsOf(modifiedMs),
    restoredAtBoot,
    format: image?.format ?? null,
    end: image?.end.kind ?? "unreadable",
    name: image?.config?.guest?.name ?? null,
    uuid: image?.config?.guest?.uuid ?? null,
    xen: xen ? `${xen.major}.${xen.minor}` : null,
    savedBytes: pages === undefined || pageSizeBytes === undefined ? null : pages * pageSizeBytes,
    // Its record is the last but one: of an image that is cut off nobody knows.
    deviceModel: hasEmulator || image?.end.kind === "complete" ? (hasEmulator ?? null) : null,
    failure: failure ? failureText(failure) : null,
    record: record?.state ?? null,
    proof: proof ?? null,
    matchedBy: by,
  };
}

function diskJson(disk: SummaryDisk, backings: Backings): Json {
  const path = targetPath(disk);
  const backing = path === undefined ? undefined : backings.get(path);
  const { vdev, target, format, readonly, cdrom } = disk;
  return {
    vdev,
    target: path ?? target,
    format,
    readonly,
    cdrom,
    backing: backing?.kind ?? (target === "" ? "empty" : "elsewhere"),
    sizeBytes: backing?.sizeBytes ?? null,
  };
}
