/**
 * What tells guests apart and says what they have, from wherever it is known: a config, `xl list -l`, the config inside a
 * save image. The JSON is libxl's (xen: tools/libs/light/libxl_types.idl, libxl_domain_config); fields that have libxl's
 * default are left out of it.
 */
import { corrupt, overLimit } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import { isNilUuid, isUuidText } from "../bytes/uuid.ts";
import type { DomainConfig, GuestType } from "./domain-config.ts";

export type SummaryDisk = {
  readonly vdev: string;
  /** As written; empty for an empty CD-ROM drive. Without a leading slash it is below /dev. */
  readonly target: string;
  /** As libxl names it: `raw`, `qcow2`, `vhd`, ... */
  readonly format: string;
  readonly readonly: boolean;
  readonly cdrom: boolean;
  /** It is not a path of dom0: a script attaches it, or another domain serves it. */
  readonly elsewhere: boolean;
  /** The script that attaches it. */
  readonly script?: string;
  /** The domain that serves it, when it is not dom0. */
  readonly backend?: string;
};

export type SummaryNic = {
  readonly mac?: string;
  readonly bridge?: string;
  readonly ip?: string;
  readonly model?: string;
  readonly vifname?: string;
  readonly gatewaydev?: string;
  readonly script?: string;
  readonly backend?: string;
};

export type DomainSummary = {
  readonly name?: string;
  /** In lower case. Absent: none was given, so that it is a new one at every start. */
  readonly uuid?: string;
  readonly type?: GuestType;
  /** In KiB. */
  readonly memoryKib?: number;
  readonly maxMemoryKib?: number;
  readonly vcpus?: number;
  readonly maxVcpus?: number;
  readonly disks: readonly SummaryDisk[];
  readonly nics: readonly SummaryNic[];
  /** What xl is to do when it crashes, as a config has it: `restart`. Only of a domain or an image; absent there: `destroy`. */
  readonly onCrash?: string;
};

/** Devices that are read of one domain. Xen's block device numbers end long before. */
const MAX_DEVICES = 4096;

/** What a config file says, in the same form. */
export function summaryOfConfig(config: DomainConfig): DomainSummary {
  return {
    name: config.name,
    ...(config.uuid !== undefined && { uuid: config.uuid }),
    type: config.type,
    memoryKib: config.memory * 1024,
    maxMemoryKib: config.maxmem * 1024,
    vcpus: config.vcpus,
    maxVcpus: config.maxvcpus,
    disks: config.disks.map((disk) => ({
      vdev: disk.vdev,
      target: disk.target,
      format: disk.format,
      readonly: disk.readonly || disk.cdrom,
      cdrom: disk.cdrom,
      elsewhere: disk.script !== undefined || (disk.backend ?? "0") !== "0",
      ...definite("script", disk.script),
      ...definite("backend", disk.backend),
    })),
    nics: config.vifs.map(({ mac, bridge, ip, model, vifname, gatewaydev, script, backend }) => ({
      ...definite("mac", mac?.toLowerCase()),
      ...definite("bridge", bridge),
      ...definite("ip", ip),
      ...definite("model", model),
      ...definite("vifname", vifname),
      ...definite("gatewaydev", gatewaydev),
      ...definite("script", script),
      ...definite("backend", backend),
    })),
  };
}

/** `corrupt` when it is no JSON, and when it is not that of a domain; values of a wrong type are left out. */
export function parseDomainJson(text: string, where: Where): DomainSummary {
  return summaryOfJson(parseJson(text, where), where);
}

/** For JSON of libxl, whose parser is as strict. `corrupt` with what JSON's own parser says. */
export function parseJson(text: string, where: Where): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch (error) {
    // Its message quotes the text; it is escaped where it is printed.
    throw corrupt(where, error instanceof Error ? error.message : "something else", "JSON");
  }
}

export function summaryOfJson(json: unknown, where: Where): DomainSummary {
  const config = objectOf(json);
  const create = objectOf(config?.["c_info"]);
  if (!config || !create) throw corrupt(where, "JSON without c_info", "a domain's configuration");
  const build = objectOf(config["b_info"]) ?? {};
  const name = textOf(create["name"]);
  const uuid = textOf(create["uuid"])?.toLowerCase();
  const online = build["avail_vcpus"];
  return {
    ...(name !== undefined && { name }),
    ...(uuid !== undefined && isUuidText(uuid) && !isNilUuid(uuid) && { uuid: uuid.toLowerCase() }),
    ...definite("type", typeOf(create["type"])),
    ...definite("memoryKib", countOf(build["target_memkb"])),
    ...definite("maxMemoryKib", countOf(build["max_memkb"])),
    ...definite("vcpus", Array.isArray(online) ? online.length : undefined),
    ...definite("maxVcpus", countOf(build["max_vcpus"])),
    disks: listOf(config["disks"], where).flatMap(diskOf),
    nics: listOf(config["nics"], where).flatMap(nicOf),
    ...definite("onCrash", actionOf(config["on_crash"])),
  };
}

type Json = Readonly<Record<string, unknown>>;

function objectOf(value: unknown): Json | undefined {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  return isObject ? (value as Json) : undefined;
}

function listOf(value: unknown, where: Where): readonly unknown[] {
  if (!Array.isArray(value)) return [];
  if (value.length > MAX_DEVICES) throw overLimit(where, "devices", String(MAX_DEVICES));
  return value;
}

function textOf(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}

/** libxl's "not set" is 2^64 - 1, which no double holds. */
function countOf(value: unknown): number | undefined {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0 ? value : undefined;
}

function typeOf(value: unknown): GuestType | undefined {
  return value === "pv" || value === "pvh" || value === "hvm" ? value : undefined;
}

/** libxl writes `restart_rename` and `coredump_destroy` (xen: tools/libs/light/libxl_types.idl). */
function actionOf(value: unknown): string | undefined {
  if (value === "restart_rename") return "rename-restart";
  return typeof value === "string" && /^[a-z_]{1,32}$/.test(value)
    ? value.replaceAll("_", "-")
    : undefined;
}

function definite<K extends string, T>(key: K, value: T | undefined): { readonly [P in K]?: T } {
  return value === undefined ? {} : ({ [key]: value } as { readonly [P in K]?: T });
}

function diskOf(value: unknown): SummaryDisk[] {
  const disk = objectOf(value);
  const vdev = textOf(disk?.["vdev"]);
  if (!disk || vdev === undefined) return [];
  const backend = textOf(disk["backend_domname"]) ?? "";
  const backendId = countOf(disk["backend_domid"]) ?? 0;
  const cdrom = isTrue(disk["is_cdrom"]);
  return [
    {
      vdev,
      target: textOf(disk["pdev_path"]) ?? "",
      format: textOf(disk["format"]) ?? "raw",
      readonly: cdrom || !isTrue(disk["readwrite"]),
      cdrom,
      elsewhere: textOf(disk["script"]) !== undefined || backend !== "" || backendId !== 0,
      ...definite("script", textOf(disk["script"])),
      ...definite("backend", backend || (backendId === 0 ? undefined : String(backendId))),
    },
  ];
}

function nicOf(value: unknown): SummaryNic[] {
  const nic = objectOf(value);
  if (!nic) return [];
  return [
    {
      ...definite("mac", textOf(nic["mac"])?.toLowerCase()),
      ...definite("bridge", textOf(nic["bridge"])),
      ...definite("ip", textOf(nic["ip"])),
      ...definite("model", textOf(nic["model"])),
      ...definite("vifname", textOf(nic["ifname"])),
      ...definite("gatewaydev", textOf(nic["gatewaydev"])),
      ...definite("script", textOf(nic["script"])),
      ...definite("backend", textOf(nic["backend_domname"])),
    },
  ];
}

/** libxl writes integers for some, `"True"` for others (libxl_defbool), `true` for bool. */
function isTrue(value: unknown): boolean {
  return value === true || value === "True" || (typeof value === "number" && value !== 0);
}
