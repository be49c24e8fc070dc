/** LVM's volumes, as `lvs` tells of them. */
import { attempt, commandFailed, corrupt, FailureError, isAbsent } from "../../base/failure.ts";
import type { Host, Ran } from "../../host/host.ts";
import { xlSaid } from "../../xen/xl-messages.ts";

export type Volume = {
  readonly group: string;
  readonly name: string;
  readonly sizeBytes: number;
  /** Where a snapshot has its room: `group`, or `group/pool` of a thin one. */
  readonly room: string;
  /** There; of a thin one as `readVolume` finds it, else of the group. */
  readonly freeBytes: number;
  readonly thin: boolean;
  /** Of a thin pool; 100 where it is not told. */
  readonly usedPercent: number;
  /** A classic snapshot, of which there can be none. */
  readonly isSnapshot: boolean;
  /** A snapshot that has overflowed. */
  readonly isInvalid: boolean;
};

const FIELDS = "lv_name,vg_name,lv_attr,lv_size,vg_free,pool_lv,data_percent";
const LVS = ["lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", FIELDS];

/** Undefined when the device is no volume, or there is no LVM on this host. */
export async function readVolume(host: Host, path: string): Promise<Volume | undefined> {
  const volume = await askFor(host, path);
  if (!volume?.thin) return volume;
  const pool = await askFor(host, volume.room);
  const free = pool ? Math.floor((pool.sizeBytes * (100 - pool.usedPercent)) / 100) : 0;
  return { ...volume, freeBytes: Math.max(0, free) };
}

async function askFor(host: Host, volume: string): Promise<Volume | undefined> {
  const ran = await ask(host, ["--", volume]);
  return ran?.exitCode === 0 ? parseVolumes(ran.stdout)[0] : undefined;
}

/** Those whose names begin so. Empty without LVM; `failed` when lvs cannot tell. */
export async function findVolumes(host: Host, prefix: string): Promise<readonly Volume[]> {
  const ran = await ask(host, ["--select", `lv_name=~"^${prefix}"`]);
  if (!ran) return [];
  if (ran.exitCode === 0) return parseVolumes(ran.stdout);
  throw commandFailed(["lvs"], {
    what: `Whether volumes called ${prefix}... are there is not known.`,
    why: `lvs says: ${xlSaid(ran.stderr) || `nothing; it ended with exit code ${ran.exitCode}`}`,
    next: "lvs and vgs say what is wrong with LVM here.",
  });
}

/** Undefined without LVM. */
async function ask(host: Host, words: readonly string[]): Promise<Ran | undefined> {
  const ran = await attempt(() => host.run([...LVS, ...words]));
  if (ran.ok) return ran.value;
  if (isAbsent(ran.failure)) return undefined;
  throw new FailureError(ran.failure);
}

/** `corrupt` when it is not what lvs prints; a volume without numbers is left out. */
export function parseVolumes(text: string): readonly Volume[] {
  const wrong = () => corrupt(["lvs"], "something else", "a report in JSON");
  let report: unknown;
  try {
    report = JSON.parse(text);
  } catch {
    throw wrong();
  }
  const groups = (report as { report?: unknown } | null)?.report;
  if (!Array.isArray(groups)) throw wrong();
  return groups.flatMap((one: unknown) => {
    const rows = (one as { lv?: unknown } | null)?.lv;
    return Array.isArray(rows) ? rows.flatMap(volumeOf) : [];
  });
}

function volumeOf(row: unknown): Volume[] {
  if (typeof row !== "object" || row === null) return [];
  const value = (key: string) => {
    const text = (row as Readonly<Record<string, unknown>>)[key];
    return typeof text === "string" ? text : "";
  };
  const attributes = value("lv_attr");
  const [sizeBytes, freeBytes] = [Number(value("lv_size")), Number(value("vg_free"))];
  const [group, name, pool] = [value("vg_name"), value("lv_name"), value("pool_lv")];
  const percent = value("data_percent") === "" ? NaN : Number(value("data_percent"));
  if (!Number.isSafeInteger(sizeBytes) || !Number.isSafeInteger(freeBytes)) return [];
  if (group === "" || name === "" || value("lv_size") === "") return [];
  return [
    {
      group,
      name,
      sizeBytes,
      room: pool === "" ? group : `${group}/${pool}`,
      freeBytes,
      usedPercent: Number.isFinite(percent) ? percent : 100,
      // lvs(8), "lv_attr": the first is the type, the fifth the state.
      thin: attributes.startsWith("V"),
      isSnapshot: /^[sS]/.test(attributes),
      isInvalid: /^....[IS]/.test(attributes),
    },
  ];
}
