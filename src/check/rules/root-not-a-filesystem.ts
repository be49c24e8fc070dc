import { whereText } from "../../base/where.ts";
import { shorten } from "../remedy.ts";
import { changeRoot, suggestionText } from "../root-names.ts";
import type { Rule } from "../rule.ts";

const code = "root-not-a-filesystem";

export const rootNotAFilesystem: Rule = {
  code,
  severity: "error",
  summary:
    "What root= names is there, but is no filesystem: a whole disk with partitions, swap, something encrypted.",
  check: (facts) => {
    const { boot } = facts;
    const root = boot?.root;
    if (!boot || !root?.where || root.format === undefined) return [];
    const base = { code, where: root.where };
    const text = shorten(root.spec.text);
    if (/^(swap|empty|partition table)/.test(root.format)) {
      return [
        {
          ...base,
          severity: "error",
          what: `root=${text} is ${whereText(root.where)}, which holds no filesystem: ${root.format}.`,
          why: root.format.startsWith("partition table")
            ? "The name is that of the whole disk; the root is in one of its partitions."
            : "There is nothing that could be mounted.",
          next: `${suggestionText(facts)} ${changeRoot(facts)}`,
        },
      ];
    }
    if (!/^(unknown$|LUKS|bcache|ZFS|LVM2|md RAID)/i.test(root.format)) return [];
    return [
      {
        ...base,
        severity: "warning",
        what: `root=${text} is ${whereText(root.where)}, which domus cannot look into: ${root.format}.`,
        why: "It may be a root that the initramfs can open, or damage; that cannot be told from outside.",
        next: "If the guest has booted like this before, nothing. Otherwise look from a rescue system: blkid, file -s.",
        undecided: true,
      },
    ];
  },
};
