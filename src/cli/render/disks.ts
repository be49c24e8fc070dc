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
    else lines.push(...volumeTable(disk));
    for (const finding of disk.facts.findings) lines.push("", ...findingLines(finding, out));
  }
  return lines.join("\n");
}

function diskHeader({ spec, target, state }: DiskFacts): string {
  const what = spec.cdrom ? "CD-ROM" : spec.readonly ? "read-only" : "read-write";
  if (state === "empty-cdrom") return `${spec.vdev}: empty CD-ROM drive`;
  return printable(`${spec.vdev}: ${target} (${what}, ${spec.format})`);
}

function volumeTable({ facts, volume }: OpenDisk): string[] {
  const rows = facts.volumes.map((one) => {
    const inner = findVolume(volume, one);
    return [
      `  ${printable(one.device ?? "")}`,
      sizeText(one.sizeBytes),
      printable(one.format),
      printable(inner?.partition ? inner.partition.typeName : ""),
      printable(one.label),
      printable(one.uuid),
      stateText(one, inner),
    ];
  });
  return table(["  DEVICE", "SIZE", "HOLDS", "TYPE", "LABEL", "UUID", "STATE"], rows, 100_000);
}

function stateText(facts: VolumeFacts, volume: Volume | undefined): string {
  if (volume?.content.kind === "filesystem") {
    const { text } = volume.content.fs.state;
    return facts.looksLikeRoot ? `${printable(text)}, a root` : printable(text);
  }
  if (volume?.content.kind === "named") return printable(volume.content.why);
  const failed = volume?.tried[0];
  return failed ? printable(`${failed.name}: ${failureText(failed.failure)}`) : "";
}

function findVolume(disk: Volume | undefined, facts: VolumeFacts): Volume | undefined {
  const same = (one: Volume) => one.source.where.join("\0") === facts.where.join("\0");
  return disk && [disk, ...disk.children].find(same);
}

export function disksJson(disks: readonly OpenDisk[]): unknown[] {
  return disks.map(({ facts, volume }) => ({
    vdev: facts.spec.vdev,
    target: facts.target,
    format: facts.spec.format,
    readonly: facts.spec.readonly,
    state: facts.state,
    failure: facts.failure ? failureText(facts.failure) : null,
    table: volume?.content.kind === "table" ? volume.content.table.type : null,
    volumes: facts.volumes.map((one) => {
      const partition = findVolume(volume, one)?.partition;
      return {
        ...one,
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
  }));
}
