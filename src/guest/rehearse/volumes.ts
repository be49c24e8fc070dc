/** LVM's volumes, as `lvs` tells of them. */
import { attempt, corrupt, FailureError, isAbsent } from "../../base/failure.ts";
import type { Host } from "../../host/host.ts";

export type Volume = {
  readonly group: string;
  readonly name: string;
  readonly sizeBytes: number;
  /** Of the group. */
  readonly freeBytes: number;
  readonly thin: boolean;
  /** A classic snapshot, of which there can be none. */
  readonly isSnapshot: boolean;
  /** A snapshot that has overflowed. */
  readonly isInvalid: boolean;
};

const FIELDS = "lv_name,vg_name,lv_attr,lv_size,vg_free";
const LVS = ["lvs", "--reportformat", "json", "--units", "b", "--nosuffix", "-o", FIELDS];

/** Undefined when the device is no volume, or there is no LVM on this host. */
export async function readVolume(host: Host, path: string): Promise<Volume | undefined> {
  return (await ask(host, ["--", path]))[0];
}

/** Those whose names begin so. Empty without LVM. */
export async function findVolumes(host: Host, prefix: string): Promise<readonly Volume[]> {
  return ask(host, ["--select", `lv_name=~"^${prefix}"`]);
}

async function ask(host: Host, words: readonly string[]): Promise<readonly Volume[]> {
  const ran = await attempt(() => host.run([...LVS, ...words]));
  if (ran.ok) return ran.value.exitCode === 0 ? parseVolumes(ran.value.stdout) : [];
  if (isAbsent(ran.failure)) return [];
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
  const [group, name] = [value("vg_name"), value("lv_name")];
  if (!Number.isSafeInteger(sizeBytes) || !Number.isSafeInteger(freeBytes)) return [];
  if (group === "" || name === "" || value("lv_size") === "") return [];
  return [
    {
      group,
      name,
      sizeBytes,
      freeBytes,
      // lvs(8), "lv_attr": the first is the type, the fifth the state.
      thin: attributes.startsWith("V"),
      isSnapshot: /^[sS]/.test(attributes),
      isInvalid: /^....[IS]/.test(attributes),
    },
  ];
}
