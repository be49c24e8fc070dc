import { parseCommandLine } from "../../boot/command-line.ts";
import type { DiskFacts, GuestFacts } from "../facts.ts";
import { rootVolume } from "../guest-boot.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "disk-read-only";

export const diskReadOnly: Rule = {
  code,
  severity: "error",
  summary: "A disk that the guest writes to is read-only: in the config, or in dom0.",
  check: (facts) =>
    facts.disks.flatMap((disk) => {
      const found = inDom0(disk) ?? inTheConfig(facts, disk);
      return found ? [{ code, where: [...facts.config.where, disk.spec.vdev], ...found }] : [];
    }),
};

type Text = Omit<RuleFinding, "code" | "where">;

/** A snapshot without write permission, a device that somebody has set read-only. */
function inDom0({ spec, target, deviceReadOnly }: DiskFacts): Text | undefined {
  if (!deviceReadOnly || spec.readonly || spec.cdrom) return undefined;
  return {
    severity: "error",
    what: `The config gives the disk ${spec.vdev} to the guest for writing, but ${target} is read-only in dom0.`,
    why: "The backend cannot open it for writing, the disk does not come up, and xl create fails.",
    next: `Make it writable (lvchange -pw VG/LV for a logical volume, blockdev --setrw ${target}), or give it to the guest read-only: r in place of w in disk=.`,
  };
}

/** The root on a disk that the guest may only read. */
function inTheConfig(facts: GuestFacts, { spec }: DiskFacts): Text | undefined {
  const { boot, disks } = facts;
  const root = rootVolume(facts);
  const holdsRoot = root?.where[0] === spec.vdev;
  if (!boot || !spec.readonly || spec.cdrom || !holdsRoot || isReadOnlySystem(root.format))
    return undefined;
  const next = `Write w in place of r for ${spec.vdev} in disk=, unless the guest is made to run from a read-only root.`;
  const volume = disks.flatMap((disk) => disk.volumes).find(({ where }) => where === root.where);
  if (volume?.clean === false && /^(ext[34]|xfs|btrfs)$/.test(root.format)) {
    return {
      severity: "error",
      what: `The root is on ${spec.vdev}, which the guest may only read, and its journal has to be replayed first.`,
      why: `Replaying writes, so the mount fails: "${root.format === "xfs" ? "recovery required on read-only device" : "write access unavailable, cannot proceed"}".`,
      next,
    };
  }
  const wants = parseCommandLine(boot.args).readOnly === false ? " (rw on its command line)" : "";
  return {
    severity: "warning",
    what: `The root is on ${spec.vdev}, which the guest may only read.`,
    why: `The guest expects a root that it can write to${wants}: the mount, or what is started after it, fails on the first write.`,
    next,
  };
}

function isReadOnlySystem(format: string): boolean {
  return /^(iso9660|squashfs|erofs)$/.test(format);
}
