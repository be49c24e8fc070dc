import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { benchGuest } from "./guest.ts";
import { readBzImagePayload } from "./payload.ts";
import { pair, pairText } from "./pair.ts";

/**
 * A cold check of a guest with a real xz-packed kernel and a 40 MB gzip initramfs, against what unpacking the two
 * with the system's own tools costs.
 */
export function benchCheck(dist: string): void {
  const { dir, config, vmlinuz, initramfs } = benchGuest("check");
  writeFileSync(join(dir, "payload.xz"), readBzImagePayload(vmlinuz));
  const argv = [dist, "check", "--no-cache", "--xen", "4.17", config];
  const a = { name: "domus check", argv };
  const unpack = `xz -dc "$1" 2>/dev/null >/dev/null; gzip -dc "$2" >/dev/null`;
  const b = {
    name: "xz -dc kernel; gzip -dc initramfs",
    argv: ["sh", "-c", unpack, "sh", join(dir, "payload.xz"), initramfs],
  };
  console.log(`check\n${pairText(a, b, pair(a, b, { runs: 7, exitCodes: [3] }), 1.5)}`);
}
