/** What a GRUB image does with a guest's disks: its own first configuration, then what that leads to. */
import { encodeText } from "../../bytes/text.ts";
import type { Where } from "../../base/where.ts";
import { evaluateGrub2 } from "../loader/grub2/evaluate.ts";
import type { BootVolume, LoaderResult } from "../loader/loader.ts";
import type { GrubImage } from "./grub-image.ts";
import { memdiskFileSystem } from "./memdisk.ts";
import { parseTar } from "./tar.ts";

const MEMDISK = "memdisk";
/** Where the first configuration is put, beside the prefix, so that $prefix comes out as in the image. */
const FIRST = "embedded.cfg";

export type RunImageOptions = {
  /** The guest's filesystems. */
  readonly volumes: readonly BootVolume[];
  /** Of the image. */
  readonly where: Where;
  readonly signal?: AbortSignal;
};

/**
 * The entry that is started in the end; none when nothing on the disks leads to one. Fails as `evaluateGrub2` does, and
 * with `corrupt` for a disk in memory that is no archive.
 */
export async function runGrubImage(
  image: GrubImage,
  { volumes, where, signal }: RunImageOptions,
): Promise<LoaderResult> {
  const files = new Map(image.memdisk ? parseTar(image.memdisk, [...where, MEMDISK]) : []);
  const prefix = /^\(memdisk\)\/?(.*)$/.exec(image.prefix)?.[1] ?? "";
  const path = [prefix, FIRST].filter(Boolean).join("/");
  files.set(path, encodeText(firstConfig(image)));
  const memdisk: BootVolume = {
    fs: memdiskFileSystem(files, [...where, MEMDISK]),
    vdev: MEMDISK,
    diskIndex: volumes.length,
    grubName: MEMDISK,
  };
  return evaluateGrub2({
    config: { volume: memdisk, path: `/${path}` },
    volumes: [memdisk, ...volumes.map((volume) => asXenGrubSees(volume))],
    platform: { platform: image.platform, cpu: image.cpu },
    ...(signal && { signal }),
  });
}

/** `normal FILE` shows the menu of that file; without a file, or a first configuration, that of $prefix/grub.cfg. */
function firstConfig({ config }: GrubImage): string {
  const lines = config.split("\n").map((line) => line.replace(/^\s*normal(?=\s|$)/, "configfile"));
  const shown = lines.map((line) =>
    /^\s*configfile\s*$/.test(line) ? "configfile $prefix/grub.cfg" : line,
  );
  const ends = shown.some((line) => line.startsWith("configfile"));
  return `${shown.join("\n")}\n${ends ? "" : "configfile $prefix/grub.cfg\n"}`;
}

/** This GRUB has no hd0: its disks are `xen/xvda` (grub-core/disk/xen/xendisk.c). */
function asXenGrubSees(volume: BootVolume): BootVolume {
  if (volume.grubName !== undefined) return volume;
  const disk = `xen/${volume.vdev}`;
  if (!volume.partition) return { ...volume, grubName: disk };
  const map = volume.tableType === "gpt" ? "gpt" : "msdos";
  const { number } = volume.partition;
  return {
    ...volume,
    grubName: `${disk},${map}${number}`,
    grubIds: [`${disk},${number}`],
  };
}
