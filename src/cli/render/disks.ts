/** `domus disk parts`: the disks of a guest and what is on them. */
import { failureText } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import type { DiskFacts, VolumeFacts } from "../../check/facts.ts";
import { tableOf } from "../../disk/content.ts";
import type { Volume } from "../../disk/content.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import type { OpenDisk } from "../../guest/disks/open-disks.ts";
import type { Output } from "../output.ts";
import { findingLines } from "./check-story.ts";
import { table } from "./text.ts";

export function disksText(disks: readonly OpenDisk[], out: Output): string {
  const names = namesOf(disks);
  const lines: string[] = [];
  for (const disk of disks) {
    if (lines.length > 0) lines.push("");
    lines.push(out.style("bold", diskHeader(disk.facts)));
    if (disk.facts.failure) lines.push(`  ${printable(failureText(disk.facts.failure))}`);
    else lines.push(...volumeTable(disk, names));
    for (const finding of disk.facts.findings) lines.push("", ...findingLines(finding, out));
  }
  return lines.join("\n");
}

function diskHeader({ spec, target, state }: DiskFacts): string {
  const what = spec.cdrom ? "CD-ROM" : spec.readonly ? "read-only" : "read-write";
  if (state === "empty-cdrom") return `${spec.vdev}: empty CD-ROM drive`;
  return printable(`${spec.vdev}: ${target} (${what}, ${spec.format})`);
}

type Row = { readonly facts: VolumeFacts; readonly volume: Volume | undefined };

/** `facts.volumes` are in the order of the volumes themselves. */
function rowsOf({ facts, volume, assembled }: OpenDisk): Row[] {
  const roots = volume ? [volume, ...assembled] : assembled;
  const volumes = roots.flatMap((one) => [one, ...one.children]);
  return facts.volumes.map((one, index) => ({ facts: one, volume: volumes[index] }));
}

type Names = {
  /** What the guest calls a volume: `xvda2`. */
  readonly devices: ReadonlyMap<Volume, string>;
  /** The volume group or array that a member belongs to. */
  readonly wholes: ReadonlyMap<Volume, string>;
  /** Of a hybrid image's partition that shows the image: the disk. */
  readonly images: ReadonlyMap<Volume, string>;
};

function namesOf(disks: readonly OpenDisk[]): Names {
  const devices = new Map<Volume, string>();
  const wholes = new Map<Volume, string>();
  for (const { facts, volume } of disks.flatMap(rowsOf)) {
    if (volume) devices.set(volume, facts.device ?? "?");
    if (!volume?.assembly) continue;
    const { assembly, name } = volume;
    const whole = assembly.system === "lvm2" ? assembly.group.name : name;
    for (const member of assembly.members) wholes.set(member, whole);
  }
  return { devices, wholes, images: imagesOf(disks, devices) };
}

function imagesOf(
  disks: readonly OpenDisk[],
  devices: ReadonlyMap<Volume, string>,
): ReadonlyMap<Volume, string> {
  const images = new Map<Volume, string>();
  for (const disk of disks.flatMap(({ volume }) => volume ?? [])) {
    const own = fileSystemOf(disk);
    for (const child of own ? disk.children : []) {
      const shown = fileSystemOf(child);
      const same = shown?.kind === own?.kind && shown?.uuid === own?.uuid;
      if (same) images.set(child, devices.get(disk) ?? "?");
    }
  }
  return images;
}

function fileSystemOf({ content }: Volume): FileSystem | undefined {
  return content.kind === "filesystem" ? content.fs : undefined;
}

function volumeTable(disk: OpenDisk, names: Names): string[] {
  const rows = rowsOf(disk).map((row) => [
    `  ${printable(row.facts.device ?? "")}`,
    sizeText(row.facts.sizeBytes),
    printable(row.facts.format),
    printable(typeText(row, names)),
    printable(row.facts.label),
    printable(row.facts.uuid),
    printable(stateText(row, names)),
  ]);
  return table(["  DEVICE", "SIZE", "HOLDS", "TYPE", "LABEL", "UUID", "STATE"], rows, 100_000);
}

/** Of a partition what its table says; of a logical volume or array what it lies on. */
function typeText({ volume }: Row, { devices }: Names): string {
  if (volume?.partition) return volume.partition.typeName;
  if (!volume?.assembly) return "";
  return `on ${volume.assembly.under.map((one) => devices.get(one) ?? "?").join(", ")}`;
}

function stateText({ facts, volume }: Row, { wholes, images }: Names): string {
  const image = volume && images.get(volume);
  if (image !== undefined) return `what is on ${image}`;
  if (volume?.content.kind === "filesystem") {
    const { fs, table: front } = volume.content;
    const text = front ? `${fs.state.text}, with a partition table (${front.type})` : fs.state.text;
    return facts.looksLikeRoot ? `${text}, a root` : text;
  }
  if (volume?.content.kind === "named") return volume.content.why;
  const failed = volume?.tried[0];
  if (failed) return `${failed.name}: ${failureText(failed.failure)}`;
  const whole = volume && wholes.get(volume);
  return whole === undefined ? "" : `part of ${whole}`;
}

/** The names and ids of what a logical volume or array is, for programs. */
function assemblyJson(volume: Volume | undefined): unknown {
  const assembly = volume?.assembly;
  if (!assembly) return null;
  const members = assembly.members.map((member) => member.source.where);
  return assembly.system === "lvm2"
    ? { system: assembly.system, group: assembly.group, volume: assembly.volume, members }
    : { system: assembly.system, array: assembly.array, members };
}

export function disksJson(disks: readonly OpenDisk[]): unknown[] {
  return disks.map(jsonOf);
}

function jsonOf(disk: OpenDisk): unknown {
  const { facts, volume } = disk;
  return {
    vdev: facts.spec.vdev,
    target: facts.target,
    format: facts.spec.format,
    readonly: facts.spec.readonly,
    state: facts.state,
    failure: facts.failure ? failureText(facts.failure) : null,
    table: (volume && tableOf(volume.content)?.type) ?? null,
    volumes: rowsOf(disk).map((row) => {
      const partition = row.volume?.partition;
      return {
        ...row.facts,
        assembly: assemblyJson(row.volume),
        partition: partition
          ? {
              number: partition.number,
              offset: partition.offset,
              type: partition.type,
              bootable: partition.bootable,
            }
          : null,
      };
    }),
    findings: facts.findings,
  };
}
