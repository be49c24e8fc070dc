import { whereText } from "../../base/where.ts";
import { listText, shorten } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const rootAmbiguous: Rule = {
  code: "root-ambiguous",
  severity: "warning",
  summary: "Two or more volumes answer to root=: clones or snapshots. Which one boots is chance.",
  check: ({ boot }) => {
    const root = boot?.root;
    if (!boot || !root?.where || !root.rivals || root.rivals.length === 0) return [];
    return [
      {
        code: "root-ambiguous",
        severity: "warning",
        where: boot.source,
        what: `root=${shorten(root.spec.text)} names ${root.rivals.length + 1} volumes: ${listText([root.where, ...root.rivals].map(whereText), 4)}.`,
        why: "They are copies of one another, and the guest takes the one that it happens to see first. It may come up with old data.",
        next: "Take the copy out of disk=, or give it an id of its own with the guest stopped: tune2fs -U random, xfs_admin -U generate, btrfstune -u.",
      },
    ];
  },
};
