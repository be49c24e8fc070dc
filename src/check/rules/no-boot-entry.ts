import { whereText } from "../../base/where.ts";
import type { GuestFacts } from "../facts.ts";
import { isBuiltByXen } from "../guest-boot.ts";
import { opaqueVolumes } from "../opaque-volumes.ts";
import { shellWord, shorten } from "../remedy.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "no-boot-entry";

export const noBootEntry: Rule = {
  code,
  severity: "error",
  summary: "Nothing in the guest's config, and nothing on its disks, says which kernel to start.",
  check: (facts) => {
    const { boot, config, disks, pygrub } = facts;
    if (boot && !(boot.loader === "hvm-disk" && hasBrokenVolume(facts))) return [];
    // A disk that is not there is the cause, and its own finding.
    if (disks.some((disk) => disk.state === "missing")) return [];
    // pygrub decides then, and pygrub-blind tells.
    if (pygrub && !pygrub.entry) return [];
    // The firmware finds nothing either, and hvm-no-boot-code or hvm-no-efi-loader tells.
    if (facts.hvm && !facts.hvm.start && facts.hvm.complete && facts.hvm.looked.length > 0)
      return [];
    const finds = config.bootloader || config.firmware || !isBuiltByXen(facts);
    return [{ code, where: config.where, ...(finds ? nothingKnown(facts) : nobodyLooks(facts)) }];
  },
};

/** A logical volume that should be readable and is not: boot code alone does not make a boot then. */
function hasBrokenVolume({ disks }: GuestFacts): boolean {
  return disks.some(({ volumes }) =>
    volumes.some(
      ({ device, format }) => format === "unknown" && device?.startsWith("/dev/mapper/"),
    ),
  );
}

/** Neither dom0 nor the guest would look for a kernel on the disks. */
function nobodyLooks({ disks, config }: GuestFacts): Omit<RuleFinding, "code" | "where"> {
  const type = config.type.toUpperCase();
  return {
    severity: "error",
    what: "The config has neither kernel= nor bootloader=, so there is no kernel to start.",
    why: `A ${type} guest does not boot from its disk by itself: something in dom0 has to fetch the kernel.`,
    next:
      disks.length === 0
        ? "Name a kernel of dom0 with kernel= and ramdisk= in the config, and add the guest's disk to disk=."
        : 'Set bootloader="pygrub" in the config to start the kernel on the guest\'s disk, or name one of dom0 with kernel= and ramdisk=.',
  };
}

/** Something may find a kernel where domus does not. */
function nothingKnown(facts: GuestFacts): Omit<RuleFinding, "code" | "where"> {
  const next = `See what is there: domus disk parts ${shellWord(facts.name)}.`;
  return {
    severity: "warning",
    what: "domus found no loader configuration that it can read on this guest's disks.",
    why: whyText(facts),
    next: isBuiltByXen(facts)
      ? `${next} If there is none, install one in the guest (update-grub), or name a kernel of dom0 with kernel= and ramdisk= in the config.`
      : `${next} An HVM guest may boot all the same: another system, another loader, the network.`,
    undecided: true,
  };
}

function whyText(facts: GuestFacts): string {
  const { bootTried, disks } = facts;
  const opaque = opaqueVolumes(facts);
  if (disks.length === 0 && bootTried.length === 0) return "The config has no disks.";
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
    ...(opaque.length > 0 ? [`Not looked into: ${opaque.slice(0, 8).join(", ")}.`] : []),
  ].join(" ");
}
