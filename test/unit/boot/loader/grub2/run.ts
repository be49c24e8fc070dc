/** One disk with one filesystem, and a configuration on it: what most of these tests need. */
import { evaluateGrub2 } from "../../../../../src/boot/loader/grub2/evaluate.ts";
import { runConfig } from "../../../../../src/boot/loader/grub2/commands/files.ts";
import { runSource } from "../../../../../src/boot/loader/grub2/execute.ts";
import { createMachine } from "../../../../../src/boot/loader/grub2/machine.ts";
import type { Machine } from "../../../../../src/boot/loader/grub2/machine.ts";
import type { BootVolume, LoaderResult } from "../../../../../src/boot/loader/loader.ts";
import type { Partition } from "../../../../../src/disk/content.ts";
import { memoryFs } from "../../../../support/memory-fs.ts";
import type { MemoryFsOptions, Node } from "../../../../support/memory-fs.ts";

export const CONFIG = "/boot/grub/grub.cfg";

export type Files = Readonly<Record<string, Node>>;

export type VolumeOptions = MemoryFsOptions & {
  readonly disk?: number;
  readonly partition?: number;
  readonly table?: "mbr" | "gpt";
  readonly partuuid?: string;
  readonly grubName?: string;
};

export function partition(number: number, partuuid = ""): Partition {
  return {
    number,
    offset: number * 1048576,
    size: 1048576,
    type: "0x83",
    typeName: "Linux filesystem",
    bootable: false,
    partuuid,
    label: `label${number}`,
    logical: false,
  };
}

export function volume(files: Files, options: VolumeOptions = {}): BootVolume {
  const { disk = 0, partition: number, table, partuuid, grubName, ...fs } = options;
  return {
    fs: memoryFs(
      Object.fromEntries(Object.entries(files).map(([path, node]) => [path.slice(1), node])),
      fs,
    ),
    vdev: `xvd${"abcdef"[disk]}`,
    diskIndex: disk,
    ...(number !== undefined && { partition: partition(number, partuuid) }),
    ...(table && { tableType: table }),
    ...(grubName !== undefined && { grubName }),
  };
}

/** What GRUB would start with this configuration; `others` are more volumes after the one with the files. */
export async function evaluate(
  config: string | Uint8Array,
  files: Files = {},
  others: readonly BootVolume[] = [],
): Promise<LoaderResult> {
  const first = volume(
    { "/k": "kernel", "/i": "ramdisk", ...files, [CONFIG]: config },
    { uuid: "u-0" },
  );
  return evaluateGrub2({ config: { volume: first, path: CONFIG }, volumes: [first, ...others] });
}

/** Runs a script without looking at its entries. */
export async function runScript(
  config: string,
  files: Files = {},
  others: readonly BootVolume[] = [],
): Promise<Machine> {
  const first = volume({ ...files, [CONFIG]: config }, { uuid: "u-0" });
  const machine = createMachine({
    volumes: [first, ...others],
    config: { volume: first, path: CONFIG },
    run: runSource,
  });
  await runConfig(machine, { volume: first, path: CONFIG });
  return machine;
}

/** The lines that a script prints. */
export async function printed(
  config: string,
  files: Files = {},
  others: readonly BootVolume[] = [],
): Promise<string[]> {
  const { output } = await runScript(config, files, others);
  return output.split("\n").slice(0, -1);
}

/** Bytes of `grubenv`. */
export function envBlock(...lines: string[]): string {
  return `# GRUB Environment Block\n${lines.map((line) => `${line}\n`).join("")}`.padEnd(1024, "#");
}
