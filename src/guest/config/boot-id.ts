import { decodeText } from "../../bytes/text.ts";
import type { Host } from "../../host/host.ts";

/** Another text each time that the host is started (random(4)). `io` or `missing` where there is no /proc, as on a file tree. */
export async function readBootId(host: Pick<Host, "readFile">): Promise<string> {
  return decodeText(await host.readFile("/proc/sys/kernel/random/boot_id", 4096)).trim();
}
