import { whereText } from "../../base/where.ts";
import type { GuestFacts } from "../facts.ts";
import { isBuiltByXen } from "../guest-boot.ts";
import { opaqueVolumes } from "../opaque-volumes.ts";
import { shellWord, shorten } from "../remedy.ts";
import type { Rule } from "../rule.ts";

const code = "no-boot-entry";

export const noBootEntry: Rule = {
  code,
  severity: "error",
  summary: "Nothing on the guest's disks, and nothing in its config, says which kernel to start.",
  check: (facts) => {
    const { boot, config, disks } = facts;
    // A disk that is not there is the cause, and its own finding.
    if (boot || disks.some((disk) => disk.state === "missing")) return [];
    const opaque = opaqueVolumes(facts);
    const certain = opaque.length === 0 && facts.pygrub?.unmodelled === undefined;
    const base = { code, where: config.where, why: whyText(facts, opaque) };
    if (!isBuiltByXen(facts)) {
      return [
        {
          ...base,
          severity: "warning",
          what: "domus found no loader configuration that it knows on this HVM guest's disks.",
          next: `It may boot all the same: another system, another loader, the network. See what is there: domus disk parts ${shellWord(facts.name)}.`,
          undecided: true,
        },
      ];
    }
    return [
      {
        ...base,
        severity: certain ? "error" : "warning",
        what: certain
          ? "No kernel to start: no loader configuration on its disks, and no kernel= in its config."
          : "domus found no loader configuration, and could not look everywhere.",
        next:
          disks.length === 0
            ? "Add the guest's disk to disk= in the config, or name a kernel of dom0 with kernel= and ramdisk=."
            : `See what is there: domus disk parts ${shellWord(facts.name)}. Then install a loader configuration in the guest (update-grub), or name a kernel of dom0 with kernel= and ramdisk= in the config.`,
        ...(!certain && { undecided: true as const }),
      },
    ];
  },
};

function whyText({ bootTried, disks, pygrub }: GuestFacts, opaque: readonly string[]): string {
  if (disks.length === 0 && bootTried.length === 0)
    return "The config has no disks and no kernel=.";
  const tried = bootTried.slice(0, 8).map(({ where, said }) => {
    const place = whereText(where);
    return shorten(said.startsWith(place) ? said : `${place}: ${said}`, 240);
  });
  const rest = bootTried.length - tried.length;
  const looked =
    tried.length === 0 ? "No filesystem was found to look in." : `Looked at ${tried.join("; ")}.`;
  return [
    looked,
    ...(rest > 0 ? [`And ${rest} more.`] : []),
    ...(pygrub?.unmodelled === undefined
      ? []
      : [`pygrub would read ${pygrub.unmodelled}, which domus does not.`]),
    ...(opaque.length > 0 ? [`Not looked into: ${opaque.slice(0, 8).join(", ")}.`] : []),
  ].join(" ");
}
