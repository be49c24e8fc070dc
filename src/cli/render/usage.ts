/** `domus disk usage`: what is used and free, and what takes the space. */
import { explainFailure } from "../../base/explain.ts";
import { failureText } from "../../base/failure.ts";
import { printable } from "../../base/printable.ts";
import { countText, sizeText } from "../../base/units.ts";
import type { DirectoryUsage, Used } from "../../guest/disks/directory-usage.ts";
import type { DiskSpace, VolumeSpace } from "../../guest/disks/volume-space.ts";
import type { Output } from "../output.ts";
import { table, tableOrList, wrap } from "./text.ts";

const HEADER = ["DEVICE", "HOLDS", "SIZE", "USED", "FREE", "USE%", "INODES", "TO COPY"] as const;

export function spaceText(disks: readonly DiskSpace[], out: Output): string {
  const rows = disks.flatMap((disk) => disk.volumes.map(rowOf));
  // Nothing is said of inodes where no filesystem counts them.
  const columns = HEADER.map((_, index) => index).filter(
    (index) => HEADER[index] !== "INODES" || rows.some((row) => row[index] !== ""),
  );
  const pick = (row: readonly string[]) => columns.map((index) => row[index]!);
  const lines = rows.length === 0 ? [] : tableOrList(pick(HEADER), rows.map(pick), out.width);
  for (const { vdev, target, failure } of disks) {
    if (!failure) continue;
    const { why, next } = explainFailure(failure);
    const text = `${vdev} (${target}) is not counted. ${why} ${next}`;
    lines.push(...wrap(printable(text), out.width));
  }
  for (const { device, failure } of disks.flatMap((disk) => disk.volumes)) {
    if (!failure) continue;
    const text = `${device}: what is used cannot be told. ${explainFailure(failure).why}`;
    lines.push(...wrap(printable(text), out.width));
  }
  const read = disks.filter((disk) => disk.failure === undefined && disk.sizeBytes > 0);
  if (read.length === 0) return lines.join("\n");
  const sum = (of: (disk: DiskSpace) => number) => read.reduce((all, disk) => all + of(disk), 0);
  const total = `A copy has to move ${sizeText(sum((one) => one.copyBytes))} of ${sizeText(sum((one) => one.sizeBytes))}.`;
  return [...lines, "", ...wrap(total, out.width)].join("\n");
}

function rowOf(volume: VolumeSpace): string[] {
  const { usedBytes, freeBytes, inodes } = volume;
  const filesystem = usedBytes !== undefined || volume.failure !== undefined;
  const known = (bytes: number | undefined) =>
    bytes === undefined ? (filesystem ? "?" : "") : sizeText(bytes);
  const all = (usedBytes ?? 0) + (freeBytes ?? 0);
  return [
    printable(volume.device),
    printable(volume.format),
    sizeText(volume.sizeBytes),
    known(usedBytes),
    known(freeBytes),
    usedBytes === undefined || all === 0 ? "" : `${Math.ceil((100 * usedBytes) / all)}%`,
    inodes ? `${inodes.used}${inodes.total === undefined ? "" : `/${inodes.total}`}` : "",
    sizeText(volume.copyBytes),
  ];
}

export function spaceJson({ failure, volumes, ...disk }: DiskSpace): Record<string, unknown> {
  return {
    ...disk,
    failure: failure ? failureText(failure) : null,
    volumes: volumes.map(({ failure: why, ...volume }) => ({
      ...volume,
      failure: why ? failureText(why) : null,
    })),
  };
}

type Of = { readonly name: string; readonly device: string; readonly kind: string };

export function directoryText(usage: DirectoryUsage, of: Of, out: Output): string {
  const { files, linkCount, directoryCount, failureCount } = usage;
  const head = `${of.name}, ${of.device} (${of.kind}): ${usage.path} takes ${sizeText(usage.allocatedBytes)}`;
  const counts = [
    countText(files, "file"),
    `${directoryCount} ${directoryCount === 1 ? "directory" : "directories"}`,
    ...(linkCount > 0 ? [`${countText(linkCount, "further name")} of the same files`] : []),
    `${sizeText(usage.sizeBytes)} by their sizes`,
  ];
  const lines = wrap(printable(`${head}: ${counts.join(", ")}.`), out.width);
  if (!usage.exact) {
    const why = `domus does not know of ${of.kind} what a file takes without its holes, so files count by their sizes.`;
    lines.push(...wrap(why, out.width));
  }
  lines.push(...section("DIRECTORY", usage.directories), ...section("FILE", usage.largest));
  if (failureCount > 0) {
    lines.push("", `${failureCount} not read and not counted:`);
    for (const { path, failure } of usage.failures) {
      lines.push(...wrap(printable(`  ${path}: ${explainFailure(failure).why}`), out.width));
    }
    if (failureCount > usage.failures.length) lines.push("  ...");
  }
  return lines.join("\n");
}

/** Names are never cut: the line is often copied. */
function section(title: string, items: readonly Used[]): string[] {
  if (items.length === 0) return [];
  const rows = items.map((one) => [sizeText(one.allocatedBytes), printable(one.path)]);
  return ["", ...table(["TAKES", title], rows, Number.MAX_SAFE_INTEGER)];
}
