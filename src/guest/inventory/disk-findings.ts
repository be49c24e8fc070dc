/** What is wrong with guests' disks, as far as it shows without reading them. Pure. */
import type { Finding } from "../../base/finding.ts";
import { listText, shellWord } from "../../check/remedy.ts";
import type { SummaryDisk } from "../../xen/domain-summary.ts";
import type { Backing, DiskMount, InventoryFacts } from "./facts.ts";
import type { Guest } from "./match.ts";
import { targetPath } from "./read-backings.ts";

/** A disk of a guest, by its config or in its domain. */
export type DiskUse = {
  readonly guest: Guest;
  readonly vdev: string;
  readonly path: string;
  readonly readonly: boolean;
  readonly cdrom: boolean;
  /** A domain has it now. */
  readonly live: boolean;
  readonly backing: Backing;
};

export type DiskUses = {
  readonly of: ReadonlyMap<Guest, readonly DiskUse[]>;
  readonly byKey: ReadonlyMap<string, readonly DiskUse[]>;
  /** By what their bytes lie in. */
  readonly byLayer: ReadonlyMap<string, readonly DiskUse[]>;
  readonly byOrigin: ReadonlyMap<string, readonly DiskUse[]>;
};

/** All disks of all guests, found by what they are. */
export function diskUses(guests: readonly Guest[], facts: InventoryFacts): DiskUses {
  const of = new Map(guests.map((guest) => [guest, usesOf(guest, facts)]));
  const byKey = new Map<string, DiskUse[]>();
  const byLayer = new Map<string, DiskUse[]>();
  const byOrigin = new Map<string, DiskUse[]>();
  const put = (index: Map<string, DiskUse[]>, key: string, use: DiskUse) => {
    const there = index.get(key);
    if (there) there.push(use);
    else index.set(key, [use]);
  };
  for (const use of [...of.values()].flat()) {
    put(byKey, use.backing.key, use);
    for (const layer of use.backing.on ?? []) put(byLayer, layer, use);
    if (use.backing.snapshot) put(byOrigin, use.backing.snapshot.origin, use);
  }
  return { of, byKey, byLayer, byOrigin };
}

function usesOf(guest: Guest, { backings }: InventoryFacts): DiskUse[] {
  const uses = new Map<string, DiskUse>();
  const add = (disk: SummaryDisk, live: boolean) => {
    const path = targetPath(disk);
    const backing = path === undefined ? undefined : backings.get(path);
    if (path === undefined || !backing) return;
    const known = uses.get(backing.key);
    const { vdev, readonly, cdrom } = disk;
    if (known?.live || (known && !live)) return;
    uses.set(backing.key, { guest, vdev, path, readonly, cdrom, live, backing });
  };
  for (const disk of guest.config?.guest?.disks ?? []) add(disk, false);
  for (const { fact } of guest.domains)
    if (fact.state !== "dying") for (const disk of fact.guest?.disks ?? []) add(disk, true);
  return [...uses.values()];
}

export function diskFindings(guest: Guest, facts: InventoryFacts, uses: DiskUses): Finding[] {
  const own = uses.of.get(guest) ?? [];
  return own.flatMap((use) => [
    ...missing(use),
    ...unfinished(use, facts),
    ...shared(use, uses),
    ...snapshots(use, uses),
    ...mounted(use, facts.mounts),
  ]);
}

const nameOf = ({ vdev, path }: DiskUse) => `disk ${vdev} (${path})`;
const whereOf = ({ guest, vdev }: DiskUse) => [guest.config?.path ?? guest.name, vdev];

function missing(use: DiskUse): Finding[] {
  if (use.backing.kind !== "missing" || use.cdrom) return [];
  const { name } = use.guest;
  const base = { code: "disk-missing", where: whereOf(use) };
  if (use.live)
    return [
      {
        ...base,
        severity: "error",
        what: `The ${nameOf(use)} of ${name}, which runs, is not there any more.`,
        why: "The guest still has it open, deleted or renamed as it is. When the guest ends, what is deleted is gone, and it does not start again.",
        next: `Copy what matters from inside the guest before it stops. A file that was renamed is still whole: put it back to ${use.path}.`,
      },
    ];
  return [
    {
      ...base,
      severity: "warning",
      what: `The ${nameOf(use)} of ${name} is not there.`,
      why: "xl does not start a guest without all of its disks.",
      next: use.path.startsWith("/dev/")
        ? "See whether the volume exists and is active: lvs -a, then vgchange -ay VG. If it has another name now, correct disk= in the config."
        : "Put the image back, mount the filesystem that it is on, or correct disk= in the config.",
    },
  ];
}

function unfinished(use: DiskUse, facts: InventoryFacts): Finding[] {
  const copy = facts.unfinished.get(use.path);
  if (!copy) return [];
  const source = copy.source ?? "SOURCE";
  return [
    {
      code: "disk-unfinished",
      severity: "error",
      where: whereOf(use),
      what: `The ${nameOf(use)} of ${use.guest.name} is an unfinished copy: its record is ${copy.record}.`,
      why: "Part of it is old and part of it is new. A guest that starts on it finds damaged filesystems, writes to them, and makes it worse.",
      next: `Let the copy finish, or run it again: domus sync ${shellWord(source)} ${shellWord(use.path)}. If the disk was filled in another way since, and is whole: rm ${shellWord(copy.record)}`,
    },
  ];
}

/**
 * Those of other guests that hold the same bytes, by another name or as a part of them. Of two configs with one name only one can
 * run: an old copy shares its disks with the new one, and no harm is done.
 */
function sharers(use: DiskUse, { byKey, byLayer }: DiskUses): DiskUse[] {
  const { key, on = [] } = use.backing;
  const all = [...[key, ...on].flatMap((one) => byKey.get(one) ?? []), ...(byLayer.get(key) ?? [])];
  return [...new Set(all)].filter(
    (other) =>
      other.guest !== use.guest &&
      other.guest.name !== use.guest.name &&
      !(other.readonly && use.readonly),
  );
}

function shared(use: DiskUse, uses: DiskUses): Finding[] {
  const others = sharers(use, uses);
  if (others.length === 0) return [];
  const both = use.live && others.some(({ live }) => live);
  const those = listText(
    others.map(({ guest, vdev, path }) =>
      path === use.path ? `${guest.name} (as ${vdev})` : `${guest.name} (as ${vdev}, ${path})`,
    ),
  );
  return [
    {
      code: "disk-shared",
      severity: both ? "error" : "warning",
      where: whereOf(use),
      what: `The ${nameOf(use)} of ${use.guest.name} is also a disk of ${those}${both ? ", and both have a domain" : ""}.`,
      why: both
        ? "Each writes without knowing of the other: unless it is a cluster filesystem, it is being destroyed."
        : "When both run, each writes without knowing of the other, and the filesystem is destroyed within minutes. For a block device under one name Xen's block script refuses the second guest; for an image file nobody does.",
      next: both
        ? "Stop one of them at once: xl pause first, then find out which of the two is right. Then fsck before anything is started again."
        : "If this is meant (a cluster filesystem, a rescue guest that never runs beside it), nothing. Otherwise correct disk= in one of the configs.",
    },
  ];
}

/** Said at the snapshot. */
function snapshots(use: DiskUse, uses: DiskUses): Finding[] {
  const origins = originsOf(use, uses).filter(({ guest }) => guest !== use.guest);
  if (origins.length === 0) return [];
  const those = listText(origins.map(({ guest, path }) => `${path}, a disk of ${guest.name}`));
  const isThin = use.backing.thinOrigins !== undefined;
  return [
    {
      code: "disk-snapshot",
      severity: "warning",
      where: whereOf(use),
      what: `The ${nameOf(use)} of ${use.guest.name} is a snapshot of ${those}.`,
      why: isThin
        ? "The two do not destroy each other. But the filesystems, addresses and names of this guest are those of the other, and what both write takes room in one pool: when that is full, neither can write."
        : "The two do not destroy each other. But what this guest writes is lost when the snapshot is full, and its filesystems, addresses and names are those of the other.",
      next: isThin
        ? "For a trial that is fine: lvs shows how full the pool is (Data%, Meta%). A guest that is to stay gets identities of its own: the UUIDs of its filesystems, its MAC addresses, its host keys."
        : "For a trial that is fine: lvs shows how full it is (Data%). For a guest that is to stay, copy it to a volume of its own: domus sync.",
    },
  ];
}

function originsOf({ backing }: DiskUse, { byOrigin, byKey }: DiskUses): readonly DiskUse[] {
  const { snapshot, thinOrigins = [] } = backing;
  // Of a snapshot of a snapshot the nearest that a guest has.
  for (const key of thinOrigins) {
    const users = byKey.get(key) ?? [];
    if (users.length > 0) return users;
  }
  if (!snapshot || snapshot.isOrigin) return [];
  return (byOrigin.get(snapshot.origin) ?? []).filter((one) => one.backing.snapshot?.isOrigin);
}

function mounted(use: DiskUse, mounts: readonly DiskMount[]): Finding[] {
  const { key, on = [] } = use.backing;
  const mount = mounts.find(
    ({ keys, readonly }) =>
      (keys.includes(key) || (keys[0] !== undefined && on.includes(keys[0]))) &&
      !(readonly && use.readonly),
  );
  if (!mount) return [];
  const { device, mountPoint } = mount;
  const how =
    mountPoint === "swap"
      ? `dom0 uses ${device} as swap`
      : `dom0 has mounted it at ${mountPoint} (${device})`;
  const off =
    mountPoint === "swap" ? `swapoff ${shellWord(device)}` : `umount ${shellWord(mountPoint)}`;
  return [
    {
      code: "disk-mounted",
      severity: use.live ? "error" : "warning",
      where: whereOf(use),
      what: `The ${nameOf(use)} of ${use.guest.name} is in use: ${how}.`,
      why: use.live
        ? "The guest and dom0 both write to one filesystem, and neither knows of the other: it is being destroyed."
        : "A guest that starts meanwhile, or goes on from a save image later, and dom0 destroy the filesystem between them.",
      next: `${off}, in dom0. To look into a guest's disk without mounting it: domus disk ls.`,
    },
  ];
}
