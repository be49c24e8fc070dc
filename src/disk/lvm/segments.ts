/**
 * From a group's description and its physical volumes to the bytes of its logical volumes.
 *
 * Read are linear and striped volumes, both kinds of mirror (from a leg that is up to date), `zero` and `error`. The
 * others need more than arithmetic: RAID with parity, and what device-mapper keeps in tables of its own (thin, cache,
 * vdo, snapshots, integrity). They are `unsupported`.
 */
import { attempt, corrupt, FailureError, ioFailure } from "../../base/failure.ts";
import { missing, overLimit, unsupported } from "../../base/failure.ts";
import type { Result } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { Volume } from "../content.ts";
import { linearSource, windowSource } from "../source.ts";
import type { ByteSource, Segment } from "../source.ts";
import { stripedSource } from "../striped.ts";
import type { ExtentArea, LogicalVolume, LvSegment, RaidLeg, VolumeGroup } from "./metadata.ts";
import { currentLeg, parseRaidSuperblock, RAID_SUPERBLOCK_BYTES } from "./raid-superblock.ts";
import type { RaidSuperblock } from "./raid-superblock.ts";

/** A volume of legs of stripes has 3, a move of its extents adds 1. Reads nest as deep. */
const MAX_LEVELS = 8;

export type MappedVolumes = ReadonlyMap<string, Result<ByteSource>>;

type Mapping = {
  readonly group: VolumeGroup;
  /** The physical volumes that are there, by their names in the group. */
  readonly members: ReadonlyMap<string, Volume>;
  readonly signal?: AbortSignal | undefined;
};

/**
 * Every volume of the group, hidden ones too. Failures: `missing` names a physical volume, `unsupported` what the
 * volume is, `corrupt` extents that are nowhere, `limit` volumes that contain themselves.
 */
export async function mapLogicalVolumes(mapping: Mapping): Promise<MappedVolumes> {
  const { group } = mapping;
  const done = new Map<string, Result<ByteSource>>();
  let left = [...group.logicalVolumes.values()];
  for (let level = 0; level < MAX_LEVELS && left.length > 0; level++) {
    // Before any of this level is mapped: no volume nests deeper than its level.
    const ready = left.filter((volume) =>
      partsOf(volume).every((part) => done.has(part) || !group.logicalVolumes.has(part)),
    );
    for (const volume of ready) {
      const at = lvWhere(group, volume);
      const mapped = await attempt(() => new VolumeMapper(mapping, done, at).map(volume));
      done.set(volume.name, mapped);
    }
    left = left.filter((volume) => !done.has(volume.name));
  }
  for (const volume of left) {
    const at = lvWhere(group, volume);
    const { failure } = overLimit(at, "the depth of volumes in volumes", String(MAX_LEVELS));
    done.set(volume.name, { ok: false, failure });
  }
  return done;
}

/** `["vg0/root"]` */
export function lvWhere(group: VolumeGroup, volume: LogicalVolume): Where {
  return [`${group.name}/${volume.name}`];
}

/**
 * Says of a volume which physical volumes it lies on, directly or through others, by their names. Ends at loops; what
 * a volume consists of is worked out once for all that lie on it.
 */
export function physicalUnder(group: VolumeGroup): (volume: LogicalVolume) => string[] {
  const known = new Map<LogicalVolume, ReadonlySet<string>>();
  const partsOnce = (volume: LogicalVolume) => {
    const parts = known.get(volume) ?? new Set(partsOf(volume));
    known.set(volume, parts);
    return parts;
  };
  return (volume) => {
    const seen = new Set([volume.name]);
    // A set gives what is added during the walk as well, each name once.
    for (const name of seen) {
      const inner = group.physicalVolumes.has(name) ? undefined : group.logicalVolumes.get(name);
      if (inner) for (const part of partsOnce(inner)) seen.add(part);
    }
    return [...seen].filter((name) => group.physicalVolumes.has(name));
  };
}

/** Names of volumes, physical or logical. */
function partsOf({ segments }: LogicalVolume): string[] {
  return segments.flatMap(({ mapping }) => {
    switch (mapping.kind) {
      case "striped":
      case "mirror":
        return mapping.areas.map((area) => area.name);
      case "raid1":
        return mapping.legs.flatMap((leg) => [leg.meta, leg.image]);
      case "zero":
      case "error":
      case "declined":
        return [];
    }
  });
}

/** Maps one volume whose parts are mapped already. Its methods throw the failure that makes it unreadable. */
class VolumeMapper {
  readonly #mapping: Mapping;
  readonly #done: MappedVolumes;
  readonly #where: Where;

  constructor(mapping: Mapping, done: MappedVolumes, where: Where) {
    this.#mapping = mapping;
    this.#done = done;
    this.#where = where;
  }

  async map({ segments, extentCount, snapshot }: LogicalVolume): Promise<ByteSource> {
    if (snapshot === "snapshot") throw unsupported(this.#where, "LVM2 snapshots");
    if (snapshot === "merging") {
      throw unsupported(this.#where, "an LVM2 volume into which a snapshot is being merged");
    }
    const pieces: Segment[] = [];
    for (const segment of segments) {
      const source = await this.#segment(segment);
      if (!source) continue;
      const offset = this.#bytes(segment.startExtent);
      pieces.push({ offset, length: source.size, source, sourceOffset: 0 });
    }
    return linearSource(this.#bytes(extentCount), pieces, this.#where);
  }

  /** `undefined`: it reads as zeroes. */
  async #segment({ extentCount, mapping }: LvSegment): Promise<ByteSource | undefined> {
    switch (mapping.kind) {
      case "striped": {
        const { areas, stripeBytes } = mapping;
        const each = extentCount / areas.length;
        const sources = areas.map((area) => this.#area(area, each));
        if (sources.length === 1) return sources[0]!;
        return stripedSource({ areas: sources, stripeBytes, where: this.#where });
      }
      case "mirror":
        return this.#firstPresent(mapping.areas, extentCount);
      case "raid1":
        return this.#leg(mapping.legs, extentCount);
      case "error":
        return errorSource(this.#bytes(extentCount), this.#where);
      case "zero":
        return undefined;
      case "declined":
        throw unsupported(this.#where, declinedText(mapping.type));
    }
  }

  /** dm-mirror reads the first leg; it is the one that the others are copied from. */
  async #firstPresent(areas: readonly ExtentArea[], extents: number): Promise<ByteSource> {
    let first: FailureError | undefined;
    for (const area of areas) {
      const found = await attempt(() => this.#area(area, extents));
      if (found.ok) return found.value;
      first ??= new FailureError(found.failure);
    }
    throw first!;
  }

  async #leg(legs: readonly RaidLeg[], extents: number): Promise<ByteSource> {
    const present: ByteSource[] = [];
    const superblocks: (RaidSuperblock | undefined)[] = [];
    let first: FailureError | undefined;
    for (const { meta, image } of legs) {
      const found = await attempt(() => this.#area({ name: image, startExtent: 0 }, extents));
      if (!found.ok) {
        first ??= new FailureError(found.failure);
        continue;
      }
      const superblock = await attempt(() => this.#superblock(meta));
      present.push(found.value);
      superblocks.push(superblock.ok ? superblock.value : undefined);
    }
    if (present.length === 0) throw first!;
    return present[currentLeg(superblocks)]!;
  }

  async #superblock(name: string): Promise<RaidSuperblock | undefined> {
    const source = this.#area({ name, startExtent: 0 }, 1);
    return parseRaidSuperblock(await source.read(0, RAID_SUPERBLOCK_BYTES, this.#mapping.signal));
  }

  /** As in LVM, a name is first looked for among the physical volumes. */
  #area({ name, startExtent }: ExtentArea, extents: number): ByteSource {
    const { group, members } = this.#mapping;
    const pv = group.physicalVolumes.get(name);
    const lv = group.logicalVolumes.get(name);
    const room = pv?.extentCount ?? lv?.extentCount;
    if (room === undefined) throw missing(this.#where, `volume ${name} in its group`);
    if (startExtent + extents > room) {
      const found = `a part at extents ${startExtent} to ${startExtent + extents - 1} of ${name}`;
      throw corrupt(this.#where, found, `one among its ${room}`);
    }
    if (pv) {
      const source = pv.missing ? undefined : members.get(name)?.source;
      if (!source) throw missing(this.#where, `physical volume ${name} (${pv.id})`);
      return this.#window(source, pv.startBytes + this.#bytes(startExtent), extents);
    }
    const mapped = this.#done.get(name)!;
    if (!mapped.ok) throw new FailureError(mapped.failure);
    return this.#window(mapped.value, this.#bytes(startExtent), extents);
  }

  /** Fails when the source is smaller than the metadata says: a disk that was shrunk, or copied in part. */
  #window(source: ByteSource, offset: number, extents: number): ByteSource {
    const size = this.#bytes(extents);
    if (offset + size <= source.size) return windowSource(source, offset, size);
    const found = `a part at bytes ${offset} to ${offset + size - 1} of ${source.where.join(" > ")}`;
    throw corrupt(this.#where, found, `one among its ${source.size}`);
  }

  #bytes(extents: number): number {
    return extents * this.#mapping.group.extentBytes;
  }
}

function errorSource(size: number, where: Where): ByteSource {
  return {
    size,
    where,
    async read() {
      throw ioFailure(where, "read a segment of the type error", "EIO");
    },
  };
}

/** For people, after "does not know". `type` may have flags behind a plus sign. */
function declinedText(type: string): string {
  const bare = type.split("+")[0]!;
  if (bare === "thin") return "LVM2 thin volumes";
  if (/^[a-z0-9_-]{1,32}$/.test(bare)) return `LVM2 volumes of the type ${bare}`;
  return "this type of LVM2 volumes";
}
