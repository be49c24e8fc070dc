import { attempt } from "../../base/failure.ts";
import type { VolumeFacts } from "../../check/facts.ts";
import type { Content, Volume } from "../../disk/content.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { resolvePath } from "../../disk/fs/resolve.ts";

/** The whole disk and its partitions, as plain facts; `vdev` is the disk's name in the guest. */
export async function volumeFacts(volume: Volume, vdev: string): Promise<VolumeFacts[]> {
  const facts: VolumeFacts[] = [await factsOf(volume, vdev)];
  for (const child of volume.children) {
    facts.push(await factsOf(child, partitionDevice(vdev, child.partition?.number)));
  }
  return facts;
}

/** The kernel's name of a partition: `xvda1`, and `nvme0n1p1` where the disk's own name ends in a digit. */
export function partitionDevice(vdev: string, number: number | undefined): string {
  if (number === undefined) return vdev;
  return /\d$/.test(vdev) ? `${vdev}p${number}` : `${vdev}${number}`;
}

async function factsOf(volume: Volume, device: string): Promise<VolumeFacts> {
  const { content, partition } = volume;
  const base = {
    where: volume.source.where,
    device,
    partuuid: partition?.partuuid ?? "",
    partlabel: partition?.label ?? "",
    sizeBytes: volume.source.size,
    format: formatOf(content),
    uuid: "",
    label: "",
  };
  switch (content.kind) {
    case "filesystem": {
      const { fs } = content;
      const looksLikeRoot = await isRoot(fs);
      return {
        ...base,
        uuid: fs.uuid,
        label: fs.label,
        clean: fs.state.clean,
        ...(looksLikeRoot !== undefined && { looksLikeRoot }),
      };
    }
    case "swap":
      return { ...base, uuid: content.uuid, label: content.label };
    case "named":
      return { ...base, uuid: content.uuid };
    case "member":
      return { ...base, uuid: content.member.id };
    case "table":
    case "empty":
    case "unknown":
      return base;
  }
}

/** `ext4`, `swap`, `LUKS`, `partition table (gpt)`. */
export function formatOf(content: Content): string {
  switch (content.kind) {
    case "filesystem":
      return content.fs.kind;
    case "table":
      return `partition table (${content.table.type})`;
    case "member":
      return content.member.system === "lvm2" ? "LVM2 physical volume" : "md RAID member";
    case "named":
      return content.format;
    case "swap":
    case "empty":
    case "unknown":
      return content.kind;
  }
}

/** What a kernel needs to find on its root: somewhere to start init from. Undefined when it could not be read. */
async function isRoot(fs: FileSystem): Promise<boolean | undefined> {
  for (const path of ["/sbin/init", "/usr/lib/systemd/systemd", "/etc/inittab", "/bin/sh"]) {
    const found = await attempt(() => resolvePath(fs, path));
    if (found.ok) return true;
    if (found.failure.kind !== "missing") return undefined;
  }
  return false;
}
