/**
 * Packages of any Debian release, fetched through the mirror that this machine's own apt is set up with, verified by
 * apt, unpacked into a cache. Nothing is installed. Used by the tests (real kernels) and by the lab.
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { withLockSync } from "./lock.ts";

export type Release = "bullseye" | "bookworm" | "trixie" | "sid";

const KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg";

/** Where downloads and built images live: `DOMUS_CACHE`, or ~/.cache/domus. */
export function cacheDir(...parts: string[]): string {
  const dir = join(process.env["DOMUS_CACHE"] ?? join(homedir(), ".cache", "domus"), ...parts);
  mkdirSync(dir, { recursive: true });
  return dir;
}

/** The mirror that the system's apt uses for Debian. */
export function mirror(): string {
  const uris = execFileSync("apt-get", ["indextargets", "--format", "$(ORIGIN) $(REPO_URI)"], {
    encoding: "utf8",
  });
  for (const line of uris.split("\n")) {
    const [origin, uri] = line.split(" ");
    if (origin === "Debian" && uri && !uri.includes("security")) return uri;
  }
  throw new Error("apt has no Debian mirror with an index: run apt-get update");
}

/** One process at a time: tests on real Xen run beside the others, and each of them may be the first that wants something. */
function alone<T>(release: Release, work: () => T): T {
  return withLockSync(join(cacheDir("apt"), `${release}.lock`), work);
}

/** apt-get options for a private apt of that release, with its index fetched. Only for who is alone. */
function privateApt(release: Release): string[] {
  const root = cacheDir("apt", release);
  for (const dir of ["lists/partial", "archives/partial", "etc"])
    mkdirSync(join(root, dir), { recursive: true });
  const list = join(root, "etc", "sources.list");
  writeFileSync(list, `deb [signed-by=${KEYRING}] ${mirror()} ${release} main\n`);
  const status = join(root, "status");
  if (!existsSync(status)) writeFileSync(status, "");
  const options = {
    "Dir::State": root,
    "Dir::State::lists": join(root, "lists"),
    "Dir::State::status": status,
    "Dir::Cache": root,
    "Dir::Etc::sourcelist": list,
    "Dir::Etc::sourceparts": "/dev/null",
    "Dir::Etc::preferencesparts": "/dev/null",
    "APT::Architecture": "amd64",
    "APT::Architectures::": "i386",
    "APT::Sandbox::User": "root",
  };
  const flags = Object.entries(options).flatMap(([key, value]) => ["-o", `${key}=${value}`]);
  const stamp = join(root, "updated");
  if (!isCurrent(stamp, release)) {
    execFileSync("apt-get", [...flags, "-q", "update"], { stdio: ["ignore", "ignore", "inherit"] });
    writeFileSync(stamp, "");
  }
  return flags;
}

/** Packages leave sid, and the mirrors with it, within days. */
function isCurrent(stamp: string, release: Release): boolean {
  if (!existsSync(stamp)) return false;
  return release !== "sid" || Date.now() - statSync(stamp).mtimeMs < 86_400_000;
}

/** What a metapackage such as linux-image-amd64 depends on: `linux-image-6.1.0-50-amd64`. */
export function dependency(release: Release, name: string, pattern: RegExp): string {
  const out = alone(release, () =>
    execFileSync("apt-cache", [...privateApt(release), "depends", name], { encoding: "utf8" }),
  );
  const found = out
    .split("\n")
    .flatMap((line) => /Depends: <?([^\s>]+)/.exec(line)?.[1] ?? [])
    .find((word) => pattern.test(word));
  if (!found) throw new Error(`${name} in ${release} depends on nothing like ${pattern}`);
  return found;
}

/** The directory with a package's files, downloaded and unpacked once. `name` may end in `:i386`. */
export function debianPackage(release: Release, name: string): string {
  const dir = join(cacheDir("debian", release), name.replace(":", "_"));
  if (existsSync(dir)) return dir;
  alone(release, () => {
    if (!existsSync(dir)) fetchPackage(release, name, dir);
  });
  return dir;
}

function fetchPackage(release: Release, name: string, dir: string): void {
  const flags = privateApt(release);
  const work = `${dir}.${process.pid}`;
  // Of a process of that number that was killed.
  rmSync(work, { recursive: true, force: true });
  mkdirSync(work, { recursive: true });
  try {
    execFileSync("apt-get", [...flags, "-q", "download", name], {
      cwd: work,
      stdio: ["ignore", "ignore", "inherit"],
    });
    const deb = readdirSync(work).find((file) => file.endsWith(".deb"));
    if (!deb) throw new Error(`apt-get download ${name} left no .deb`);
    execFileSync("dpkg-deb", ["-x", deb, "root"], { cwd: work });
    renameSync(join(work, "root"), dir);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

export type DebianKernel = {
  readonly name: string;
  readonly version: string;
  readonly vmlinuz: string;
  /** Its build configuration. */
  readonly config: string;
  /** The unpacked package. With /lib/modules, but for `sid`, whose modules are in a package of their own. */
  readonly root: string;
};

const KERNELS = {
  "5.10": ["bullseye", "linux-image-amd64"],
  "5.10-686-pae": ["bullseye", "linux-image-686-pae:i386"],
  "6.1": ["bookworm", "linux-image-amd64"],
  "6.1-cloud": ["bookworm", "linux-image-cloud-amd64"],
  "6.12": ["trixie", "linux-image-amd64"],
  /** The newest: 7.2 when this was written. */
  sid: ["sid", "linux-image-amd64"],
} as const satisfies Record<string, readonly [Release, string]>;

export type KernelName = keyof typeof KERNELS;
export const KERNEL_NAMES = Object.keys(KERNELS) as KernelName[];

/** A real Debian kernel, from the package that its metapackage names. */
export function debianKernel(name: KernelName): DebianKernel {
  const [release, meta] = KERNELS[name];
  const cached = join(cacheDir("debian", release), `${name}.kernel`);
  const suffix = meta.endsWith(":i386") ? ":i386" : "";
  const image = existsSync(cached)
    ? readFileSync(cached, "utf8")
    : dependency(release, meta, /^linux-image-\d/).replace(/:i386$/, "") + suffix;
  const files = kernelFiles(release, image);
  if (!existsSync(cached)) {
    // Others may read it at any moment.
    const written = `${cached}.${process.pid}`;
    writeFileSync(written, image);
    renameSync(written, cached);
  }
  return { name, ...files };
}

/** Since Debian 14 the image package is empty: what it had in /boot is in two others, below /usr/lib/modules. */
function kernelFiles(release: Release, image: string): Omit<DebianKernel, "name"> {
  const version = image.replace(/^linux-image-/, "").replace(/:i386$/, "");
  const root = debianPackage(release, image);
  const vmlinuz = join(root, "boot", `vmlinuz-${version}`);
  if (existsSync(vmlinuz)) {
    return { version, vmlinuz, config: join(root, "boot", `config-${version}`), root };
  }
  const below = join("usr/lib/modules", version);
  const binary = debianPackage(release, `linux-binary-${version}`);
  const base = debianPackage(release, `linux-base-${version}`);
  return {
    version,
    vmlinuz: join(binary, below, "vmlinuz"),
    config: join(base, below, "config"),
    root: base,
  };
}
