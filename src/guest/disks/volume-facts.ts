import type { VolumeFacts } from "../../check/facts.ts";
import type { Content, Volume } from "../../disk/content.ts";
import { assemblyNames, partitionDevice } from "./device-names.ts";
import { holdsRoot } from "./looks-like-root.ts";

/** What the facts of volumes depend on beside the volumes. */
export type Surroundings = {
  /** Members that nothing could be made of. */
  readonly opaque: ReadonlySet<Volume>;
};

/** The whole disk and its partitions, as plain facts; `vdev` is the disk's name in the guest. */
export async function diskVolumeFacts(
  volume: Volume,
  vdev: string,
  around: Surroundings,
): Promise<VolumeFacts[]> {
  const facts = [await factsOf(volume, { device: vdev }, around)];
  for (const child of volume.children) {
    const device = partitionDevice(vdev, child.partition?.number);
    facts.push(await factsOf(child, { device }, around));
  }
  return facts;
}

/** A logical volume or an array, and its partitions. */
export async function assembledFacts(volume: Volume, around: Surroundings): Promise<VolumeFacts[]> {
  const { device, aliases } = namesOf(volume);
  const modules = modulesUnder(volume);
  const facts = [await factsOf(volume, { device, aliases, modules }, around)];
  for (const child of volume.children) {
    const number = child.partition?.number;
    const names = {
      device: partitionDevice(device, number),
      aliases: aliases.map((alias) => partitionDevice(alias, number)),
      modules,
    };
    facts.push(await factsOf(child, names, around));
  }
  return facts;
}

function namesOf({ name, assembly }: Volume): Names & { readonly aliases: readonly string[] } {
  return assembly ? assemblyNames(assembly) : { device: name, aliases: [] };
}

/** Of the volume and of those that it lies on. */
function modulesUnder(volume: Volume): string[] {
  const modules = new Set<string>();
  const seen = new Set([volume]);
  // A set gives what is added during the walk as well, each volume once.
  for (const { assembly } of seen) {
    for (const module of assembly?.modules ?? []) modules.add(module);
    for (const one of assembly?.under ?? []) seen.add(one);
  }
  return [...modules];
}

type Names = {
  readonly device: string;
  readonly aliases?: readonly string[];
  readonly modules?: readonly string[];
};

async function factsOf(
  volume: Volume,
  { device, aliases, modules = [] }: Names,
  { opaque }: Surroundings,
): Promise<VolumeFacts> {
  const { content, partition } = volume;
  const base = {
    where: volume.source.where,
    device,
    ...(aliases && { aliases }),
    ...(modules.length > 0 && { modules }),
    partuuid: partition?.partuuid ?? "",
    partlabel: partition?.label ?? "",
    sizeBytes: volume.source.size,
    format: formatOf(content),
    uuid: "",
    label: "",
  };
  switch (content.kind) {
    case "filesystem": {
      const { fs } = content;
      const looksLikeRoot = await holdsRoot(fs);
      return {
        ...base,
        uuid: fs.uuid,
        label: fs.label,
        clean: fs.state.clean,
        ...(looksLikeRoot !== undefined && { looksLikeRoot }),
      };
    }
    case "swap":
      return { ...base, uuid: content.uuid, label: content.label };
    case "named":
      return { ...base, uuid: content.uuid };
    case "member":
      return {
        ...base,
        uuid: content.member.id,
        ...(!opaque.has(volume) && { assembled: true as const }),
      };
    case "table":
    case "empty":
    case "unknown":
      return base;
  }
}

/** `ext4`, `swap`, `LUKS`, `partition table (gpt)`. */
export function formatOf(content: Content): string {
  switch (content.kind) {
    case "filesystem":
      return content.fs.kind;
    case "table":
      return `partition table (${content.table.type})`;
    case "member":
      return content.member.system === "lvm2" ? "LVM2 physical volume" : "md RAID member";
    case "named":
      return content.format;
    case "swap":
    case "empty":
    case "unknown":
      return content.kind;
  }
}
