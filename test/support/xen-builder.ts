/**
 * The oracle for everything that domus says about Xen and kernels: Xen's own domain builder (libxenguest, of Debian 11,
 * 12 and 13), which runs on any file, without Xen. See xen-builder/builder.c.
 */
import { execFile, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { cacheDir, debianPackage, type Release } from "../../lab/debian.ts";
import { need, sh } from "./need.ts";

/** xen_caps of a Xen 4.14 or later in its usual build: no 32-bit PV. */
export const USUAL_CAPS = "xen-3.0-x86_64 hvm-3.0-x86_32 hvm-3.0-x86_32p hvm-3.0-x86_64";
/** As above, with 32-bit PV: Xen up to 4.13, or built with PV32. */
export const PV32_CAPS = `${USUAL_CAPS} xen-3.0-x86_32p`;

/** The releases of Xen that can be asked. */
export type BuilderXen = "4.14" | "4.17" | "4.20";
export const BUILDER_XENS: readonly BuilderXen[] = ["4.14", "4.17", "4.20"];

export type BuilderQuestion = {
  readonly type: "pv" | "pvh";
  /** Default 4.17. */
  readonly xen?: BuilderXen;
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

/** What Xen's domain builder makes of that kernel. */
export function builderVerdict(kernelPath: string, question: BuilderQuestion): BuilderVerdict {
  const [program, ...args] = builderArguments(kernelPath, question);
  const { status, signal, stdout, stderr } = spawnSync(program, args, {
    encoding: "utf8",
    maxBuffer: 1 << 26,
  });
  return parseAnswer(args, { status: status ?? signal, stdout, stderr });
}

/**
 * The same, while the caller does something else. The answer is kept for as long as the kernel's bytes, the builder and
 * the question are the same: several tests ask for the same.
 */
export async function askBuilder(
  kernelPath: string,
  question: Omit<BuilderQuestion, "ramdisk">,
): Promise<BuilderVerdict> {
  const [program, ...args] = builderArguments(kernelPath, question);
  const { xen = "4.17", ...asked } = question;
  const about = [digestOf(kernelPath), digestOf(libraryOf(xen)), compile(xen), asked];
  const name = createHash("sha256").update(JSON.stringify(about)).digest("hex");
  const known = join(cacheDir("xen-builder", "answers"), name);
  if (existsSync(known)) return JSON.parse(readFileSync(known, "utf8")) as BuilderVerdict;
  const ran = await new Promise<Ran>((resolve) => {
    execFile(program, args, { maxBuffer: 1 << 26 }, (error, stdout, stderr) => {
      resolve({ status: error ? (error.code ?? error.signal ?? "?") : 0, stdout, stderr });
    });
  });
  const verdict = parseAnswer(args, ran);
  writeFileSync(`${known}.${process.pid}`, JSON.stringify(verdict));
  renameSync(`${known}.${process.pid}`, known);
  return verdict;
}

function builderArguments(kernelPath: string, question: BuilderQuestion): [string, ...string[]] {
  const { type, xen = "4.17", caps = USUAL_CAPS, memoryMib, ramdisk } = question;
  const args = [type, caps, kernelPath];
  if (memoryMib !== undefined) args.push(String(memoryMib));
  if (memoryMib !== undefined && ramdisk !== undefined) args.push(ramdisk);
  return [...builderCommand(xen), ...args];
}

type Ran = {
  readonly status: number | string | null;
  readonly stdout: string;
  readonly stderr: string;
};

function parseAnswer(args: readonly string[], { status, stdout, stderr }: Ran): BuilderVerdict {
  if (status !== 0) throw new Error(`builder ${args.join(" ")}: ${status}\n${stderr}`);
  const log = stderr.split("\n").filter((line) => line !== "");
  const answer = /^ok (.+), (.+)$/m.exec(stdout);
  return {
    ok: answer !== null,
    ...(answer && { loader: answer[1]!, guestType: answer[2]! }),
    messages: log.filter((line) => /error:|panic:/.test(line)),
    log,
  };
}

const digests = new Map<string, string>();

/** Of the file's bytes; read once in a process. */
function digestOf(path: string): string {
  const known = digests.get(path);
  if (known !== undefined) return known;
  const digest = createHash("sha256").update(readFileSync(path)).digest("hex");
  digests.set(path, digest);
  return digest;
}

const DEBIAN: Record<BuilderXen, Release> = {
  "4.14": "bullseye",
  "4.17": "bookworm",
  "4.20": "trixie",
};
const LIB = "usr/lib/x86_64-linux-gnu";
const commands = new Map<BuilderXen, [string, ...string[]]>();

/** The libxenguest of that release. */
export function libraryOf(xen: BuilderXen): string {
  return join(debianPackage(DEBIAN[xen], `libxenmisc${xen}`), LIB, `libxenguest.so.${xen}`);
}

/** The builder of that release, as the beginning of a command line. */
function builderCommand(xen: BuilderXen): [string, ...string[]] {
  const known = commands.get(xen);
  if (known) return known;
  const libraries = dirname(libraryOf(xen));
  // The newest libc runs them all: those of other releases, and this machine's liblzma, libzstd and so on.
  const libc = join(debianPackage("trixie", "libc6"), LIB);
  const path = [libraries, libc, `/${LIB}`].join(":");
  const loader = join(libc, "ld-linux-x86-64.so.2");
  const command: [string, ...string[]] = [loader, "--library-path", path, compile(xen)];
  commands.set(xen, command);
  return command;
}

/** Once per version of the source. */
function compile(xen: BuilderXen): string {
  need("gcc");
  const source = join(import.meta.dirname, "xen-builder", "builder.c");
  const hash = createHash("sha256").update(readFileSync(source)).digest("hex").slice(0, 12);
  const target = join(cacheDir("xen-builder"), `builder-${xen}-${hash}`);
  if (existsSync(target)) return target;
  const include = join(debianPackage(DEBIAN[xen], "libxen-dev"), "usr/include");
  const libraries = dirname(libraryOf(xen));
  const links = [`libxenguest.so.${xen}`, `libxenctrl.so.${xen}`].map((name) =>
    join(libraries, name),
  );
  // -rdynamic: the stubs in the program must be visible to the library that they stand in for.
  sh(
    `gcc -O2 -Wall -rdynamic -DXEN_MINOR=${xen.slice(2)} -I${include} -o ${target}.${process.pid} ${source} ` +
      `-Wl,--allow-shlib-undefined ${links.join(" ")} -lxentoollog`,
  );
  renameSync(`${target}.${process.pid}`, target);
  return target;
}
