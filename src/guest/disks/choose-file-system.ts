/** From `xvda1:/boot/grub` to a filesystem and a path in it. */
import { attempt, FailureError, missing } from "../../base/failure.ts";
import type { BootVolume } from "../../boot/loader/loader.ts";
import { resolvePath } from "../../disk/fs/resolve.ts";
import type { Resolved } from "../../disk/fs/resolve.ts";
import type { Target } from "./open-target.ts";
import { partitionDevice } from "./device-names.ts";

export type Chosen = {
  readonly volume: BootVolume;
  /** The volume's name in the guest: `xvda1`. */
  readonly device: string;
  readonly path: string;
  readonly resolved: Resolved;
};

/**
 * `PATH` is searched for in every filesystem, those that look like a root first; `VOLUME:PATH` in one, named by its
 * device in the guest (`xvda1`, `vg0/root`), its partition number (`1`), its label or its uuid.
 */
export async function chooseFile(target: Target, spec: string): Promise<Chosen> {
  const { volume: wanted, path } = splitSpec(spec);
  const all = fileSystems(target);
  if (all.length === 0) throw missing([target.name], "filesystem that domus can read");
  const candidates = wanted === undefined ? all : all.filter((one) => answersTo(one, wanted));
  if (candidates.length === 0) {
    const names = all.map((one) => one.device).join(", ");
    throw missing([target.name], `filesystem "${wanted}" (there are: ${names})`);
  }
  for (const { volume, device } of candidates) {
    const found = await attempt(() => resolvePath(volume.fs, path));
    if (found.ok) return { volume, device, path, resolved: found.value };
    // Only an absence lets the search go on: damage must not send it to another filesystem's file.
    if (found.failure.kind !== "missing") {
      throw new FailureError(found.failure);
    }
  }
  const names = candidates.map((one) => one.device).join(", ");
  throw missing([target.name], `file ${path} (looked in ${names})`);
}

/**
 * `xvda1:/boot`, `vg0/root:/boot`, `/dev/mapper/vg0-root:/boot`: a volume before the colon, when what follows is
 * absolute.
 */
export function splitSpec(spec: string): { volume?: string; path: string } {
  const match = /^([^/:]+(?:\/[^/:]+)?|\/dev(?:\/[^/:]+){1,3}):(\/.*|)$/s.exec(spec);
  if (match) return { volume: match[1]!, path: match[2] === "" ? "/" : match[2]! };
  return { path: spec.startsWith("/") ? spec : `/${spec}` };
}

type Named = {
  readonly volume: BootVolume;
  readonly device: string;
  readonly aliases: readonly string[];
  readonly root: boolean;
};

export function fileSystems(target: Target): Named[] {
  const all = target.disks.flatMap((disk) =>
    disk.bootVolumes.map((volume) => {
      const device = volume.device ?? partitionDevice(volume.vdev, volume.partition?.number);
      const facts = disk.facts.volumes.find((one) => one.device === device);
      const aliases = facts?.aliases ?? [];
      return { volume, device, aliases, root: facts?.looksLikeRoot === true };
    }),
  );
  return [...all.filter((one) => one.root), ...all.filter((one) => !one.root)];
}

function answersTo({ volume, device, aliases }: Named, wanted: string): boolean {
  const names = [device, ...aliases];
  return (
    names.includes(wanted) ||
    names.includes(`/dev/${wanted}`) ||
    names.includes(`/dev/mapper/${wanted}`) ||
    String(volume.partition?.number ?? "") === wanted ||
    volume.fs.label === wanted ||
    volume.fs.uuid.toLowerCase() === wanted.toLowerCase()
  );
}
