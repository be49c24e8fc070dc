import { whereText } from "../../base/where.ts";
import type { Where } from "../../base/where.ts";
import { parseCommandLine } from "../../boot/command-line.ts";
import type { RootView } from "../../boot/root-device.ts";
import type { GuestFacts } from "../facts.ts";
import { rootVolume } from "../guest-boot.ts";
import { shorten } from "../remedy.ts";
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
    const root = boot?.root;
    // On btrfs any subvolume may be a root: it has to be the one that is mounted.
    const isRoot = root?.view ? root.view.looksLikeRoot : volume?.looksLikeRoot;
    if (!boot || !volume || isRoot !== false) return [];
    if (parseCommandLine(boot.args).init !== undefined) return [];
    return [
      {
        code: "root-no-init",
        severity: "warning",
        where: volume.where,
        what: `The root ${placeText(volume.where, root?.view)} has neither /sbin/init nor systemd nor a shell.`,
        why: 'If they are not on another filesystem (/usr of its own), the boot ends with "No init found. Try passing init= bootarg." or "Kernel panic - not syncing: No working init found."',
        next: `See what is on it: domus disk ls. ${adviceText(facts)}`,
        undecided: true,
      },
    ];
  },
};

function placeText(where: Where, view: RootView | undefined): string {
  if (!view) return whereText(where);
  const name = view.option === undefined ? "the default subvolume" : shorten(view.option);
  return `${whereText(where)} (${name})`;
}

function adviceText(facts: GuestFacts): string {
  const view = facts.boot?.root?.view;
  if (!view) return `If it is the wrong filesystem: ${suggestionText(facts)}`;
  return view.option === undefined
    ? "If the root is in another subvolume: rootflags=subvol=NAME on the kernel's command line, or btrfs subvolume set-default."
    : "If the root is in another subvolume, rootflags= has to name that.";
}
