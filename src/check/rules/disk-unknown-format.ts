import { filesAreInDom0 } from "../guest-boot.ts";
import type { Rule } from "../rule.ts";

export const diskUnknownFormat: Rule = {
  code: "disk-unknown-format",
  severity: "note",
  summary:
    "A disk is of a kind that domus does not read: qcow2 with a backing file, qed, a script's, another domain's.",
  check: (facts) =>
    facts.disks
      .filter((disk) => disk.state === "not-read")
      .map(({ spec, target, failure }) => {
        const feature =
          failure?.kind === "unsupported" ? failure.feature : `the ${spec.format} disk format`;
        const isBacked = /backing file|differencing VHD/.test(feature);
        const uses = filesAreInDom0(facts)
          ? "Its kernel is dom0's own, so this matters only if the root is on this disk."
          : "If the guest boots from this disk, domus cannot tell what.";
        return {
          code: "disk-unknown-format",
          severity: "note",
          where: [...facts.config.where, spec.vdev],
          what: `domus did not look into the disk ${spec.vdev} (${target}).`,
          why: `It does not read ${feature}. ${uses}`,
          next: isBacked
            ? "If you trust what the image names, allow it: domus check --backing DIR, with the directory that the file behind the image is in (qemu-img info IMAGE names it)."
            : spec.script === undefined && spec.backend === undefined
              ? `To have it checked, convert a copy: qemu-img convert -O raw ${target} COPY, then domus disk parts COPY.`
              : "Check this disk where it is attached: domus disk parts DEVICE.",
        };
      }),
};
