/** Small initramfs images with the layout of the real generators, for the sample host. */
import { gzipSync, zstdCompressSync } from "node:zlib";

export type CpioEntry = {
  readonly path: string;
  /** st_mode with the file type. */
  readonly mode: number;
  readonly data?: string;
};

const DIRECTORY = 0o040755;
const FILE = 0o100644;
const PROGRAM = 0o100755;

/** A newc archive (linux: Documentation/driver-api/early-userspace/buffer-format.rst). Directories are added. */
export function cpio(entries: readonly CpioEntry[]): Uint8Array {
  const made = new Set<string>();
  const parts: Buffer[] = [];
  let ino = 1;
  const add = (entry: CpioEntry) => {
    const data = Buffer.from(entry.data ?? "", "utf8");
    const name = Buffer.from(`${entry.path}\0`, "utf8");
    const fields = [ino++, entry.mode, 0, 0, 1, 0, data.length, 0, 0, 0, 0, name.length, 0];
    const header = Buffer.from(
      `070701${fields.map((n) => n.toString(16).padStart(8, "0")).join("")}`,
    );
    parts.push(padded(Buffer.concat([header, name])), padded(data));
  };
  for (const entry of entries) {
    const steps = entry.path.split("/").slice(0, -1);
    for (let i = 1; i <= steps.length; i++) {
      const path = steps.slice(0, i).join("/");
      if (made.has(path)) continue;
      made.add(path);
      add({ path, mode: DIRECTORY });
    }
    add(entry);
  }
  ino = 0;
  add({ path: "TRAILER!!!", mode: 0 });
  const all = Buffer.concat(parts);
  return Buffer.concat([all, Buffer.alloc(-all.length & 511)]);
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

export type SampleInitramfs = {
  readonly generator: "mkinitcpio" | "initramfs-tools";
  readonly kernel: string;
  readonly packing: "gzip" | "zstd";
  readonly modules: readonly string[];
  /** Further programs: `usr/sbin/lvm`. */
  readonly programs?: readonly string[];
};

export function sampleInitramfs(sample: SampleInitramfs): Uint8Array {
  const file = (path: string, data = "") => ({ path, mode: FILE, data });
  const program = (path: string) => ({ path, mode: PROGRAM, data: "#!/bin/sh\n" });
  const lib = `usr/lib/modules/${sample.kernel}`;
  const entries: CpioEntry[] = [
    program("init"),
    ...(sample.generator === "mkinitcpio"
      ? [
          file("config", 'MODULES=""\n'),
          program("hooks/udev"),
          file("buildconfig", 'HOOKS="base udev"\n'),
        ]
      : [
          file("conf/initramfs.conf", "MODULES=most\n"),
          program("scripts/local"),
          file("conf/arch.conf", ""),
        ]),
    ...sample.modules.map((name) =>
      file(`${lib}/kernel/drivers/${name}.ko`, "sample module\n".repeat(64)),
    ),
    file(`${lib}/modules.builtin`, ""),
    file(
      `${lib}/modules.dep`,
      sample.modules.map((name) => `kernel/drivers/${name}.ko:\n`).join(""),
    ),
    program("usr/bin/busybox"),
    ...(sample.programs ?? []).map(program),
  ];
  const archive = cpio(entries);
  return sample.packing === "gzip" ? gzipSync(archive) : zstdCompressSync(archive);
}
