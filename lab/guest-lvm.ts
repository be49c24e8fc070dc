/** LVM for a guest's initramfs: the real `lvm` of this machine with all that it is linked with, as one more archive. */
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

const ENV = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };

/** The files that the dynamic linker loads for a program, itself among them (ldd(1)). */
function librariesOf(program: string): string[] {
  const text = execFileSync("ldd", [program], { encoding: "utf8", env: ENV });
  return [...text.matchAll(/(?:=> )?(\/\S+) \(0x/g)].map((match) => match[1]!);
}

/** A newc archive, not packed, with /bin/lvm. */
export function lvmArchive(): Uint8Array {
  const found = execFileSync("sh", ["-c", "command -v lvm"], { encoding: "utf8", env: ENV });
  const lvm = found.trim();
  const tree = mkdtempSync(join(tmpdir(), "domus-lvm-"));
  try {
    const put = (file: string, to: string) => {
      mkdirSync(dirname(join(tree, to)), { recursive: true });
      cpSync(realpathSync(file), join(tree, to));
    };
    put(lvm, "bin/lvm");
    for (const file of librariesOf(lvm)) put(file, file);
    return execFileSync(
      "sh",
      ["-c", "find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 --reproducible"],
      { cwd: tree, maxBuffer: 1 << 28 },
    );
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}

/**
 * sh for /init: activates the volume groups that are there. There is no udev, so lvm makes the device nodes itself.
 */
export const ACTIVATE_LVM = `
activate_lvm() {
  mkdir -p /run/lock/lvm /etc/lvm
  LVM_SUPPRESS_FD_WARNINGS=1 lvm vgchange -qq -ay --config 'devices { use_devicesfile=0 obtain_device_list_from_udev=0 external_device_info_source="none" } activation { udev_sync=0 udev_rules=0 verify_udev_operations=0 monitoring=0 } global { event_activation=0 } backup { backup=0 archive=0 }'
}
`;
