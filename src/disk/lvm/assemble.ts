/**
 * Volume groups from the physical volumes of all disks, as LVM finds them: the newest metadata counts, whichever
 * volume it is on, and the label's uuid says which physical volume a disk is.
 */
import { Budget } from "../../base/budget.ts";
import { attempt } from "../../base/failure.ts";
import type { Failure, Result } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import { MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { latin1 } from "../../bytes/text.ts";
import { MAX_VOLUMES } from "../assembler.ts";
import type { AssembleOptions, Assembler, Part, PartsMade } from "../assembler.ts";
import type { Volume } from "../content.ts";
import { metadataDamaged, metadataOutdated, pvDuplicate, pvMissing } from "./findings.ts";
import { readPvLabel } from "./label.ts";
import { readMetadataArea } from "./metadata-area.ts";
import { parseVolumeGroup } from "./metadata.ts";
import type { LogicalVolume, VolumeGroup } from "./metadata.ts";
import { modulesOf } from "./modules.ts";
import { lvWhere, mapLogicalVolumes, physicalUnder } from "./segments.ts";
import type { MappedVolumes } from "./segments.ts";

/** Of all areas together. A group's text is the same in each, so real ones stay far below. */
const MAX_TEXT_BYTES = 16 * MIB;

/** A physical volume, and what its metadata areas say. */
type Pv = {
  readonly volume: Volume;
  readonly uuid: string;
  readonly areas: readonly PvArea[];
  readonly damage: readonly Failure[];
};

/** Of an area that is not ignored. */
type PvArea = { readonly where: Where; readonly group?: VolumeGroup };

/** Remembers what it has read: each assembly takes a new one. */
export function lvmAssembler(): Assembler {
  const known = new Map<Volume, Promise<Result<Pv>>>();
  const reader = new PvReader();
  return {
    system: "lvm2",
    async assemble(members, options) {
      const pvs: Pv[] = [];
      const opaque: Volume[] = [];
      const findings: Finding[] = [];
      for (const member of members) {
        const reading = known.get(member) ?? attempt(() => reader.read(member, options.signal));
        known.set(member, reading);
        const read = await reading;
        if (read.ok) pvs.push(read.value);
        else if (options.partial) {
          opaque.push(member);
          findings.push(metadataDamaged(read.failure, false));
        }
      }
      const made = await assembleGroups(pvs, options);
      return {
        ...made,
        opaque: [...opaque, ...made.opaque],
        findings: [...findings, ...made.findings],
      };
    },
  };
}

class PvReader {
  readonly #budget = new Budget(MAX_TEXT_BYTES, ["LVM2"], "the size of all metadata");
  readonly #parsed = new Map<string, VolumeGroup>();

  async read(volume: Volume, signal?: AbortSignal): Promise<Pv> {
    const { source } = volume;
    // It was read before, when the member was recognised: this time it fails only if the disk has changed.
    const label = (await readPvLabel(source, signal)) ?? { uuid: "", metadataAreas: [] };
    const areas: PvArea[] = [];
    const damage: Failure[] = [];
    for (const area of label.metadataAreas) {
      const read = await attempt(async () => {
        const { ignored, text, where } = await readMetadataArea(source, area, signal);
        if (!ignored) areas.push({ where, ...(text && { group: this.#parse(text, where) }) });
      });
      if (!read.ok) damage.push(read.failure);
    }
    return { volume, uuid: label.uuid, areas, damage };
  }

  /** The copies of a text are one object, so comparing them is cheap and memory holds one. */
  #parse(text: Uint8Array, where: Where): VolumeGroup {
    this.#budget.spend(text.length);
    const key = latin1(text);
    const group = this.#parsed.get(key) ?? parseVolumeGroup(text, where);
    this.#parsed.set(key, group);
    return group;
  }
}

async function assembleGroups(pvs: readonly Pv[], options: AssembleOptions): Promise<PartsMade> {
  const parts: Part[] = [];
  const findings: Finding[] = [];
  const used = new Set<Pv>();
  for (const group of newestGroups(pvs)) {
    const { present, duplicates } = membersOf(group, pvs);
    const lacking = [...group.physicalVolumes.values()].filter((pv) => !present.has(pv.id));
    if (lacking.length > 0 && !options.partial) continue;
    const members = new Map<string, Volume>();
    for (const [name, { id }] of group.physicalVolumes) {
      const pv = present.get(id);
      if (pv) members.set(name, pv.volume);
    }
    const mapped = await mapLogicalVolumes({ group, members, signal: options.signal });
    parts.push(...visibleParts(group, mapped, members));
    findings.push(...missingIn(group, present, mapped));
    for (const pv of duplicates) {
      const first = present.get(pv.uuid)!.volume.source.where;
      findings.push(pvDuplicate(pv.volume.source.where, pv.uuid, first));
    }
    for (const pv of [...present.values(), ...duplicates]) {
      used.add(pv);
      findings.push(...aboutCopies(pv, group));
    }
  }
  const left = options.partial ? pvs.filter((pv) => !used.has(pv)) : [];
  findings.push(...left.flatMap((pv) => pv.damage.map((one) => metadataDamaged(one, false))));
  return {
    parts,
    used: [...used, ...left.filter(isFree)].map((pv) => pv.volume),
    opaque: left.filter((pv) => !isFree(pv)).map((pv) => pv.volume),
    findings,
  };
}

/** By id: two groups may have one name. */
function newestGroups(pvs: readonly Pv[]): Iterable<VolumeGroup> {
  const newest = new Map<string, VolumeGroup>();
  for (const { group } of pvs.flatMap((pv) => pv.areas)) {
    if (!group) continue;
    const before = newest.get(group.id);
    if (!before || before.seqno < group.seqno) newest.set(group.id, group);
  }
  return newest.values();
}

type GroupMembers = {
  /** By uuid. */
  readonly present: ReadonlyMap<string, Pv>;
  readonly duplicates: readonly Pv[];
};

function membersOf(group: VolumeGroup, pvs: readonly Pv[]): GroupMembers {
  const ids = new Set(Array.from(group.physicalVolumes.values(), (pv) => pv.id));
  const present = new Map<string, Pv>();
  const duplicates: Pv[] = [];
  for (const pv of pvs) {
    if (!ids.has(pv.uuid)) continue;
    if (present.has(pv.uuid)) duplicates.push(pv);
    else present.set(pv.uuid, pv);
  }
  return { present, duplicates };
}

function visibleParts(
  group: VolumeGroup,
  mapped: MappedVolumes,
  members: ReadonlyMap<string, Volume>,
): Part[] {
  const all = [...new Set(members.values())];
  const namesUnder = physicalUnder(group);
  const under = (volume: LogicalVolume) => {
    const found = new Set(namesUnder(volume).flatMap((name) => members.get(name) ?? []));
    return found.size > 0 ? [...found] : all;
  };
  return [...group.logicalVolumes.values()]
    .filter((volume) => volume.visible)
    .slice(0, MAX_VOLUMES + 1)
    .map((volume) => ({
      name: `${group.name}/${volume.name}`,
      where: lvWhere(group, volume),
      format: "LVM2 volume",
      sizeBytes: volume.extentCount * group.extentBytes,
      source: mapped.get(volume.name)!,
      partitionable: false,
      assembly: {
        system: "lvm2",
        group: { name: group.name, id: group.id },
        volume: { name: volume.name, id: volume.id },
        members: all,
        under: under(volume),
        modules: modulesOf(volume, group),
      },
    }));
}

function missingIn(
  group: VolumeGroup,
  present: ReadonlyMap<string, Pv>,
  mapped: MappedVolumes,
): Finding[] {
  const pvs = [...group.physicalVolumes.values()].filter((pv) => pv.missing || !present.has(pv.id));
  if (pvs.length === 0) return [];
  const lvs = [...group.logicalVolumes.values()].filter(({ name, visible }) => {
    const found = mapped.get(name)!;
    return visible && !found.ok && found.failure.kind === "missing";
  });
  return [
    pvMissing(
      group,
      pvs,
      lvs.map((volume) => volume.name),
    ),
  ];
}

/** What is wrong with the copies of a group's metadata on one of its volumes. */
function aboutCopies({ areas, damage }: Pv, newest: VolumeGroup): Finding[] {
  const outdated = areas.flatMap(({ where, group }) =>
    group && group !== newest ? [metadataOutdated(where, group, newest)] : [],
  );
  return [...damage.map((failure) => metadataDamaged(failure, true)), ...outdated];
}

/**
 * A physical volume that no group lists. It is free when its own metadata says so, or when the group that it names
 * knows nothing of it any more; without sound metadata, that cannot be told.
 */
function isFree({ areas, damage }: Pv): boolean {
  return areas.length > 0 && damage.length === 0;
}
