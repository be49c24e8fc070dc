import type { Rule } from "../rule.ts";

export const diskMissing: Rule = {
  code: "disk-missing",
  severity: "error",
  summary: "A disk's target is not there, so xl create fails.",
  check: ({ disks, config }) =>
    disks
      .filter((disk) => disk.state === "missing")
      .map(({ spec, target }) => ({
        code: "disk-missing",
        severity: "error",
        where: [...config.where, spec.vdev],
        what: `The disk ${spec.vdev} points to ${target}, which is not there.`,
        why: `xl create stops with "Disk vdev=${spec.vdev} failed to stat: ${target}: No such file or directory" and the guest is not made.`,
        next: spec.cdrom
          ? "Put the image back, or take the drive out of disk=."
          : target.startsWith("/dev/")
            ? "See whether the volume exists and is active: lvs -a, then vgchange -ay VG. If it has another name now, correct disk= in the config."
            : "Put the image back, mount the filesystem that it is on, or correct disk= in the config.",
      })),
};
