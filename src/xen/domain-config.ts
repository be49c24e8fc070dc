/** A guest's configuration with meaning: what `xl` would take from the file. */
import type { Finding } from "../base/finding.ts";
import type { Where } from "../base/where.ts";
import type { DiskSpec } from "./disk-spec.ts";
import type { VifSpec } from "./vif-spec.ts";

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
  readonly kernel?: string;
  readonly ramdisk?: string;
  /** What xl makes of cmdline=, or root= and extra=. */
  readonly cmdline: string;
  /** The program, as written: `pygrub`, `/usr/bin/domus-pygrub`. */
  readonly bootloader?: string;
  readonly bootloaderArgs: readonly string[];
  /** HVM boot order: `cd`. */
  readonly boot?: string;
  readonly firmware?: string;
  readonly pvshim: boolean;
  readonly disks: readonly DiskSpec[];
  readonly vifs: readonly VifSpec[];
  readonly onPoweroff: EventAction;
  readonly onReboot: EventAction;
  readonly onCrash: EventAction;
  readonly onWatchdog: EventAction;
  /** Whether on_crash is in the file, and where. */
  readonly onCrashWritten: boolean;
  /** What was noticed while reading: unknown keys, xm leftovers, values xl would refuse. */
  readonly findings: readonly Finding[];
};
