/**
 * Arrays from the md members of all disks. Read is RAID1: any member that has all that was written is the array. Of
 * the other levels domus says what they are.
 */
import { attempt, corrupt, unsupported } from "../../base/failure.ts";
import type { Finding } from "../../base/finding.ts";
import type { Where } from "../../base/where.ts";
import type { AssembleOptions, Assembler, Part, PartsMade } from "../assembler.ts";
import type { Volume } from "../content.ts";
import { windowSource } from "../source.ts";
import type { ByteSource } from "../source.ts";
import { degraded, memberStale } from "./findings.ts";
import { readMdSuperblock } from "./superblock.ts";
import type { MdSuperblock } from "./superblock.ts";

type Component = { readonly volume: Volume; readonly sb: MdSuperblock };

export function mdAssembler(): Assembler {
  return { system: "md", assemble };
}

async function assemble(
  members: readonly Volume[],
  { partial, signal }: AssembleOptions,
): Promise<PartsMade> {
  const arrays = new Map<string, Component[]>();
  const opaque: Volume[] = [];
  for (const volume of members) {
    // It was read before, when the member was recognised: this time it fails only if the disk has changed.
    const read = await attempt(() => readMdSuperblock(volume.source, signal));
    if (read.ok && read.value) {
      const { arrayId } = read.value;
      arrays.set(arrayId, [...(arrays.get(arrayId) ?? []), { volume, sb: read.value }]);
    } else if (partial) opaque.push(volume);
  }
  const parts: Part[] = [];
  const used: Volume[] = [];
  const findings: Finding[] = [];
  for (const components of arrays.values()) {
    const state = stateOf(components);
    if (!partial && state.active.length < state.newest.raidDisks) continue;
    used.push(...components.map((one) => one.volume));
    parts.push(await arrayOf(state, components));
    findings.push(...aboutMembers(state));
  }
  return { parts, used, opaque, findings };
}

type State = {
  /** Knows best which members count. */
  readonly newest: MdSuperblock;
  /** One for each place in the array that a sound member is there for. */
  readonly active: readonly Component[];
  readonly stale: readonly { readonly component: Component; readonly why: string }[];
};

/** `components` must not be empty. */
function stateOf(components: readonly Component[]): State {
  const byEvents = components.toSorted((a, b) => Number(b.sb.events - a.sb.events));
  const newest = byEvents[0]!.sb;
  const active = new Map<number, Component>();
  const stale: { component: Component; why: string }[] = [];
  for (const component of byEvents) {
    const { sb } = component;
    const role = newest.roles[sb.number];
    // The last update may not have reached all of them: md accepts a difference of one (super_1_validate).
    if (sb.events + 1n < newest.events) {
      const why = `it has seen ${sb.events} events, the newest member ${newest.events}`;
      stale.push({ component, why });
    } else if (role === undefined) stale.push({ component, why: "it is a spare or has failed" });
    else if (!sb.inSync) stale.push({ component, why: "it is still being filled" });
    else if (!active.has(role)) active.set(role, component);
  }
  return { newest, active: [...active.values()], stale };
}

async function arrayOf({ newest, active }: State, components: readonly Component[]): Promise<Part> {
  const { name, localName } = namesOf(newest);
  const where = [name];
  const source = await attempt(() => sourceOf(newest, active, where));
  const members = components.map((one) => one.volume);
  return {
    name,
    where,
    format: "md RAID array",
    sizeBytes: source.ok ? source.value.size : arrayBytes(newest),
    source,
    partitionable: true,
    assembly: {
      system: "md",
      array: { name: newest.name, id: newest.arrayId },
      localName,
      members,
      under: members,
      modules: modulesOf(newest.level),
    },
  };
}

/** `debian:0` is md0 on the host debian; other names are links in /dev/md. */
function namesOf({ name, minor }: MdSuperblock): { name: string; localName: string } {
  const localName = minor === undefined ? name.slice(name.indexOf(":") + 1) : String(minor);
  if (/^\d+$/.test(localName)) return { name: `md${localName}`, localName };
  return { name: localName === "" ? "md" : `md/${localName}`, localName };
}

function sourceOf(newest: MdSuperblock, active: readonly Component[], where: Where): ByteSource {
  if (newest.level !== 1) throw unsupported(where, levelText(newest.level));
  const [first] = active;
  if (!first) throw corrupt(where, "no member that is up to date", "at least one");
  const { source } = first.volume;
  const { dataOffsetBytes, componentBytes } = first.sb;
  if (componentBytes === 0 || dataOffsetBytes + componentBytes > source.size) {
    const found = `data of ${componentBytes} bytes at byte ${dataOffsetBytes} of a member`;
    throw corrupt(where, found, `a place inside its ${source.size} bytes`);
  }
  return { ...windowSource(source, dataOffsetBytes, componentBytes), where };
}

/** The module of each level ("personality"; drivers/md). */
function modulesOf(level: number): string[] {
  if (level === -1) return ["md_mod", "linear"];
  return ["md_mod", level >= 4 && level <= 6 ? "raid456" : `raid${level}`];
}

/** mdadm's names of `level` (include/uapi/linux/raid/md_p.h). */
function levelText(level: number): string {
  if (level === -1) return "linear md arrays";
  return [0, 4, 5, 6, 10].includes(level)
    ? `md RAID${level} arrays`
    : `md arrays of level ${level}`;
}

/** About how large an array is that cannot be read, for people. */
function arrayBytes({ level, raidDisks, componentBytes }: MdSuperblock): number {
  const parity = level === 6 ? 2 : level === 4 || level === 5 ? 1 : 0;
  const data = level === 10 ? raidDisks / 2 : raidDisks - parity;
  return level === 1 ? componentBytes : Math.floor(Math.max(0, data) * componentBytes);
}

function aboutMembers({ newest, active, stale }: State): Finding[] {
  if (newest.level !== 1) return [];
  const { name } = namesOf(newest);
  const findings = stale.map(({ component, why }) =>
    memberStale(component.volume.source.where, name, why),
  );
  const wanted = newest.raidDisks;
  if (active.length > 0 && active.length < wanted) {
    findings.push(degraded({ name, where: [name], present: active.length, wanted }));
  }
  return findings;
}
