/**
 * A volume group as its metadata describes it: lib/format_text/import_vsn1.c of LVM2. Sizes in the text are in sectors
 * of 512 bytes or in extents; here they are in bytes or in extents.
 */
import { within } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { decodeText } from "../../bytes/text.ts";
import { integerIn, parseMetadataText, senseless, stringIn, valuesIn } from "./metadata-text.ts";
import type { Section } from "./metadata-text.ts";

const SECTOR_BYTES = 512;

export type VolumeGroup = {
  readonly name: string;
  /** As `vgs -o uuid` prints it. */
  readonly id: string;
  /** Goes up with every change. */
  readonly seqno: number;
  readonly extentBytes: number;
  /** By the name that segments use: `pv0`. */
  readonly physicalVolumes: ReadonlyMap<string, PhysicalVolume>;
  /** By name, hidden ones too, in the order of the text. */
  readonly logicalVolumes: ReadonlyMap<string, LogicalVolume>;
};

export type PhysicalVolume = {
  /** As in its label. */
  readonly id: string;
  /** Where the first extent begins. */
  readonly startBytes: number;
  readonly extentCount: number;
  /** LVM has seen the group without it: what it holds is out of date, even if it is there again. */
  readonly missing: boolean;
};

export type LogicalVolume = {
  readonly name: string;
  readonly id: string;
  /** Hidden ones are parts of others: the legs of a mirror. */
  readonly visible: boolean;
  readonly extentCount: number;
  /** By `startExtent`, without gaps. */
  readonly segments: readonly LvSegment[];
  /** Set where the blocks alone do not say what the volume holds: it is a snapshot, or one is merged into it. */
  readonly snapshot?: "snapshot" | "merging";
};

export type LvSegment = {
  readonly startExtent: number;
  readonly extentCount: number;
  readonly mapping: Mapping;
};

export type Mapping =
  /** Linear with one area. Chunks of `stripeBytes` go around the areas. */
  | {
      readonly kind: "striped";
      readonly stripeBytes: number;
      readonly areas: readonly ExtentArea[];
    }
  /** The mirror of before 2013: every area has the same content. */
  | { readonly kind: "mirror"; readonly areas: readonly ExtentArea[] }
  | { readonly kind: "raid1"; readonly legs: readonly RaidLeg[] }
  | { readonly kind: "zero" }
  | { readonly kind: "error" }
  /** `type` is LVM's word for it: `thin`, `cache`. */
  | { readonly kind: "declined"; readonly type: string };

/** Extents from `startExtent` on of a physical volume, or of another logical volume. */
export type ExtentArea = { readonly name: string; readonly startExtent: number };

/** Names of hidden logical volumes. */
export type RaidLeg = { readonly meta: string; readonly image: string };

/** `text` as `readMetadataArea` gives it. Failures: `syntax` where it makes no sense, `limit`. */
export function parseVolumeGroup(text: Uint8Array, where: Where): VolumeGroup {
  const document = parseMetadataText(decodeText(text), within(where, "metadata"));
  // The other assignments of the text as a whole say who wrote it, and when.
  const [group, ...others] = document.sections.values();
  if (!group || others.length > 0) {
    throw senseless(document, `${document.sections.size} volume groups`, "one");
  }
  const name = checkedName(group);
  const extentBytes = integerIn(group, "extent_size", 1) * SECTOR_BYTES;
  const pvs = group.sections.get("physical_volumes")?.sections.values() ?? [];
  const lvs = [...(group.sections.get("logical_volumes")?.sections.values() ?? [])];
  const snapshots = snapshotsAmong(lvs);
  const logicalVolumes = new Map<string, LogicalVolume>();
  for (const section of lvs) {
    const snapshot = snapshots.get(section.name);
    // The snapshot's own volume ties its parts together and has no blocks.
    if (snapshot === "tie") continue;
    const volume = parseLogicalVolume(section, extentBytes);
    // LVM marks the tie as visible in place of the store.
    const visible = volume.visible || snapshot === "snapshot";
    logicalVolumes.set(section.name, snapshot ? { ...volume, visible, snapshot } : volume);
  }
  return {
    name,
    id: stringIn(group, "id"),
    seqno: integerIn(group, "seqno"),
    extentBytes,
    physicalVolumes: new Map(Array.from(pvs, (pv) => [pv.name, parsePhysicalVolume(pv)])),
    logicalVolumes,
  };
}

/** LVM's rule (`validate_name` in lib/misc/lvm-string.c): such a name is safe in paths and on a terminal. */
function checkedName(section: Section): string {
  if (/^[A-Za-z0-9_+.-]{1,127}$/.test(section.name) && !/^(-|\.\.?$)/.test(section.name)) {
    return section.name;
  }
  const found = `a name of ${section.name.length} characters`;
  throw senseless(section, found, "1 to 127 letters, digits and _ + . -");
}

function parsePhysicalVolume(section: Section): PhysicalVolume {
  const flags = [...valuesIn(section, "status"), ...valuesIn(section, "flags")];
  return {
    id: stringIn(section, "id"),
    startBytes: integerIn(section, "pe_start") * SECTOR_BYTES,
    extentCount: integerIn(section, "pe_count"),
    missing: flags.includes("MISSING"),
  };
}

function parseLogicalVolume(section: Section, extentBytes: number): LogicalVolume {
  const name = checkedName(section);
  const inside = [...section.sections.values()].filter((one) => /^segment\d+$/.test(one.name));
  const segments = inside.map(parseSegment).sort((a, b) => a.startExtent - b.startExtent);
  let next = 0;
  for (const { startExtent, extentCount } of segments) {
    if (startExtent !== next) {
      throw senseless(section, `a segment at extent ${startExtent}`, `one at ${next}`);
    }
    next += extentCount;
  }
  if (!Number.isSafeInteger(next * extentBytes)) {
    throw senseless(section, `a volume of ${next} extents`, "one smaller than 2^53 bytes");
  }
  return {
    name,
    id: stringIn(section, "id"),
    visible: valuesIn(section, "status").includes("VISIBLE"),
    extentCount: next,
    segments,
  };
}

function parseSegment(section: Section): LvSegment {
  return {
    startExtent: integerIn(section, "start_extent"),
    extentCount: integerIn(section, "extent_count", 1),
    mapping: parseMapping(section),
  };
}

function parseMapping(section: Section): Mapping {
  // Flags that an older LVM must not overlook are part of the type: `cache+METADATA_FORMAT`.
  const type = stringIn(section, "type");
  switch (type) {
    case "striped":
    case "linear": {
      const areas = parseAreas(section, "stripes");
      const stripeBytes =
        areas.length === 1 ? 0 : integerIn(section, "stripe_size", 1) * SECTOR_BYTES;
      const count = integerIn(section, "extent_count", 1);
      if (count % areas.length !== 0) {
        throw senseless(section, `${count} extents on ${areas.length} stripes`, "a multiple");
      }
      return { kind: "striped", stripeBytes, areas };
    }
    case "mirror":
      return { kind: "mirror", areas: parseAreas(section, "mirrors") };
    case "raid1":
      return { kind: "raid1", legs: parseLegs(section) };
    case "zero":
    case "error":
      return { kind: type };
    default:
      return { kind: "declined", type };
  }
}

/** `["pv0", 0, "pv1", 5]` */
function parseAreas(section: Section, key: string): ExtentArea[] {
  const values = valuesIn(section, key);
  const areas: ExtentArea[] = [];
  for (let at = 0; at < values.length; at += 2) {
    const [name, startExtent] = [values[at], values[at + 1]];
    if (typeof name !== "string" || !Number.isSafeInteger(startExtent) || Number(startExtent) < 0) {
      throw senseless(section, `${key} with another shape`, "pairs of name and extent", key);
    }
    areas.push({ name, startExtent: startExtent as number });
  }
  if (areas.length === 0) throw senseless(section, `no ${key}`, "at least one area");
  return areas;
}

/** `["root_rmeta_0", "root_rimage_0", "root_rmeta_1", "root_rimage_1"]` */
function parseLegs(section: Section): RaidLeg[] {
  const values = valuesIn(section, "raids");
  const legs: RaidLeg[] = [];
  for (let at = 0; at < values.length; at += 2) {
    const [meta, image] = [values[at], values[at + 1]];
    if (typeof meta !== "string" || typeof image !== "string") {
      throw senseless(section, "raids with another shape", "pairs of names", "raids");
    }
    legs.push({ meta, image });
  }
  if (legs.length === 0) throw senseless(section, "no raids", "at least one leg");
  return legs;
}

/**
 * A snapshot is three volumes: the origin, the store of what was changed since, and a third, of type `snapshot`, which
 * names both. The origin is as good as any volume until the store is being merged back into it.
 */
function snapshotsAmong(volumes: readonly Section[]): Map<string, "tie" | "snapshot" | "merging"> {
  const found = new Map<string, "tie" | "snapshot" | "merging">();
  for (const volume of volumes) {
    const segment = volume.sections.get("segment1");
    if (!segment || !valuesIn(segment, "type").includes("snapshot")) continue;
    found.set(volume.name, "tie");
    const merging = valuesIn(segment, "merging_store")[0];
    const store = merging ?? valuesIn(segment, "cow_store")[0];
    const origin = valuesIn(segment, "origin")[0];
    if (typeof store === "string") found.set(store, "snapshot");
    if (merging !== undefined && typeof origin === "string") found.set(origin, "merging");
  }
  return found;
}
