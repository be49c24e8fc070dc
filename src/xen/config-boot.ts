/** What a config says of booting: kernel, bootloader, firmware, and the kernel's command line. */
import { printable } from "../base/printable.ts";
import type { ConfigReading } from "./config-reading.ts";
import { byPrefix, entriesOf, flagOf, report, reportRefused, textOf } from "./config-reading.ts";
import type { DomainConfig, GuestType } from "./domain-config.ts";

export type BootKeys = Pick<
  DomainConfig,
  | "kernel"
  | "ramdisk"
  | "cmdline"
  | "bootloader"
  | "bootloaderArgs"
  | "boot"
  | "firmware"
  | "bios"
  | "pvshim"
>;

export function readBoot(reading: ConfigReading, type: GuestType): BootKeys {
  const kernel = readKernel(reading, type);
  const ramdisk = textOf(reading, "ramdisk");
  const bootloader = textOf(reading, "bootloader");
  const boot = textOf(reading, "boot");
  const firmware = readFirmware(reading, type);
  const bios = type === "hvm" ? readBios(reading) : undefined;
  if (type !== "hvm" && !kernel && !bootloader && firmware === undefined) {
    report(reading, {
      code: "config-missing-key",
      severity: "error",
      key: "type",
      what: `A ${type} guest needs kernel= or bootloader=, and this one has neither.`,
      why: "xl refuses the whole config, so the guest does not start.",
      next: 'Add bootloader = "pygrub" or the path of a kernel; for a guest that boots like a PC, type = "hvm".',
    });
  }
  return {
    ...(kernel === undefined ? {} : { kernel }),
    ...(ramdisk === undefined ? {} : { ramdisk }),
    cmdline: readCmdline(reading),
    ...(bootloader === undefined ? {} : { bootloader }),
    bootloaderArgs: readBootloaderArgs(reading),
    ...(boot === undefined ? {} : { boot }),
    ...(firmware === undefined ? {} : { firmware }),
    ...(bios === undefined ? {} : { bios }),
    pvshim: type === "pvh" && (flagOf(reading, "pvshim") ?? false),
  };
}

function readKernel(reading: ConfigReading, type: GuestType): string | undefined {
  const kernel = textOf(reading, "kernel");
  if (type !== "hvm" || kernel === undefined || !/(?:^|\/)hvmloader$/.test(kernel)) return kernel;
  report(reading, {
    code: "config-ignored-key",
    severity: "note",
    key: "kernel",
    what: "kernel names hvmloader, as xm wanted it for HVM guests; xl ignores that.",
    why: "xl knows its own firmware, so nothing is lost.",
    next: "Take the line out; firmware_override= is for another firmware.",
  });
  return undefined;
}

/** PV and PVH know only pvgrub, and xl again compares no more letters than were written. */
function readFirmware(reading: ConfigReading, type: GuestType): string | undefined {
  const firmware = textOf(reading, "firmware");
  if (firmware === undefined || type === "hvm") return firmware;
  if (reading.settings.get("kernel")?.value.kind === "string") {
    const what = "Both kernel and firmware are given.";
    reportRefused(reading, "firmware", what, "Keep one of the two.");
  } else if (!byPrefix(firmware, ["pvgrub32", "pvgrub64"])) {
    const what = `firmware = "${printable(firmware)}" is not for a ${type} guest.`;
    reportRefused(reading, "firmware", what, 'Use "pvgrub64" or "pvgrub32", or type = "hvm".');
  }
  return firmware;
}

/** Any case will do, as with all of libxl's enumerations. */
function readBios(reading: ConfigReading): DomainConfig["bios"] {
  const text = textOf(reading, "bios");
  if (text === undefined) return undefined;
  const bios = (["rombios", "seabios", "ovmf"] as const).find(
    (name) => name === text.toLowerCase(),
  );
  if (!bios && text.toLowerCase() !== "unknown") {
    const what = `bios = "${printable(text)}" is nothing that xl knows.`;
    reportRefused(reading, "bios", what, 'Use "seabios", "ovmf" or "rombios".');
  }
  return bios;
}

function readCmdline(reading: ConfigReading): string {
  const cmdline = textOf(reading, "cmdline");
  const root = textOf(reading, "root");
  const extra = textOf(reading, "extra");
  if (cmdline === undefined) {
    return [root === undefined ? undefined : `root=${root}`, extra]
      .filter((part) => part !== undefined)
      .join(" ");
  }
  for (const [key, value] of [
    ["root", root],
    ["extra", extra],
  ] as const) {
    if (value === undefined) continue;
    report(reading, {
      code: "config-ignored-key",
      severity: "warning",
      key,
      what: `${key} is ignored, because cmdline is given.`,
      why: `The guest's kernel does not get "${printable(value)}" from here.`,
      next: `Put it into cmdline, and take ${key} out.`,
    });
  }
  return cmdline;
}

/** A list, or a string of words (deprecated). */
function readBootloaderArgs(reading: ConfigReading): string[] {
  const setting = reading.settings.get("bootloader_args");
  if (setting?.value.kind !== "string") {
    return entriesOf(reading, "bootloader_args").map(({ text }) => text);
  }
  return setting.value.text.split(/[ \t\n]+/).filter((word) => word !== "");
}
