import type { BootPorts } from "../guest/console/watch-boot.ts";
import type { Host } from "../host/host.ts";
import { readLocalConsole } from "../host/local/console.ts";

/** What watching a boot on this machine needs. */
export function localBoot(host: Host): BootPorts {
  return { host, readConsole: readLocalConsole };
}
