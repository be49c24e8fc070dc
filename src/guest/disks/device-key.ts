import { attempt } from "../../base/failure.ts";
import { devicePath } from "../../boot/root-device.ts";
import type { Host } from "../../host/host.ts";

/** One for all links to a device or file; on a file tree, where /dev is empty, for the names that LVM gives it. */
export async function deviceKey(host: Host, path: string): Promise<string> {
  const real = await attempt(() => host.realPath(path));
  return devicePath(real.ok ? real.value : path);
}
