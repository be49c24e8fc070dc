import type { HostMount, NeighbourDisk } from "../host-around.ts";
import { shellWord } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "disk-mounted";

export const diskMounted: Rule = {
  code,
  severity: "error",
  summary: "dom0 itself has mounted a disk of this guest, or something on it.",
  check: ({ around, config }) => {
    if (!around?.mounts) return [];
    const { mounts, self } = around;
    return self.disks.flatMap((disk) => {
      const mount = mounts.find((one) => conflicts(disk, one));
      if (!mount) return [];
      return [{ code, where: [...config.where, disk.vdev], ...textOf(disk, mount) }];
    });
  },
};

/** Two readers do each other no harm. */
function conflicts(disk: NeighbourDisk, mount: HostMount): boolean {
  return mount.keys.includes(disk.key) && !(disk.readonly && mount.readonly);
}

function textOf(disk: NeighbourDisk, mount: HostMount): Omit<RuleFinding, "code" | "where"> {
  const isSwap = mount.mountPoint === "swap";
  const how = isSwap ? "uses it as swap" : `has it mounted on ${mount.mountPoint}`;
  const next = isSwap
    ? `Take it from dom0: swapoff ${shellWord(mount.device)}, and out of dom0's /etc/fstab.`
    : `Unmount it in dom0 first: umount ${shellWord(mount.mountPoint)}${mount.device.startsWith("/dev/mapper/") ? "; if kpartx made the mapping, kpartx -d too" : ""}. To look into a guest's disk without mounting it: domus disk ls.`;
  // The script block of Xen looks for the very device among the mounts, not for what lies on it.
  const isSame = mount.keys[0] === disk.key && disk.blockDevice && !isSwap;
  if (isSame) {
    return {
      severity: "error",
      what: `The disk ${disk.vdev} (${disk.target}) is in use: dom0 ${how}.`,
      why: 'xl create fails: "Device ... is mounted in the privileged domain, and so cannot be mounted by a guest." Both would write to one filesystem and destroy it.',
      next,
    };
  }
  return {
    severity: "warning",
    what: `Something on the disk ${disk.vdev} (${disk.target}) is in use: dom0 ${how} (${mount.device}).`,
    why: "Xen does not notice and starts the guest. Both then write to one filesystem and destroy it.",
    next,
  };
}
