/** `domus disk usage`: df for a guest's filesystems, du for a directory in one. */
import { misuse } from "../../base/failure.ts";
import { explainFailure } from "../../base/explain.ts";
import { chooseFile } from "../../guest/disks/choose-file-system.ts";
import { measureDirectory } from "../../guest/disks/directory-usage.ts";
import { openTarget } from "../../guest/disks/open-target.ts";
import { measureDisks } from "../../guest/disks/volume-space.ts";
import type { Context } from "../context.ts";
import { EXIT } from "../exit-codes.ts";
import { failing } from "../failing.ts";
import { directoryText, spaceJson, spaceText } from "../render/usage.ts";
import type { DiskFlags } from "./disk-run.ts";

export type DiskUsageFlags = DiskFlags & { readonly depth?: number; readonly top?: number };

const DEFAULT_TOP = 10;
const MAX_TOP = 10_000;

export const usage = failing(async function (
  this: Context,
  flags: DiskUsageFlags,
  name: string,
  path?: string,
) {
  const { out, signal } = this;
  const depth = numberIn(flags.depth ?? 1, "--depth", 256);
  const top = numberIn(flags.top ?? DEFAULT_TOP, "--top", MAX_TOP);
  await using target = await openTarget(this.openHost(flags.root), name, {
    backing: flags.backing,
    signal,
  });
  if (path === undefined) {
    const disks = await measureDisks(target.disks, signal);
    if (flags.json) out.json({ target: target.name, disks: disks.map(spaceJson) });
    else out.result(spaceText(disks, out));
    const unread = disks.some((disk) => disk.failure ?? disk.volumes.some((one) => one.failure));
    return unread ? EXIT.failed : EXIT.done;
  }
  const { volume, device, resolved } = await chooseFile(target, path);
  if (resolved.inode.kind !== "directory") {
    throw misuse(
      `${resolved.path} is a ${resolved.inode.kind}, not a directory.`,
      `domus disk ls shows its size: domus disk ls ${name} ${path}`,
    );
  }
  const found = await measureDirectory(volume.fs, resolved, {
    ...{ depth, top, signal },
    onProgress: (count) => out.progress(`${count} files`),
  });
  out.progress("");
  if (flags.json) {
    const failures = found.failures.map((one) => ({
      path: one.path,
      ...explainFailure(one.failure),
    }));
    out.json({ target: target.name, volume: device, ...found, failures });
  } else out.result(directoryText(found, { name: target.name, device, kind: volume.fs.kind }, out));
  return found.failureCount > 0 ? EXIT.failed : EXIT.done;
});

function numberIn(value: number, flag: string, most: number): number {
  if (Number.isInteger(value) && value > 0 && value <= most) return value;
  throw misuse(`${flag} takes a whole number from 1 to ${most}.`, `For example: ${flag} 3`);
}
