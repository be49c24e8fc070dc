import { readFileSync } from "node:fs";

export const BOOT_ID_PATH = "/proc/sys/kernel/random/boot_id";

/** Another text each time that this machine is started (random(4)); undefined where there is no /proc. */
export function readBootId(): string | undefined {
  try {
    return readFileSync(BOOT_ID_PATH, "utf8").trim() || undefined;
  } catch {
    return undefined;
  }
}
