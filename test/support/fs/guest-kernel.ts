/** Filesystems that this machine's kernel may not know, mounted by a Debian kernel in QEMU. */
import { createHash } from "node:crypto";
import {
  closeSync,
  existsSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir, debianKernel, debianPackage } from "../../../lab/debian.ts";
import { decodeText } from "../../../src/bytes/text.ts";
import { need, sh } from "../need.ts";
import { bootInQemu } from "../qemu.ts";
import { FILE_KINDS } from "./view.ts";
import type { Seen, View } from "./view.ts";

/** In the order in which they can be loaded. */
const MODULES = [
  "virtio",
  "virtio_ring",
  "virtio_pci_legacy_dev",
  "virtio_pci_modern_dev",
  "virtio_pci",
  "virtio_blk",
  "cdrom",
  "nls_ascii",
  "nls_utf8",
  "nls_cp437",
  "fat",
  "vfat",
  "isofs",
  "libcrc32c",
  "xfs",
];

const INIT = `#!/bin/busybox sh
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev; mount -t proc proc /proc
for module in ${MODULES.join(" ")}; do insmod /modules/$module.ko || echo "no $module"; done
mkdir /m
(set -e; . /script)
[ $? = 0 ] && echo DOMUS-DONE || echo DOMUS-FAILED
poweroff -f
`;

/**
 * Runs shell commands (busybox, and `dump-tree DIRECTORY DISK`) as root under Debian's 6.1 kernel. The disks are
 * /dev/vda and so on; /m is there to mount on. Gives what was printed; fails when a command failed.
 */
export async function runInGuestKernel(
  script: string,
  disks: readonly string[],
  timeoutMs = 500_000,
): Promise<string> {
  need("qemu-system-x86_64", "cpio", "gzip", "gcc");
  const kernel = debianKernel("6.1-cloud");
  const work = mkdtempSync(join(tmpdir(), "domus-guest-"));
  try {
    const busybox = join(debianPackage("bookworm", "busybox-static"), "bin/busybox");
    sh("mkdir -p bin dev proc modules", { cwd: work });
    sh(`cp '${busybox}' '${dumpTree()}' bin/`, { cwd: work });
    for (const module of MODULES) {
      sh(`cp "$(find '${kernel.root}/lib/modules' -name '${module}.ko')" modules/`, { cwd: work });
    }
    writeFileSync(join(work, "init"), INIT, { mode: 0o755 });
    writeFileSync(join(work, "script"), script);
    const image = `${work}.cpio.gz`;
    sh(`find . | cpio --quiet -o -H newc | gzip -1 > '${image}'`, { cwd: work });
    const text = await bootInQemu({
      kernel: kernel.vmlinuz,
      initrd: image,
      append: "quiet",
      disks,
      until: /Power down|Kernel panic/,
      timeoutMs,
    });
    rmSync(image);
    if (!text.includes("DOMUS-DONE")) throw new Error(`the guest's script failed:\n${text}`);
    return text;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Compiled once for each version of its source. */
function dumpTree(): string {
  const source = join(import.meta.dirname, "dump-tree.c");
  const version = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 16);
  const program = join(cacheDir("dump-tree", version), "dump-tree");
  if (!existsSync(program)) sh(`gcc -O2 -Wall -static -o '${program}' '${source}'`);
  return program;
}

const RECORD_BYTES = 64;
const END = 0xffff_ffff;

/** What dump-tree wrote to a disk. A file that could not be read has the content `unreadable`. */
export function readDump(path: string): View {
  const fd = openSync(path, "r");
  let at = 0;
  const take = (length: number): Buffer => {
    const bytes = Buffer.alloc(length);
    for (let done = 0; done < length;) {
      const got = readSync(fd, bytes, done, length - done, at + done);
      if (got === 0) throw new Error(`${path} ends at byte ${at + done}`);
      done += got;
    }
    at += length;
    return bytes;
  };
  const view: View = new Map();
  for (;;) {
    const record = take(RECORD_BYTES);
    if (record.readUInt32LE(0) === END) break;
    const name = decodeText(take(record.readUInt32LE(0)));
    view.set(name === "" ? "/" : name, seen(record, take(Number(record.readBigUInt64LE(48)))));
  }
  closeSync(fd);
  return view;
}

function seen(record: Buffer, content: Buffer): Seen {
  const word = (index: number) => record.readUInt32LE(4 * index);
  const kind = FILE_KINDS[word(1) & 0o170000]!;
  const failed = word(7) !== 0;
  const contents =
    kind === "file"
      ? createHash("sha256").update(content).digest("hex")
      : kind === "symlink"
        ? decodeText(content)
        : "";
  return {
    kind,
    mode: word(1) & 0o7777,
    uid: word(2),
    gid: word(3),
    size: Number(record.readBigUInt64LE(40)),
    links: Number(record.readBigUInt64LE(32)),
    mtime: Number(record.readBigInt64LE(56)) + word(6) / 1e9,
    device: kind.endsWith("device") ? `${word(4)}:${word(5)}` : "",
    content: failed ? "unreadable" : contents,
  };
}
