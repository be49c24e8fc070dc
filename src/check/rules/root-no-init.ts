import { whereText } from "../../base/where.ts";
import { parseCommandLine } from "../../boot/command-line.ts";
import { rootVolume } from "../guest-boot.ts";
import { suggestionText } from "../root-names.ts";
import type { Rule } from "../rule.ts";

export const rootNoInit: Rule = {
  code: "root-no-init",
  severity: "warning",
  summary:
    "The root filesystem has no init that domus knows: it is another filesystem, or the restore was not complete.",
  check: (facts) => {
    const { boot } = facts;
    const volume = rootVolume(facts);
    // On btrfs the root is usually a subvolume, which is not what was looked at.
    if (!boot || volume?.looksLikeRoot !== false || volume.format === "btrfs") return [];
    if (parseCommandLine(boot.args).init !== undefined) return [];
    return [
      {
        code: "root-no-init",
        severity: "warning",
        where: volume.where,
        what: `The root ${whereText(volume.where)} has neither /sbin/init nor systemd nor a shell.`,
        why: 'If they are not on another filesystem (/usr of its own), the boot ends with "No init found. Try passing init= bootarg." or "Kernel panic - not syncing: No working init found."',
        next: `See what is on it: domus disk ls. If it is the wrong filesystem: ${suggestionText(facts)}`,
        undecided: true,
      },
    ];
  },
};
