/** Lays out a case's files as dom0 will have them, in a directory of this machine, and writes the config. */
import { existsSync, linkSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_ARGS, DEFAULT_MEMORY_MIB, ORACLE_DIRECTORY, type OracleCase } from "./case.ts";
import { oracleDisk } from "./disks.ts";
import { oracleKernel } from "./kernels.ts";
import { oracleRamdisk } from "./ramdisks.ts";

/** A case that is to run, with the name of its guest. */
export type StagedCase = {
  readonly one: OracleCase;
  readonly guest: string;
  /** Below the staging directory, and in dom0. */
  readonly configPath: string;
};

const MAKERS = { kernels: oracleKernel, ramdisks: oracleRamdisk, disks: oracleDisk } as const;

/** The path in dom0 of a kernel, an initramfs or a disk; the file is in the staging directory then, if there is one. */
function put(stage: string, kind: keyof typeof MAKERS, name: string): string {
  const directory = `${ORACLE_DIRECTORY}/${kind}`;
  const path = `${directory}/${name.replaceAll("/", "_")}`;
  const from = MAKERS[kind](name);
  if (from === undefined || existsSync(join(stage, path))) return path;
  mkdirSync(join(stage, directory), { recursive: true });
  // one file system, the cache's: no copy
  linkSync(from, join(stage, path));
  return path;
}

/** Stages the files of a case; the config comes with `writeConfig`, when the memory is known. */
export function stageCase(stage: string, one: OracleCase, guest: string): StagedCase {
  for (const [kind, name] of filesOf(one)) put(stage, kind, name);
  return { one, guest, configPath: `${ORACLE_DIRECTORY}/configs/${guest}.cfg` };
}

function filesOf(one: OracleCase): [keyof typeof MAKERS, string][] {
  return [
    ...(one.kernel === undefined ? [] : [["kernels", one.kernel] as const]),
    ...(one.ramdisk === undefined ? [] : [["ramdisks", one.ramdisk] as const]),
    ["disks", one.disk ?? "root"],
  ].map(([kind, name]) => [kind as keyof typeof MAKERS, name]);
}

/** The text of the guest's config. */
export function configText(stage: string, { one, guest }: StagedCase, memoryMib: number): string {
  const disk = put(stage, "disks", one.disk ?? "root");
  const lines = [
    `name = "${guest}"`,
    `memory = ${memoryMib}`,
    "vcpus = 1",
    'on_crash = "destroy"',
    'on_reboot = "destroy"',
    `disk = [ "phy:${disk},xvda,r" ]`,
  ];
  // Without it the emulated processor's RDTSCP is not what Xen's intercept expects.
  if (one.type === "pvh") lines.push('type = "pvh"', 'tsc_mode = "native"');
  if (one.kernel !== undefined) {
    lines.push(`kernel = "${put(stage, "kernels", one.kernel)}"`);
    lines.push(`extra = "${one.args ?? DEFAULT_ARGS}"`);
  }
  if (one.ramdisk !== undefined) {
    lines.push(`ramdisk = "${put(stage, "ramdisks", one.ramdisk)}"`);
  }
  return `${[...lines, ...(one.config ?? [])].join("\n")}\n`;
}

/** Writes the config into the staging directory; returns its text. */
export function writeConfig(
  stage: string,
  staged: StagedCase,
  memoryMib = DEFAULT_MEMORY_MIB,
): string {
  const text = configText(stage, staged, memoryMib);
  mkdirSync(join(stage, ORACLE_DIRECTORY, "configs"), { recursive: true });
  writeFileSync(join(stage, staged.configPath), text);
  return text;
}
