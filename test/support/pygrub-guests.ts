/** What tests of `domus-pygrub` on a real Xen do with the guests of one host. */
import { createHash } from "node:crypto";
import { closeSync, openSync, readSync, statSync } from "node:fs";
import type { GuestOptions, LabHost } from "../../lab/host.ts";
import type { Ran } from "../../lab/ssh.ts";

/** Writes a guest that `domus-pygrub` starts, and its config, whose path is returned. */
export function writePygrubGuest(
  host: LabHost,
  guest: Omit<GuestOptions, "config">,
): Promise<string> {
  return host.writeGuest({ ...guest, config: ['bootloader = "domus-pygrub"'] });
}

/** The config of the same guest on the same disk with Xen's own pygrub, under the name `NAME-stock`. */
export async function writeStockTwin(host: LabHost, guest: string): Promise<string> {
  const config = `/etc/xen/${guest}-stock.cfg`;
  await host.output(
    `sed 's/"domus-pygrub"/"pygrub"/; s/^name = "${guest}"/name = "${guest}-stock"/' /etc/xen/${guest}.cfg > ${config}`,
  );
  return config;
}

/** `xl create`, with as much time as an emulated dom0 may need. `env` goes in front of the command. */
export function create(host: LabHost, config: string, env = ""): Promise<Ran> {
  return host.run(`${env} xl -vvv create ${config}`, { timeoutMs: 600_000 });
}

/** What the newest bootloader said in dom0's log, with plain line ends. */
export async function bootloaderLog(host: LabHost): Promise<string> {
  const text = await host.output("cat $(ls -t /var/log/xen/bootloader.*.log | head -n 1)");
  return text.replaceAll("\r", "");
}

/** Files of bootloaders that are still in dom0: libxl's directories, and pygrub's copies. */
export async function leftOvers(host: LabHost): Promise<string> {
  return host.output("find /var/lib/xen /run/xen -name 'boot*'");
}

/** MD5 of an image file of this machine. */
export function imageDigest(image: string): string {
  const hash = createHash("md5");
  const chunk = Buffer.alloc(1 << 20);
  const fd = openSync(image, "r");
  for (;;) {
    const length = readSync(fd, chunk);
    if (length === 0) break;
    hash.update(chunk.subarray(0, length));
  }
  closeSync(fd);
  return hash.digest("hex");
}

/** MD5 of the guest's first disk in dom0, as long as the image that it was made of. */
export async function diskDigest(host: LabHost, guest: string, image: string): Promise<string> {
  const disk = `/dev/vg0/${guest}-disk`;
  const sum = await host.output(
    `blockdev --flushbufs ${disk}; head -c ${statSync(image).size} ${disk} | md5sum`,
    { timeoutMs: 300_000 },
  );
  return sum.slice(0, 32);
}
