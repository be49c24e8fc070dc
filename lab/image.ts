/**
 * The images that a lab host boots from, built once a release from Debian's packages without an installer: dom0's root
 * as an ext4 filesystem, Xen, dom0's kernel, and an initramfs of our own that only mounts the root.
 */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { gunzipSync } from "node:zlib";
import { cacheDir, debianKernel, mirror } from "./debian.ts";
import { DOM0_INIT, DOM0_MODULES, DOM0_PACKAGES, ROOT_MODULES, writeDom0Files } from "./dom0.ts";
import { makeInitramfs } from "./initramfs.ts";
import { withLock } from "./lock.ts";
import { depmod, moduleDirectory } from "./modules.ts";
import { makePatient } from "./patience.ts";
import { RELEASES, type LabRelease } from "./releases.ts";
import { labKeys } from "./ssh.ts";

/** Room on dom0's root; the file is sparse. */
const ROOT_BYTES = 3 * 1024 ** 3;

export type LabImage = {
  readonly release: LabRelease;
  /** Has `root.img`, `xen`, `vmlinuz`, `initrd`. */
  readonly dir: string;
};

const PATH = `${process.env["PATH"]}:/usr/sbin:/sbin`;

function run(command: string, args: readonly string[], cwd?: string): void {
  execFileSync(command, args, {
    stdio: ["ignore", 2, 2],
    env: { ...process.env, PATH, DEBIAN_FRONTEND: "noninteractive" },
    ...(cwd !== undefined && { cwd }),
  });
}

/** Changes whenever the sources that decide an image's content do. */
function recipeKey(): string {
  const hash = createHash("sha256");
  for (const file of ["dom0.ts", "image.ts", "initramfs.ts", "patience.ts", "releases.ts"]) {
    hash.update(readFileSync(join(import.meta.dirname, file)));
  }
  return hash.digest("hex").slice(0, 12);
}

/**
 * Debian's packages, unpacked and configured, as a tar file: kept apart from the image, as it takes longest and changes
 * least. About 100 MB are downloaded.
 */
function bootstrap(release: LabRelease): string {
  const { xen, packages } = RELEASES[release];
  const xens = [`xen-utils-${xen}`, `xen-hypervisor-${xen}-amd64`];
  const include = [...DOM0_PACKAGES, ...xens, ...packages].join(",");
  const key = createHash("sha256").update(include).digest("hex").slice(0, 12);
  const file = join(cacheDir("lab", "bootstrap"), `${release}-${key}.tar`);
  if (existsSync(file)) return file;
  const leaveOut = ["doc", "locale", "man", "info"].map(
    (part) => `--dpkgopt=path-exclude=/usr/share/${part}/*`,
  );
  const made = file.replace(/tar$/, "made.tar");
  run("mmdebstrap", [
    "--quiet",
    "--variant=minbase",
    `--include=${include}`,
    '--aptopt=Apt::Install-Recommends "false"',
    ...leaveOut,
    release,
    made,
    mirror(),
  ]);
  renameSync(made, file);
  return file;
}

/** dom0's kernel modules from the linux-image package, whose postinst would make an initramfs that nobody boots. */
function addModules(release: LabRelease, root: string): void {
  const kernel = debianKernel(RELEASES[release].kernel);
  const from = moduleDirectory(kernel.root, kernel.version);
  const to = join(root, "lib", "modules", kernel.version);
  // modules.order and the like are in the kernel's package or left to depmod, release by release
  const wanted = [...DOM0_MODULES.map((part) => join("kernel", part)), "modules.*"];
  for (const part of wanted.flatMap((pattern) => globSync(pattern, { cwd: from }))) {
    mkdirSync(dirname(join(to, part)), { recursive: true });
    cpSync(join(from, part), join(to, part), { recursive: true });
  }
  depmod(to);
  for (const file of ["config", "System.map"]) {
    const name = `${file}-${kernel.version}`;
    cpSync(join(kernel.root, "boot", name), join(root, "boot", name));
  }
}

/** See patience.ts. Fails when the library is built in a way that it does not know. */
function makeLibxlPatient(root: string): void {
  for (const name of globSync("usr/lib/x86_64-linux-gnu/libxenlight.so.4.*.0", { cwd: root })) {
    const library = readFileSync(join(root, name));
    const places = makePatient(library);
    if (places < 1 || places > 6) throw new Error(`${name}: ${places} places with the timeout`);
    writeFileSync(join(root, name), library);
  }
}

/** Xen, dom0's kernel and its initramfs, as QEMU's multiboot loader takes them. */
function writeBootFiles(release: LabRelease, root: string, dir: string): void {
  const { xen, kernel: name } = RELEASES[release];
  const kernel = debianKernel(name);
  writeFileSync(join(dir, "xen"), gunzipSync(readFileSync(join(root, `boot/xen-${xen}-amd64.gz`))));
  cpSync(kernel.vmlinuz, join(dir, "vmlinuz"));
  cpSync(kernel.vmlinuz, join(root, "boot", `vmlinuz-${kernel.version}`));
  const initrd = makeInitramfs({
    kernelRoot: root,
    version: kernel.version,
    modules: ROOT_MODULES,
    init: DOM0_INIT,
  });
  writeFileSync(join(dir, "initrd"), initrd);
}

function writeRoot(root: string, file: string): void {
  writeFileSync(file, "");
  truncateSync(file, ROOT_BYTES);
  run("mkfs.ext4", ["-q", "-F", "-L", "dom0", "-E", "lazy_itable_init=1", "-d", root, file]);
}

function build(release: LabRelease, dir: string): void {
  if (process.getuid?.() !== 0) {
    throw new Error("building a lab host's image needs root: dom0's files belong to several users");
  }
  const work = `${dir}.work`;
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    const root = join(work, "root");
    mkdirSync(root);
    run("tar", ["-x", "-C", root, "--numeric-owner", "-f", bootstrap(release)]);
    addModules(release, root);
    makeLibxlPatient(root);
    writeDom0Files(root, labKeys());
    writeBootFiles(release, root, work);
    writeRoot(root, join(work, "root.img"));
    rmSync(root, { recursive: true });
    renameSync(work, dir);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** The image of that release, built when it is not in the cache. Takes about two minutes then. */
export async function labImage(
  release: LabRelease,
  say: (line: string) => void,
): Promise<LabImage> {
  const dir = join(cacheDir("lab", "images"), `${release}-${recipeKey()}`);
  await withLock(join(cacheDir("lab"), `${release}.lock`), () => {
    if (existsSync(join(dir, "root.img")) && statSync(join(dir, "root.img")).size > 0) return;
    say(`building the image of a ${release} host from Debian's packages (once, about two minutes)`);
    build(release, dir);
  });
  return { release, dir };
}
