/**
 * Whole configurations in the shape that distributions install, each with what the loader would make of it. A case is
 * a folder of test/corpus/boot/<loader>: `disk.json` has the volumes and what is on them (`@file` is a file of the folder,
 * an empty text one that is merely there), `expected.json` the result. `UPDATE_GOLDEN=1` writes the latter anew; look
 * at the difference before it is committed.
 */
import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { deviceName } from "../../../../src/boot/loader/grub2/devices.ts";
import type { BootFile, BootVolume, LoaderResult } from "../../../../src/boot/loader/loader.ts";
import { findLoaders } from "../../../../src/boot/loader/loaders.ts";
import type { Partition } from "../../../../src/disk/content.ts";
import { memoryFs } from "../../../support/memory-fs.ts";

type DiskJson = {
  readonly volumes: readonly {
    readonly partition?: number;
    readonly table?: "mbr" | "gpt";
    /** Of the partition; a Linux filesystem when left out. */
    readonly type?: string;
    readonly kind?: string;
    readonly uuid: string;
    readonly label?: string;
    readonly files: Readonly<Record<string, string>>;
  }[];
};

const CORPUS = join(import.meta.dirname, "../../../corpus/boot");

function partition(number: number, type: string): Partition {
  return {
    number,
    offset: number * 1048576,
    size: 1048576,
    type,
    typeName: "Linux filesystem",
    bootable: false,
    partuuid: `part-${number}`,
    label: "",
    logical: false,
  };
}

function volumesOf(folder: string): BootVolume[] {
  const disk = JSON.parse(readFileSync(join(folder, "disk.json"), "utf8")) as DiskJson;
  return disk.volumes.map(({ files, kind = "ext4", ...volume }) => {
    const tree = Object.entries(files).map(([path, content]) => [
      path.slice(1),
      content.startsWith("@") ? readFileSync(join(folder, content.slice(1))) : content,
    ]);
    const step = volume.partition === undefined ? "whole disk" : `partition ${volume.partition}`;
    const where = ["xvda", step, kind];
    const { uuid, label = "" } = volume;
    return {
      fs: memoryFs(Object.fromEntries(tree), { kind, uuid, label, where }),
      vdev: "xvda",
      diskIndex: 0,
      ...(volume.partition !== undefined && {
        partition: partition(volume.partition, volume.type ?? "0x83"),
      }),
      ...(volume.table && { tableType: volume.table }),
    };
  });
}

function fileText({ volume, path }: BootFile): string {
  return `(${deviceName(volume)})${path}`;
}

/** As JSON that is good to read in a difference. */
function plain(result: LoaderResult) {
  return {
    config: fileText({ volume: result.volume, path: result.configPath }),
    timeout: result.timeout,
    chosen: result.chosen,
    because: result.because,
    entries: result.entries.map((entry) => ({
      ...entry,
      kernel: entry.kernel && fileText(entry.kernel),
      hypervisor: entry.hypervisor && fileText(entry.hypervisor),
      ramdisks: entry.ramdisks.map(fileText),
      missing: entry.missing.map(fileText),
    })),
    findings: result.findings.map(({ code, where }) => `${code} at ${where.join(" > ")}`),
  };
}

const cases = readdirSync(CORPUS).flatMap((family) =>
  readdirSync(join(CORPUS, family))
    .map((name) => join(family, name))
    .filter((name) => existsSync(join(CORPUS, name, "disk.json"))),
);

test.each(cases)("%s", async (name) => {
  const folder = join(CORPUS, name);
  const { results, tried } = await findLoaders(volumesOf(folder));
  const found = {
    results: results.map(plain),
    tried: tried.map(({ where, failure }) => ({ where: where.join(" > "), failure })),
  };
  const expected = join(folder, "expected.json");
  const text = `${JSON.stringify(found, null, 2)}\n`;
  if (process.env["UPDATE_GOLDEN"]) writeFileSync(expected, text);
  expect(text).toBe(readFileSync(expected, "utf8"));
});
