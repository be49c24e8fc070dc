/**
 * The real thing, asked what it makes of a config: Debian 12's libxlutil 4.17 (needs the package libxen-dev), and its
 * `xl create -n`, from the package xen-utils-4.17 (fetched, not installed), on a machine without Xen.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cacheDir, debianPackage } from "../../lab/debian.ts";
import { need } from "./need.ts";

const SOURCE = join(import.meta.dirname, "xl");

export type OracleValue = string | readonly OracleValue[];

export type ConfigAnswer = {
  readonly rc: number;
  readonly report: string;
  /** `long`: what xl reads as a number, in decimal; absent when it is not one. */
  readonly settings?: Readonly<Record<string, { value: OracleValue; long?: string }>>;
};

export type DiskAnswer = {
  readonly rc: number;
  readonly report: string;
  readonly disk?: {
    readonly target: string | null;
    readonly vdev: string;
    readonly format: string;
    readonly backendtype: string;
    readonly backend: string | null;
    readonly script: string | null;
    readonly readonly: boolean;
    readonly cdrom: boolean;
    readonly directIoSafe: boolean;
    readonly discard: boolean | null;
  };
};

/** -1: libxl knows no such name, or does not say (disk and partition of a bare number). */
export type VdevAnswer = {
  readonly number: number;
  readonly disk: number;
  readonly partition: number;
};

export type RateAnswer = { readonly rc: number; readonly bytes?: string; readonly usecs?: number };

/** What the static libxenlight needs; by soname where only the runtime package is installed. */
const LIBXL_NEEDS = [
  ..."ctrl guest store toollog toolcore evtchn foreignmemory devicemodel hypfs"
    .split(" ")
    .map((name) => `-lxen${name}`),
  "-l:libyajl.so.2",
  "-l:libuuid.so.1",
];

function compiled(name: string, flags: readonly string[]): string {
  need("gcc");
  if (!existsSync("/usr/include/libxlutil.h")) {
    throw new Error(
      "this test needs libxlutil.h: apt-get install libxen-dev (see CONTRIBUTING.md)",
    );
  }
  const source = join(SOURCE, `${name}.c`);
  const built = join(cacheDir("oracle"), `xl-${name}`);
  if (existsSync(built) && statSync(built).mtimeMs > statSync(source).mtimeMs) return built;
  const fresh = `${built}.${process.pid}`;
  execFileSync("gcc", ["-O1", "-Wall", "-o", fresh, source, ...flags], { stdio: "inherit" });
  renameSync(fresh, built);
  return built;
}

/** libxlutil's answers, in order. Texts and answers are Latin-1: one character a byte. */
function ask<T>(kind: "cfg" | "disk" | "rate" | "vdev", texts: readonly string[]): T[] {
  const oracle = compiled("oracle", ["-lxlutil", "-l:libxenlight.a", ...LIBXL_NEEDS]);
  const input = texts.map((text) => `${kind} ${Buffer.byteLength(text, "latin1")}\n${text}`);
  const ran = spawnSync(oracle, {
    input: Buffer.from(input.join(""), "latin1"),
    maxBuffer: 1 << 28,
  });
  if (ran.status !== 0) {
    throw new Error(
      `the libxlutil oracle ended with ${ran.status ?? ran.signal}: ${ran.stderr.toString()}`,
    );
  }
  const lines = ran.stdout.toString("latin1").trimEnd().split("\n");
  return texts.length === 0 ? [] : lines.map((line) => JSON.parse(line) as T);
}

/** What libxlutil makes of config files. It aborts on a NUL inside a string: leave those out. */
export function xlConfigs(texts: readonly string[]): ConfigAnswer[] {
  return ask("cfg", texts);
}

export function xlDisks(texts: readonly string[]): DiskAnswer[] {
  return ask("disk", texts);
}

export function xlRates(texts: readonly string[]): RateAnswer[] {
  return ask("rate", texts);
}

export function xlVdevs(texts: readonly string[]): VdevAnswer[] {
  return ask("vdev", texts);
}

export type XlCreate = {
  readonly exitCode: number;
  readonly stderr: string;
  /** The JSON that `xl create -n` prints; undefined when it refused. */
  readonly config?: XlDomainConfig;
};

/** The parts of libxl_domain_config that the tests look at; libxl leaves out what has its default. */
export type XlDomainConfig = {
  readonly c_info: { readonly type: string; readonly name: string; readonly uuid: string };
  readonly b_info: Readonly<Record<string, unknown>>;
  readonly disks?: readonly Readonly<Record<string, unknown>>[];
  readonly nics?: readonly Readonly<Record<string, unknown>>[];
  readonly pcidevs?: readonly Readonly<Record<string, unknown>>[];
  readonly on_poweroff?: string;
  readonly on_reboot?: string;
  readonly on_watchdog?: string;
  readonly on_crash?: string;
  readonly on_soft_reset?: string;
};

/** `xl create -n` of a config file with this text. */
export function xlCreate(text: string): XlCreate {
  const preload = compiled("preload", ["-shared", "-fPIC", "-ldl"]);
  const root = debianPackage("bookworm", "xen-utils-4.17");
  const dir = mkdtempSync(join(tmpdir(), "domus-xl-"));
  try {
    const file = join(dir, "guest.cfg");
    writeFileSync(file, text);
    const xl = join(root, "usr/lib/xen-4.17/bin/xl");
    const ran = spawnSync(xl, ["create", "-n", file], {
      env: { ...process.env, LD_PRELOAD: preload },
      encoding: "utf8",
    });
    const stderr = ran.stderr.replaceAll(file, "guest.cfg");
    if (ran.status === null) throw new Error(`xl was ended by ${ran.signal}: ${stderr}`);
    const start = ran.stdout.indexOf("{");
    if (ran.status !== 0 || start < 0) return { exitCode: ran.status, stderr };
    return { exitCode: 0, stderr, config: JSON.parse(ran.stdout.slice(start)) as XlDomainConfig };
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}
