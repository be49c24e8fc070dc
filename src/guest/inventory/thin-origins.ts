/**
 * Which thin volumes are snapshots of which. Unlike classic ones they have nothing in common in sysfs but the pool: only LVM's own
 * metadata tells, so lvs is asked, and only where guests have several volumes of one pool.
 */
import { attempt, attemptSync } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";
import { parseJson } from "../../xen/domain-summary.ts";
import type { Backing } from "./facts.ts";

const LVS = [
  ...["lvs", "--reportformat", "json"],
  ...["-o", "vg_name,lv_name,lv_kernel_major,lv_kernel_minor,origin"],
];

/** Snapshots of snapshots: a bound on what is followed of one volume. */
const MAX_DEPTH = 64;

/** With the volumes that they are snapshots of, as far as lvs tells. */
export async function withThinOrigins(
  host: Host,
  backings: ReadonlyMap<string, Backing>,
): Promise<ReadonlyMap<string, Backing>> {
  if (!host.live || !isPoolShared([...backings.values()])) return backings;
  const ran = await attempt(() => host.run(LVS));
  if (!ran.ok || ran.value.exitCode !== 0) return backings;
  const origins = parseThinOrigins(ran.value.stdout);
  return new Map(
    [...backings].map(([path, backing]) => {
      const of = backing.thinPool === undefined ? undefined : origins.get(backing.key);
      return [path, of ? { ...backing, thinOrigins: of } : backing];
    }),
  );
}

function isPoolShared(backings: readonly Backing[]): boolean {
  const volumeIn = new Map<string, string>();
  return backings.some(({ thinPool, key }) => {
    if (thinPool === undefined) return false;
    const other = volumeIn.get(thinPool);
    volumeIn.set(thinPool, key);
    return other !== undefined && other !== key;
  });
}

type Row = { readonly group: string; readonly key: string; readonly origin: string };

/** By `block MAJOR:MINOR`, the nearest first; those that are not active are left out. Empty for what is no report of lvs. */
export function parseThinOrigins(text: string): ReadonlyMap<string, readonly string[]> {
  const rows = new Map(rowsOf(text).map((row) => [`${row.group}/${row.name}`, row]));
  const found = new Map<string, readonly string[]>();
  for (const row of rows.values()) {
    const origins: string[] = [];
    let at: Row | undefined = row;
    // A volume cannot be its own origin; text can say so.
    for (let depth = 0; depth < MAX_DEPTH && at && at.origin !== ""; depth++) {
      at = rows.get(`${at.group}/${at.origin}`);
      if (at && at.key !== "" && at.key !== row.key) origins.push(at.key);
    }
    if (row.key !== "" && origins.length > 0) found.set(row.key, [...new Set(origins)]);
  }
  return found;
}

function rowsOf(text: string): (Row & { readonly name: string })[] {
  const parsed = attemptSync(() => parseJson(text, ["lvs"]));
  const report = parsed.ok ? (parsed.value as { report?: unknown } | null)?.report : undefined;
  if (!Array.isArray(report)) return [];
  return report.flatMap((one: unknown) => {
    const volumes = (one as { lv?: unknown } | null)?.lv;
    return Array.isArray(volumes) ? volumes.flatMap(rowOf) : [];
  });
}

function rowOf(volume: unknown): (Row & { readonly name: string })[] {
  if (typeof volume !== "object" || volume === null) return [];
  const value = (key: string) => {
    const text = (volume as Readonly<Record<string, unknown>>)[key];
    return typeof text === "string" ? text : "";
  };
  const [group, name, origin] = [value("vg_name"), value("lv_name"), value("origin")];
  if (group === "" || name === "") return [];
  const [major, minor] = [value("lv_kernel_major"), value("lv_kernel_minor")];
  // -1 for one that is not active.
  const isActive = /^\d{1,5}$/.test(major) && /^\d{1,8}$/.test(minor);
  return [{ group, name, origin, key: isActive ? `block ${major}:${minor}` : "" }];
}
