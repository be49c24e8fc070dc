/** GRUB 0.97's names of disks and partitions: `(hd0,0)` counts both from 0. */
import type { BootVolume } from "../loader.ts";

export type DevicePath = {
  /** `undefined` when the path has no device and the root is meant. */
  readonly device: string | undefined;
  /** As far as the first blank. */
  readonly path: string;
};

/** `(hd0,0)/vmlinuz`, `/vmlinuz`; `undefined` when the parenthesis is not closed. */
export function parseDevicePath(text: string): DevicePath | undefined {
  const word = text.split(" ", 1)[0]!;
  if (!word.startsWith("(")) return { device: undefined, path: word };
  const close = word.indexOf(")");
  if (close < 0) return undefined;
  return { device: word.slice(1, close), path: word.slice(close + 1) };
}

/** The filesystem on `hd0` or `hd0,1`. Partitions of BSD disklabels (`hd0,0,a`) are not known. */
export function findDevice(volumes: readonly BootVolume[], device: string): BootVolume | undefined {
  const match = /^hd(\d{1,3})(?:,(\d{1,3}))?$/.exec(device);
  if (!match) return undefined;
  const disk = Number(match[1]);
  const number = match[2] === undefined ? undefined : Number(match[2]) + 1;
  return (
    volumes.find(
      (one) =>
        one.grubName === undefined && one.diskIndex === disk && one.partition?.number === number,
    ) ?? volumes.find((one) => isGivenPartition(one, disk, number))
  );
}

/** A guest may be given partitions without a disk around them: `(hd0,1)` is then what its config calls xvda2. */
function isGivenPartition(
  { vdev, partition, grubName }: BootVolume,
  disk: number,
  number: number | undefined,
): boolean {
  const name = /^(?:xvd|sd|hd)([a-z])(\d+)$/.exec(vdev);
  if (!name || partition || grubName !== undefined) return false;
  return name[1]!.charCodeAt(0) - 97 === disk && Number(name[2]) === number;
}

/** `uuid` and `find --set-root` go from disk to disk, the partitions in order. */
export function byDevice(volumes: readonly BootVolume[]): BootVolume[] {
  return volumes
    .filter((one) => one.grubName === undefined)
    .toSorted(
      (a, b) =>
        a.diskIndex - b.diskIndex || (a.partition?.number ?? 0) - (b.partition?.number ?? 0),
    );
}
