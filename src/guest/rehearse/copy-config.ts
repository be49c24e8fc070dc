/**
 * The config of a copy: the guest's own text, and behind it what is different. In xl's grammar the last assignment of a key
 * counts, so nothing of the text has to be understood to be replaced. Pure.
 */
import { refused, unsupported } from "../../base/failure.ts";
import { diskText } from "../../xen/device-text.ts";
import { parseDomainConfig } from "../../xen/domain-config.ts";
import type { DomainConfig } from "../../xen/domain-config.ts";
import { parseConfig } from "../../xen/config-syntax.ts";
import { settingsOf } from "../../xen/config-settings.ts";

export type CopyDiskText = {
  readonly vdev: string;
  /** Of a disk that is taken as it is: its entry in the guest's config. */
  readonly text?: string;
  readonly target: string;
  readonly format: string;
};

export type CopyConfigOptions = {
  /** Of the guest's config. */
  readonly text: string;
  readonly path: string;
  readonly name: string;
  readonly uuid: string;
  readonly memoryMib: number;
  readonly disks: readonly CopyDiskText[];
};

/** Lists of what belongs to one guest at a time, or reaches out of the guest. */
const EMPTIED =
  `channel device_model_args device_model_args_hvm device_model_args_pv dtdev iomem ioports irqs p9 pci
  pvcalls usbctrl usbdev usbdevice vdispl vfb vif vif2 virtio vkb vnuma vsnd vtpm`.split(/\s+/);

/** Set to 0 where the guest has them. */
const SWITCHED_OFF = ["driver_domain", "gfx_passthru", "sdl", "spice", "usb"] as const;

/** What the copy lacks of the guest, for people. */
export function leftOut(config: DomainConfig, text: string): string[] {
  const settings = settingsOf(parseConfig(text));
  const given = EMPTIED.filter((key) => {
    const value = settings.get(key)?.value;
    return value?.kind === "list" ? value.items.length > 0 : value !== undefined;
  });
  const off = SWITCHED_OFF.filter((key) => settings.has(key));
  const devices = [...given, ...off].filter((key) => key !== "vif" && key !== "vif2");
  return [
    ...(config.vifs.length > 0 ? ["The copy has no network."] : []),
    ...(devices.length > 0 ? [`The copy has none of: ${devices.join(", ")}.`] : []),
  ];
}

/** `refused` for a config that xl refuses; `unsupported` where what comes out would not be the copy that was meant. */
export function copyConfig(options: CopyConfigOptions): string {
  const { text, path, name, uuid, memoryMib, disks } = options;
  const original = parseDomainConfig(text, { path });
  const { config } = original;
  const problem = original.failures[0];
  if (!config || problem)
    throw refused([path], {
      what: `The config ${path} is refused by xl.`,
      why:
        problem?.kind === "syntax" ? `Line ${problem.line}: found ${problem.found}.` : "No name.",
      next: `domus check ${path} says what is wrong with it.`,
    });
  const settings = settingsOf(original.file);
  const entries = disks.map((disk) => disk.text ?? entryOf(disk));
  const lines = [
    `name = ${quoted(name)}`,
    `uuid = ${quoted(uuid)}`,
    `memory = ${memoryMib}`,
    `maxmem = ${memoryMib}`,
    `disk = [ ${entries.map(quoted).join(", ")} ]`,
    ...EMPTIED.filter((key) => settings.has(key)).map((key) => `${key} = [ ]`),
    ...SWITCHED_OFF.filter((key) => settings.has(key)).map((key) => `${key} = 0`),
    `on_poweroff = "destroy"`,
    `on_reboot = "destroy"`,
    `on_crash = "preserve"`,
    `on_watchdog = "preserve"`,
    ...(config.type === "hvm" ? [`vnc = 0`, `serial = "pty"`] : []),
  ];
  const copy = `${text}${text.endsWith("\n") ? "" : "\n"}\n# domus rehearse\n${lines.join("\n")}\n`;
  assertIsCopy(copy, options);
  return copy;
}

function entryOf({ vdev, target, format }: CopyDiskText): string {
  return diskText({ vdev, target, format, readonly: false, cdrom: false, elsewhere: false });
}

/** Read as xl reads it: it must be nobody else's guest, and have nobody else's disks. */
function assertIsCopy(copy: string, options: CopyConfigOptions): void {
  const { config, failures } = parseDomainConfig(copy, { path: options.path });
  const isCopy =
    failures.length === 0 &&
    config?.name === options.name &&
    config.uuid === options.uuid &&
    config.memory === options.memoryMib &&
    config.vifs.length === 0 &&
    config.pci.length === 0 &&
    config.onReboot === "destroy" &&
    config.disks.length === options.disks.length &&
    config.disks.every((disk, index) => {
      const meant = options.disks[index]!;
      return meant.text === undefined
        ? disk.target === meant.target && disk.vdev === meant.vdev && disk.format === meant.format
        : disk.readonly;
    });
  if (!isCopy)
    throw unsupported([options.path], "a config of which no copy can be made for certain");
}

/** xl has no reliable escape for control characters. */
function quoted(text: string): string {
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if ((code < 0x20 && code !== 9) || code === 0x7f)
      throw unsupported(["config"], "a control character in a value");
  }
  return `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}
