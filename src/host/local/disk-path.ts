/** How a person names a disk: a path, or a logical volume as `vg/lv`. */
import { misuse, missing } from "../../base/failure.ts";
import { localKind } from "./files.ts";

/** What LVM allows in names (lvm(8), "VALID NAMES"), once each for group and volume. */
const VOLUME = /^([A-Za-z0-9+_][A-Za-z0-9+_.-]*)\/([A-Za-z0-9+_][A-Za-z0-9+_.-]*)$/;

export type ResolvedDisk = { readonly path: string; readonly kind: "file" | "block-device" };

/**
 * The path of an existing disk, or undefined when nothing is there. `misuse` when `name` is a logical volume and a file as well,
 * or something that is no disk.
 */
export async function findDisk(name: string): Promise<ResolvedDisk | undefined> {
  const kind = await localKind(name);
  const volume = VOLUME.test(name) ? `/dev/${name}` : undefined;
  if (volume !== undefined && (await localKind(volume)) === "block-device") {
    if (kind === "missing") return { path: volume, kind: "block-device" };
    throw misuse(
      `${name} is a logical volume, and a file in this directory as well.`,
      `Write ${volume} or ./${name}.`,
    );
  }
  if (kind === "missing") return undefined;
  if (kind === "file" || kind === "block-device") return { path: name, kind };
  throw misuse(
    kind === "directory" ? `${name} is a directory.` : `${name} is not a disk.`,
    "Name a block device, a file, or a logical volume as vg/lv.",
  );
}

/** As `findDisk`; `missing` when nothing is there. */
export async function resolveDisk(name: string): Promise<ResolvedDisk> {
  const found = await findDisk(name);
  if (found) return found;
  throw missing(
    [name],
    VOLUME.test(name)
      ? "such file, and no logical volume of that name that is active"
      : "such disk",
    "Look at the name: ls -l shows files and devices, lvs logical volumes; lvchange -ay VG/LV makes one active.",
  );
}
