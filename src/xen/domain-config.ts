/**
 * A guest's configuration with meaning: what `xl create` would take from the file (xl.cfg(5); xen: tools/xl/xl_parse.c,
 * parse_config_data, 4.14 to 4.22).
 *
 * domus reads the keys that decide what the guest is, what it boots and which devices it has. Of the others it only
 * checks that the key exists and its value has the right type; a bad CPU list or a bad `timer_mode` goes unseen.
 */
import type { Failure } from "../base/failure.ts";
import type { Finding } from "../base/finding.ts";
import { printable } from "../base/printable.ts";
import type { Where } from "../base/where.ts";
import { isUuidText } from "../bytes/uuid.ts";
import { parseConfig } from "./config-syntax.ts";
import type { ConfigFile } from "./config-syntax.ts";
import { readDisks, readVifs } from "./config-devices.ts";
import { readBoot } from "./config-boot.ts";
import { checkKeys, checkKinds, syntaxFindings, xmCodeFindings } from "./config-problems.ts";
import type { ConfigReading } from "./config-reading.ts";
import {
  byPrefix,
  choiceOf,
  entriesOf,
  numberOf,
  report,
  reportMisread,
  reportRefused,
  textOf,
} from "./config-reading.ts";
import { settingsOf } from "./config-settings.ts";
import type { DiskSpec } from "./disk-spec.ts";
import type { XenVersion } from "./host-facts.ts";
import type { VifSpec } from "./vif-spec.ts";
import { readXmData } from "./xm-data.ts";

export type GuestType = "pv" | "pvh" | "hvm";

export type EventAction =
  | "destroy"
  | "restart"
  | "rename-restart"
  | "preserve"
  | "coredump-destroy"
  | "coredump-restart"
  | "soft-reset";

export type DomainConfig = {
  readonly where: Where;
  readonly name: string;
  readonly uuid?: string;
  readonly type: GuestType;
  /** In MiB. */
  readonly memory: number;
  readonly maxmem: number;
  readonly vcpus: number;
  readonly maxvcpus: number;
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** What xl makes of cmdline=, or root= and extra=. */
  readonly cmdline: string;
  /** The program, as written: `pygrub`, `/usr/bin/domus-pygrub`. */
  readonly bootloader?: string;
  readonly bootloaderArgs: readonly string[];
  /** HVM boot order: `cd`. */
  readonly boot?: string;
  /** As written: `uefi`, `ovmf`, a path (HVM); `pvgrub64` (PV). */
  readonly firmware?: string;
  /** HVM: `bios=`. */
  readonly bios?: "rombios" | "seabios" | "ovmf";
  readonly pvshim: boolean;
  readonly disks: readonly DiskSpec[];
  readonly vifs: readonly VifSpec[];
  /** Passed-through devices, as written. */
  readonly pci: readonly string[];
  readonly onPoweroff: EventAction;
  readonly onReboot: EventAction;
  readonly onCrash: EventAction;
  readonly onWatchdog: EventAction;
  readonly onSoftReset: EventAction;
  /** Whether on_crash is in the file, and where. */
  readonly onCrashWritten: boolean;
  /** The line of each key that is in the file. */
  readonly lines: ReadonlyMap<string, number>;
  /** What was noticed while reading: unknown keys, xm leftovers, values xl would refuse. */
  readonly findings: readonly Finding[];
};

export type ParsedDomainConfig = {
  /**
   * Absent when there is no making sense of the file: not xl's syntax, or no name. xl refuses those. Of a config for xm,
   * which xl refuses as well, it is what the file assigns.
   */
  readonly config?: DomainConfig;
  /** The same as `config.findings` when there is a config. Of severity error: xl refuses it, or the guest is lost. */
  readonly findings: readonly Finding[];
  /** What is not xl's syntax, with line and column. */
  readonly failures: readonly Failure[];
  /** The text as a tree with positions, for editing. */
  readonly file: ConfigFile;
};

export type ParseOptions = {
  /** Of the file, for messages. */
  readonly path: string;
  /** The Xen that the config is for: keys that came later are noticed. */
  readonly xen?: XenVersion;
};

const ACTIONS: readonly EventAction[] = [
  "destroy",
  "restart",
  "rename-restart",
  "preserve",
  "coredump-destroy",
  "coredump-restart",
  "soft-reset",
];

/** What libxl gives a guest whose config says nothing of memory, in MiB. */
const DEFAULT_MEMORY_MIB = 32;

/** Never throws. */
export function parseDomainConfig(text: string, options: ParseOptions): ParsedDomainConfig {
  const file = parseConfig(text, [options.path]);
  const failures = file.problems.map(({ failure }) => failure);
  if (failures.length > 0) return { ...fromXm(text, file, options), failures, file };
  const reading: ConfigReading = { where: file.where, settings: settingsOf(file), findings: [] };
  const config = readConfig(reading);
  checkKeys(reading, file, options.xen);
  checkKinds(reading, READ_KEYS);
  const { findings } = reading;
  return config
    ? { config: { ...config, findings }, findings, failures, file }
    : { findings, failures, file };
}

/** xl refuses the file; where it is one of xm's, what it assigns is read all the same. */
function fromXm(
  text: string,
  file: ConfigFile,
  options: ParseOptions,
): Pick<ParsedDomainConfig, "config" | "findings"> {
  const refused = syntaxFindings(file);
  if (!file.problems.some(({ kind }) => kind === "python")) return { findings: refused };
  const { text: data, code } = readXmData(text);
  // It is xl's syntax now, and so is not read a third time; what is not (odd characters in a string) is given up.
  if (parseConfig(data, file.where).problems.length > 0) return { findings: refused };
  const read = parseDomainConfig(data, options);
  if (!read.config) return { findings: refused };
  const findings = [...refused, ...xmCodeFindings(file.where, code), ...read.findings];
  return { config: { ...read.config, findings }, findings };
}

/** Whose types `readConfig` has looked at. */
const READ_KEYS: ReadonlySet<string> = new Set(
  `name uuid type builder memory maxmem vcpus maxvcpus kernel ramdisk cmdline root extra bootloader bootloader_args
  boot firmware bios pvshim disk vif pci on_poweroff on_reboot on_crash on_watchdog on_soft_reset device_model
  vncviewer vif2`.split(/\s+/),
);

function readConfig(reading: ConfigReading): Omit<DomainConfig, "findings"> | undefined {
  const type = readType(reading);
  const name = readName(reading);
  const uuid = readUuid(reading);
  const cpus = readVcpus(reading);
  const boot = readBoot(reading, type);
  const devices = { disks: readDisks(reading), vifs: readVifs(reading) };
  const pci = entriesOf(reading, "pci").map(({ text }) => text);
  const events = readEvents(reading);
  reportIgnoredKeys(reading);
  if (name === undefined) return undefined;
  return {
    where: reading.where,
    name,
    ...(uuid === undefined ? {} : { uuid }),
    type,
    ...readMemory(reading),
    ...cpus,
    ...boot,
    ...devices,
    pci,
    ...events,
    lines: new Map([...reading.settings].map(([key, { start }]) => [key, start.line])),
  };
}

function readType(reading: ConfigReading): GuestType {
  const text = textOf(reading, "type");
  const type = text === undefined ? undefined : byPrefix(text, ["hvm", "pv", "pvh"] as const);
  if (text !== undefined && type === undefined) {
    const what = `type = "${printable(text)}" is no type of guest.`;
    reportRefused(reading, "type", what, 'Use "pv", "pvh" or "hvm".');
  }
  if (type !== undefined && type !== text) {
    const what = `xl takes type = "${printable(text!)}" for "${type}".`;
    reportMisread(reading, "type", what, 'Write "pv", "pvh" or "hvm" in full.');
  }
  const builderText = textOf(reading, "builder");
  if (builderText === undefined) return type ?? "pv";
  const builder = byPrefix(builderText, ["hvm", "generic"] as const);
  const meant = builder === "generic" ? "pv" : builder;
  if (meant === undefined) {
    const what = `builder = "${printable(builderText)}" is nothing that xl knows.`;
    reportRefused(reading, "builder", what, 'Write type = "pv", "pvh" or "hvm" instead.');
  } else if (type !== undefined && type !== meant) {
    const what = `builder = "${printable(builderText)}" contradicts type = "${type}".`;
    reportRefused(reading, "builder", what, "Take builder out: type is enough.");
  }
  return type ?? meant ?? "pv";
}

function readName(reading: ConfigReading): string | undefined {
  const name = textOf(reading, "name");
  if (name === undefined) {
    report(reading, {
      code: "config-missing-key",
      severity: "error",
      key: "name",
      what: "The guest has no name.",
      why: "xl refuses the whole config, so the guest does not start.",
      next: 'Add a line such as name = "pandora".',
    });
  } else if (/^[0-9]+$/.test(name)) {
    const what = `The name "${name}" is a number: xl commands take it for the domain with that id.`;
    reportMisread(reading, "name", what, "Put a letter into the name.");
  }
  return name;
}

function readUuid(reading: ConfigReading): string | undefined {
  const uuid = textOf(reading, "uuid");
  if (uuid === undefined) return undefined;
  if (isUuidText(uuid)) return uuid.toLowerCase();
  const next = "Write it as 8-4-4-4-12 hexadecimal digits; uuidgen prints one.";
  reportRefused(reading, "uuid", `"${printable(uuid)}" is no UUID.`, next);
  return undefined;
}

function readMemory(reading: ConfigReading): { memory: number; maxmem: number } {
  const memory = numberOf(reading, "memory");
  const maxmem = numberOf(reading, "maxmem");
  if (memory === undefined && maxmem === undefined) {
    const what = `The config does not say how much memory: libxl gives the guest ${DEFAULT_MEMORY_MIB} MiB.`;
    reportMisread(reading, "memory", what, "Add a line such as memory = 1024 (MiB).");
  }
  for (const [key, value] of [
    ["memory", memory],
    ["maxmem", maxmem],
  ] as const) {
    if (value === undefined || value > 0) continue;
    reportRefused(reading, key, `${key} = ${value} is no amount of memory.`, `Give ${key} in MiB.`);
  }
  const target = memory ?? maxmem ?? DEFAULT_MEMORY_MIB;
  return { memory: target, maxmem: maxmem ?? target };
}

function readVcpus(reading: ConfigReading): { vcpus: number; maxvcpus: number } {
  const written = numberOf(reading, "vcpus") ?? 1;
  if (written < 1) {
    const what = `vcpus = ${written} is no number of CPUs.`;
    const tell = written === 0 ? reportMisread : reportRefused;
    tell(reading, "vcpus", what, "Write vcpus = 1 or more.");
  }
  const vcpus = Math.max(written, 1);
  const maxvcpus = numberOf(reading, "maxvcpus") || vcpus;
  if (maxvcpus < vcpus) {
    const what = `maxvcpus = ${maxvcpus} is less than vcpus = ${vcpus}.`;
    reportRefused(reading, "maxvcpus", what, "Raise maxvcpus, or take it out.");
  }
  return { vcpus, maxvcpus };
}

type Events = Pick<
  DomainConfig,
  "onPoweroff" | "onReboot" | "onCrash" | "onWatchdog" | "onSoftReset" | "onCrashWritten"
>;

function readEvents(reading: ConfigReading): Events {
  const action = (key: string) => choiceOf(reading, key, ACTIONS);
  return {
    onPoweroff: action("on_poweroff") ?? "destroy",
    onReboot: action("on_reboot") ?? "restart",
    onCrash: action("on_crash") ?? "destroy",
    onWatchdog: action("on_watchdog") ?? "destroy",
    onSoftReset: action("on_soft_reset") ?? "soft-reset",
    onCrashWritten: reading.settings.has("on_crash"),
  };
}

const IGNORED_KEYS = [
  ["device_model", "use device_model_override for a device model of your own"],
  ["vncviewer", "xl create -V starts a viewer"],
  ["vif2", "use vif"],
] as const;

function reportIgnoredKeys(reading: ConfigReading): void {
  for (const [key, instead] of IGNORED_KEYS) {
    if (!reading.settings.has(key)) continue;
    report(reading, {
      code: "config-ignored-key",
      severity: "note",
      key,
      what: `xl ignores ${key}.`,
      why: "It is left over from xm; xl says so in passing.",
      next: `Take the line out; ${instead}.`,
    });
  }
}
