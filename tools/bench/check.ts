import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { cacheDir, debianKernel } from "../../lab/debian.ts";
import { readBzImagePayload } from "./payload.ts";
import { ext4Image } from "../sample/image.ts";
import { pair, pairText } from "./pair.ts";

/**
 * A cold check of a guest with a real xz-packed kernel and a 40 MB gzip initramfs, against what unpacking the two
 * with the system's own tools costs.
 */
export function benchCheck(dist: string): void {
  const dir = cacheDir("bench", "check");
  rmSync(dir, { recursive: true });
  mkdirSync(join(dir, "tree"), { recursive: true });
  const kernel = debianKernel("6.1");
  const initramfs = join(dir, "initrd.img");
  buildInitramfs(kernel.root, dir, initramfs);
  const vmlinuz = execFileSync("cat", [kernel.vmlinuz], { maxBuffer: 1 << 28 });
  const uuid = "6f1d2a34-0d5b-4c0e-9a51-4a0f3c1de0ff";
  ext4Image(join(dir, "guest.img"), {
    sizeMib: 300,
    uuid,
    tree: {
      "boot/vmlinuz": vmlinuz,
      "boot/initrd.img": execFileSync("cat", [initramfs], { maxBuffer: 1 << 30 }),
      "boot/grub/grub.cfg": `menuentry 'Debian' {\n linux /boot/vmlinuz root=UUID=${uuid} console=hvc0\n initrd /boot/initrd.img\n}\n`,
      "sbin/init": "sample",
    },
  });
  writeFileSync(
    join(dir, "guest.cfg"),
    `name = "guest"\nmemory = 2048\nbootloader = "/usr/bin/pygrub"\ndisk = [ '${join(dir, "guest.img")},raw,xvda,w' ]\n`,
  );
  writeFileSync(join(dir, "payload.xz"), readBzImagePayload(vmlinuz));
  const a = { name: "domus check", argv: [dist, "check", "--xen", "4.17", join(dir, "guest.cfg")] };
  const unpack = `xz -dc "$1" 2>/dev/null >/dev/null; gzip -dc "$2" >/dev/null`;
  const b = {
    name: "xz -dc kernel; gzip -dc initramfs",
    argv: ["sh", "-c", unpack, "sh", join(dir, "payload.xz"), initramfs],
  };
  console.log(`check\n${pairText(a, b, pair(a, b, { runs: 7, exitCodes: [3] }), 1.5)}`);
}

/** All modules of the kernel, gzip-packed to some 40 MB, as MODULES=most would. */
function buildInitramfs(root: string, dir: string, to: string): void {
  execFileSync(
    "sh",
    [
      "-ec",
      'mkdir -p "$2/ir/usr/lib"; cp -r "$1/lib/modules" "$2/ir/usr/lib/"; printf "#!/bin/sh\n" >"$2/ir/init"; chmod +x "$2/ir/init"; cd "$2/ir"; rm -rf usr/lib/modules/*/kernel/drivers/gpu usr/lib/modules/*/kernel/sound usr/lib/modules/*/kernel/drivers/media usr/lib/modules/*/kernel/drivers/net/wireless; find . | LC_ALL=C sort | cpio --quiet -o -H newc | gzip -n >"$3"; rm -rf "$2/ir"',
      "sh",
      root,
      dir,
      to,
    ],
    { stdio: ["ignore", "ignore", "inherit"] },
  );
}
