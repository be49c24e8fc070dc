/**
 * The oracle for everything that domus says about Xen and kernels: Xen's own domain builder (libxenguest of Debian's
 * libxen-dev), which runs on any file, without Xen. See xen-builder/builder.c.
 */
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "../../lab/debian.ts";
import { need, sh } from "./need.ts";

/** xen_caps of a Xen 4.14 or later in its usual build: no 32-bit PV. */
export const USUAL_CAPS = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64";
/** As above, with 32-bit PV: Xen up to 4.13, or built with PV32. */
export const PV32_CAPS = `${USUAL_CAPS} xen-3.0-x86_32p`;

export type BuilderQuestion = {
  readonly type: "pv" | "pvh";
  /** xen_caps; default `USUAL_CAPS`. */
  readonly caps?: string;
  /** With this, the kernel is also laid out in a guest of that much memory. */
  readonly memoryMib?: number;
  /** Path of an initramfs; needs `memoryMib`. */
  readonly ramdisk?: string;
};

export type BuilderVerdict = {
  readonly ok: boolean;
  /** `Linux bzImage`, `ELF-generic`. `HVM-generic` takes any 32-bit ELF for firmware: that is no PVH boot. */
  readonly loader?: string;
  /** The capability that the host must have: `xen-3.0-x86_64`. */
  readonly guestType?: string;
  /** The errors, as `xl` shows them. */
  readonly messages: string[];
  /** All of the builder's log. */
  readonly log: string[];
};

/** The version of Xen that answers: `4.17.7`. */
export function builderXenVersion(): string {
  return sh("dpkg-query -W -f '${Version}' libxen-dev").toString().split(/[+-]/, 1)[0]!;
}

/** What Xen's domain builder makes of that kernel. */
export function builderVerdict(kernelPath: string, question: BuilderQuestion): BuilderVerdict {
  const { type, caps = USUAL_CAPS, memoryMib, ramdisk } = question;
  const args = [type, caps, kernelPath];
  if (memoryMib !== undefined) args.push(String(memoryMib));
  if (memoryMib !== undefined && ramdisk !== undefined) args.push(ramdisk);
  const ran = spawnSync(builderProgram(), args, { encoding: "utf8", maxBuffer: 1 << 26 });
  if (ran.status !== 0) {
    throw new Error(`builder ${args.join(" ")}: ${ran.status ?? ran.signal}\n${ran.stderr}`);
  }
  const log = ran.stderr.split("\n").filter((line) => line !== "");
  const answer = /^ok (.+), (.+)$/m.exec(ran.stdout);
  return {
    ok: answer !== null,
    ...(answer && { loader: answer[1]!, guestType: answer[2]! }),
    messages: log.filter((line) => /error:|panic:/.test(line)),
    log,
  };
}

let program: string | undefined;

/** Compiled once per version of the source. */
function builderProgram(): string {
  if (program !== undefined) return program;
  need("gcc");
  const source = join(import.meta.dirname, "xen-builder", "builder.c");
  const hash = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 12);
  const target = join(cacheDir("xen-builder"), `builder-${builderXenVersion()}-${hash}`);
  if (!existsSync(target)) {
    // -rdynamic: the stubs in the program must be visible to the library that they stand in for.
    sh(`gcc -O2 -Wall -rdynamic -o ${target}.new ${source} -lxenguest -lxenctrl -lxentoollog`);
    renameSync(`${target}.new`, target);
  }
  program = target;
  return target;
}
