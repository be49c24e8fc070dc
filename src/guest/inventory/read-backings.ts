/** Looks at what guests' disks are in dom0. Nothing of their content is read. */
import { attempt, isAbsent } from "../../base/failure.ts";
import { mapParallel } from "../../base/parallel.ts";
import { devicePath } from "../../boot/root-device.ts";
import type { Host } from "../../host/host.ts";
import type { DomainSummary, SummaryDisk } from "../../xen/domain-summary.ts";
import { AT_A_TIME } from "./directories.ts";
import type { Backing } from "./facts.ts";
import { withThinOrigins } from "./thin-origins.ts";

/** Guests that are known times disks that they have: more than any host. */
const MAX_TARGETS = 65_536;

/** libxl takes a target without a leading slash to be below /dev. Undefined for what is no path of dom0. */
export function targetPath({ target, elsewhere }: SummaryDisk): string | undefined {
  if (target === "" || elsewhere) return undefined;
  return /^\.?\//.test(target) ? target : `/dev/${target}`;
}

/** By path. */
export async function readBackings(
  host: Host,
  guests: readonly DomainSummary[],
): Promise<ReadonlyMap<string, Backing>> {
  const all = guests.flatMap(({ disks }) => disks.flatMap((disk) => targetPath(disk) ?? []));
  const paths = [...new Set(all)].slice(0, MAX_TARGETS);
  const backings = await mapParallel(paths, AT_A_TIME, (path) => readBacking(host, path));
  return withThinOrigins(host, new Map(paths.map((path, index) => [path, backings[index]!])));
}

async function readBacking(host: Host, path: string): Promise<Backing> {
  if (!host.lookAtDisk) return openBacking(host, path);
  const looked = await attempt(() => host.lookAtDisk!(path));
  if (looked.ok && looked.value) {
    const { identity: key, ...look } = looked.value;
    return { key, ...look };
  }
  const real = await attempt(() => host.realPath(path));
  const key = devicePath(real.ok ? real.value : path);
  if (!looked.ok) return { key, kind: "unreadable" };
  return { key, kind: !host.live && key.startsWith("/dev/") ? "not-visible" : "missing" };
}

async function openBacking(host: Host, path: string): Promise<Backing> {
  const real = await attempt(() => host.realPath(path));
  const key = devicePath(real.ok ? real.value : path);
  const opened = await attempt(() => host.openBlock(path));
  if (!opened.ok) {
    if (!isAbsent(opened.failure)) return { key, kind: "unreadable" };
    return { key, kind: !host.live && key.startsWith("/dev/") ? "not-visible" : "missing" };
  }
  await using device = opened.value;
  const { size: sizeBytes, modifiedMs } = device;
  // Only files say when they were written.
  if (modifiedMs === undefined) return { key, kind: "block-device", sizeBytes };
  return { key, kind: "file", sizeBytes, modifiedMs };
}
