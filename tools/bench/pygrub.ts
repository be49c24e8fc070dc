import { execFileSync } from "node:child_process";
import { randomFillSync } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pygrubCommand } from "../../test/support/pygrub.ts";
import { pair, pairText } from "./pair.ts";

const KERNEL_BYTES = 12 << 20;
const INITRAMFS_BYTES = 36 << 20;

/** Copying a kernel and an initramfs of 48 MiB together out of an image, against Xen's own pygrub. */
export function benchPygrub(dist: string): void {
  const dir = mkdtempSync(join(tmpdir(), "domus-bench-pygrub-"));
  try {
    const image = guestImage(dir);
    const out = join(dir, "out");
    mkdirSync(out);
    const common = ["-q", `--output-directory=${out}`, "--output-format=simple0"];
    const pygrub = pygrubCommand(image, common.slice(1));
    const settings = Object.entries(pygrub.env).map(([name, value]) => `${name}=${value}`);
    const ours = [join(dirname(dist), "domus-pygrub"), ...common, image];
    // Both leave their files for the toolstack: each run begins with an empty directory.
    const cleaned = (argv: readonly string[]) => [
      "sh",
      "-c",
      `rm -f "$0"/boot_*; exec "$@"`,
      out,
      ...argv,
    ];
    const a = { name: "domus-pygrub", argv: cleaned(ours) };
    const b = { name: "pygrub", argv: cleaned(["env", ...settings, ...pygrub.argv]) };
    console.log(`pygrub\n${pairText(a, b, pair(a, b, { runs: 41 }), 1)}`);
  } finally {
    rmSync(dir, { recursive: true });
  }
}

/** ext4 with files that do not compress; the initramfs begins as gzip does, as most do. */
function guestImage(dir: string): string {
  const tree = join(dir, "tree");
  mkdirSync(join(tree, "boot/grub"), { recursive: true });
  writeFileSync(join(tree, "boot/vmlinuz"), randomFillSync(Buffer.alloc(KERNEL_BYTES)));
  const initramfs = randomFillSync(Buffer.alloc(INITRAMFS_BYTES));
  initramfs.set([0x1f, 0x8b, 8, 0]);
  writeFileSync(join(tree, "boot/initrd.img"), initramfs);
  writeFileSync(
    join(tree, "boot/grub/grub.cfg"),
    "menuentry 'Linux' {\n linux /boot/vmlinuz root=/dev/xvda1 ro\n initrd /boot/initrd.img\n}\n",
  );
  const image = join(dir, "guest.img");
  execFileSync("truncate", ["-s", "128M", image]);
  execFileSync("mkfs.ext4", ["-q", "-d", tree, image]);
  return image;
}
