/** Whether this guest's root can be mounted without an initramfs: by the kernel alone (Linux init/do_mounts.c). */
import { parseCommandLine } from "../boot/command-line.ts";
import { BLKFRONT, driverState, fileSystemDriver, knowsBuiltin } from "./drivers.ts";
import type { Driver } from "./drivers.ts";
import type { PlannedBoot } from "./facts.ts";

export type InitramfsNeed = {
  /** `undefined`: nothing that was read tells. */
  readonly needed: boolean | undefined;
  /** A clause for people; empty when it is not needed. */
  readonly because: string;
};

export function initramfsNeed(boot: PlannedBoot): InitramfsNeed {
  const { root, kernel } = boot;
  if (kernel?.config?.get("CONFIG_INITRAMFS_SOURCE")) return { needed: false, because: "" };
  const spec = root?.spec;
  if (spec?.kind === "uuid" || spec?.kind === "label") {
    const tag = spec.kind === "uuid" ? "UUID" : "label";
    return {
      needed: true,
      because: `the kernel alone cannot look up a ${tag}`,
    };
  }
  if (spec?.kind === "path" && spec.value.startsWith("/dev/mapper/")) {
    return { needed: true, because: `only an initramfs can set up ${spec.text}` };
  }
  if (spec?.kind === "nfs" || spec?.kind === "other") return { needed: undefined, because: "" };
  return driverNeed(boot);
}

function driverNeed(boot: PlannedBoot): InitramfsNeed {
  const wanted: (readonly [name: string, driver: Driver | undefined])[] = [
    ["xen_blkfront", BLKFRONT],
    [boot.root?.format ?? "", fileSystemDriver(boot.root?.format)],
  ];
  let unknown = false;
  for (const [name, driver] of wanted) {
    const builtin = driver && isBuiltin(boot, driver);
    if (builtin === false) {
      return { needed: true, because: `the driver ${name} is not built into this kernel` };
    }
    unknown ||= builtin === undefined;
  }
  return { needed: unknown ? undefined : false, because: "" };
}

function isBuiltin(boot: PlannedBoot, driver: Driver): boolean | undefined {
  if (driverState(boot, driver) === "builtin") return true;
  return knowsBuiltin(boot) ? false : undefined;
}

/** rdinit= starts something else in the initramfs than /init. */
export function namesOtherInit(boot: PlannedBoot): boolean {
  return parseCommandLine(boot.args).rdinit !== undefined;
}
