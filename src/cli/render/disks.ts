/** `domus disk parts`: the disks of a guest and what is on them. */
import { failureText } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { sizeText } from "../../base/units.ts";
import type { DiskFacts, VolumeFacts } from "../../check/facts.ts";
import type { Volume } from "../../disk/content.ts";
import type { OpenDisk } from "../../guest/disks/open-disks.ts";
import type { Output } from "../output.ts";
import { findingLines } from "./check-story.ts";
import { table } from "./text.ts";

export function disksText(disks: readonly OpenDisk[], out: Output): string {
  const lines: string[] = [];
  for (const disk of disks) {
    if (lines.length > 0) lines.push("");
    lines.push(out.style("bold", diskHeader(disk.facts)));
    if (disk.facts.failure) lines.push(`  ${printable(failureText(disk.facts.failure))}`);
    else lines.push(...volumeTable(disk, disks));
    for (const finding of disk.facts.findings) lines.push("", ...findingLines(finding, out));
  }
  return lines.join("\n");
}

function diskHeader({ spec, target, state }: DiskFacts): string {
  const what = spec.cdrom ? "CD-ROM" : spec.readonly ? "read-only" : "read-write";
  if (state === "empty-cdrom") return `${spec.vdev}: empty CD-ROM drive`;
  return printable(`${spec.vdev}: ${target} (${what}, ${spec.format})`);
}

function volumeTable(disk: OpenDisk, all: readonly OpenDisk[]): string[] {
  const rows = disk.facts.volumes.map((one) => {
    const inner = findVolume(disk, one);
    return [
      `  ${printable(one.device ?? "")}`,
      sizeText(one.sizeBytes),
      printable(one.format),
      printable(typeText(inner, all)),
      printable(one.label),
      printable(one.uuid),
      stateText(one, inner, all),
    ];
  });
  return table(["  DEVICE", "SIZE", "HOLDS", "TYPE", "LABEL", "UUID", "STATE"], rows, 100_000);
}

/** Of a partition what its table says; of a logical volume or array what it lies on. */
function typeText(volume: Volume | undefined, all: readonly OpenDisk[]): string {
  if (volume?.partition) return volume.partition.typeName;
  return volume?.assembly ? `on ${memberDevices(volume, all).join(", ")}` : "";
}

function memberDevices({ assembly }: Volume, all: readonly OpenDisk[]): string[] {
  const members = assembly?.under ?? [];
  return all.flatMap((disk) =>
    disk.facts.volumes.flatMap((facts) => {
      const volume = findVolume(disk, facts);
      return volume && members.includes(volume) ? (facts.device ?? "?") : [];
    }),
  );
}

function stateText(
  facts: VolumeFacts,
  volume: Volume | undefined,
  all: readonly OpenDisk[],
): string {
  if (volume?.content.kind === "filesystem") {
    const { text } = volume.content.fs.state;
    return facts.looksLikeRoot ? `${printable(text)}, a root` : printable(text);
  }
  if (volume?.content.kind === "named") return printable(volume.content.why);
  const failed = volume?.tried[0];
  if (failed) return printable(`${failed.name}: ${failureText(failed.failure)}`);
  const whole = volume && wholeOf(volume, all);
  return whole === undefined ? "" : printable(`part of ${whole}`);
}

/** The volume group or array that a member belongs to. */
function wholeOf(member: Volume, all: readonly OpenDisk[]): string | undefined {
  const made = all.flatMap((disk) => disk.assembled);
  const whole = made.find(({ assembly }) => assembly?.members.includes(member));
  return whole?.assembly?.system === "lvm2" ? whole.assembly.group.name : whole?.name;
}

function findVolume({ volume, assembled }: OpenDisk, facts: VolumeFacts): Volume | undefined {
  const same = (one: Volume) => one.source.where.join("\0") === facts.where.join("\0");
  const roots = volume ? [volume, ...assembled] : assembled;
  return roots.flatMap((one) => [one, ...one.children]).find(same);
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
    table: volume?.content.kind === "table" ? volume.content.table.type : null,
    volumes: facts.volumes.map((one) => {
      const found = findVolume(disk, one);
      const partition = found?.partition;
      return {
        ...one,
        assembly: assemblyJson(found),
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
