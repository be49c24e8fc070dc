import { listText } from "../remedy.ts";
import type { Rule } from "../rule.ts";

export const filesystemDirty: Rule = {
  code: "filesystem-dirty",
  severity: "note",
  summary:
    "A filesystem was not unmounted: the guest is running, or it stopped without shutting down.",
  check: ({ disks }) => {
    const dirty = disks.flatMap((disk) => disk.volumes).filter((volume) => volume.clean === false);
    const [first] = dirty;
    if (!first) return [];
    const names = dirty.map((volume) => volume.device ?? volume.where.join(" > "));
    return [
      {
        code: "filesystem-dirty",
        severity: "note",
        where: first.where,
        what: `Not cleanly unmounted: ${listText(names)}.`,
        why: "That is normal while the guest runs. If it does not, it was destroyed or crashed; it replays its journal at the next boot, which may take a while.",
        next: "Nothing, as a rule. If the boot stops at the filesystem check, run fsck from a rescue system, on a copy or a snapshot first.",
      },
    ];
  },
};
