/** A smallest guest to see kernels unpack initramfs images: busybox whose init says that it was reached, and powers off. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { debianPackage, type KernelName } from "../../lab/debian.ts";
import { sh } from "./need.ts";
import { unpackedKernel } from "./repack.ts";

/** What init prints. */
export const REACHED = "DOMUS-INIT-REACHED";

/** In the directory of the tree: the archive on stdout. */
export const CPIO = "find . | LC_ALL=C sort | cpio --quiet -o -H newc";

/** Makes `tree/` in `dir`, and takes away what was there. */
export function probeTree(dir: string): void {
  const busybox = join(debianPackage("bookworm", "busybox-static"), "bin/busybox");
  const init = `#!/bin/busybox sh\necho ${REACHED}\n/bin/busybox poweroff -f\n`;
  sh(`rm -rf tree early; mkdir -p tree/bin tree/dev tree/proc; cp ${busybox} tree/bin/busybox`, {
    cwd: dir,
  });
  sh("cat >tree/init; chmod 755 tree/init; mknod tree/dev/console c 5 1", {
    cwd: dir,
    input: init,
  });
}

/**
 * A Debian kernel (5.10 unless told otherwise) with the zstd entry of compressed_formats[] changed, as a bare ELF: as a build without CONFIG_RD_ZSTD
 * has it (`zstd-off`), or a version before 5.9 (`zstd-unknown`). QEMU boots it by its PVH note.
 */
export function kernelWithoutZstd(
  how: "zstd-off" | "zstd-unknown",
  dir: string,
  kernel: KernelName = "5.10",
): string {
  const elf = readFileSync(unpackedKernel(kernel));
  // { 1f 8b, pad, name*, fn* } followed 24 bytes on by { 1f 9e, ...
  let table = elf.indexOf(Buffer.from([0x1f, 0x8b, 0, 0, 0, 0, 0, 0]));
  while (table >= 0 && !(elf[table + 24] === 0x1f && elf[table + 25] === 0x9e)) {
    table = elf.indexOf(Buffer.from([0x1f, 0x8b, 0, 0, 0, 0, 0, 0]), table + 1);
  }
  if (table < 0) throw new Error("no compressed_formats[] in this kernel");
  let entry = table;
  while (elf.readUInt16LE(entry) !== 0xb528) entry += 24;
  if (how === "zstd-off") elf.fill(0, entry + 16, entry + 24);
  else elf.fill(0, entry, entry + 24);
  const path = join(dir, `${how}.elf`);
  writeFileSync(path, elf);
  return path;
}
