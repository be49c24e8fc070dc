import { whereText } from "../../base/where.ts";
import { shellWord, shorten } from "../remedy.ts";
import type { GuestFacts } from "../facts.ts";
import type { Rule } from "../rule.ts";

const code = "root-no-subvolume";

export const rootNoSubvolume: Rule = {
  code,
  severity: "error",
  summary: "The subvolume that rootflags= names is not in the root filesystem.",
  check: (facts) => {
    const { boot } = facts;
    const root = boot?.root;
    const { option, state } = root?.view ?? {};
    if (!boot || !root?.where || option === undefined || state !== "missing") return [];
    return [
      {
        code,
        severity: "error",
        where: root.where,
        what: `The root ${whereText(root.where)} has no subvolume that rootflags=${shorten(option)} names.`,
        why: 'The kernel mounts nothing in its place. The mount ends with "No such file or directory", and the boot in a shell of the initramfs.',
        next: `${atLoader(facts)} \`btrfs subvolume list /\` in the guest, or in a rescue system, shows which there are.`,
      },
    ];
  },
};

function atLoader({ boot, name }: GuestFacts): string {
  if (boot?.loader === "direct") return "Change rootflags= in the config's cmdline= (or extra=).";
  return `For one boot, edit the entry: xl create -c ${shellWord(name)}.cfg. For good, in the guest: mount the right subvolume as /, then update-grub (grub2-mkconfig -o /boot/grub2/grub.cfg), which writes rootflags=.`;
}
