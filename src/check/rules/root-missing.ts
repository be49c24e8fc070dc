import { lastValue, parseCommandLine } from "../../boot/command-line.ts";
import { hasRamdisk } from "../guest-boot.ts";
import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { changeRoot, suggestionText } from "../root-names.ts";
import type { Rule, RuleFinding } from "../rule.ts";

const code = "root-missing";

export const rootMissing: Rule = {
  code,
  severity: "error",
  summary: "There is no root= on the kernel's command line.",
  check: (facts) => {
    const { boot } = facts;
    if (!boot || boot.root || (parseCommandLine(boot.args).root ?? "") !== "") return [];
    // dracut and mkinitcpio hand on what was written into the image when it was made.
    if (boot.initramfs.some(bringsRoot)) return [];
    const judged = boot.loader === "links" ? argumentsUnknown() : judgeBy(facts, boot);
    return [{ code, where: boot.source, ...judged }];
  },
};

/** No loader's configuration was found, only a kernel: what it is started with is anybody's guess. */
function argumentsUnknown(): Omit<RuleFinding, "code" | "where"> {
  return {
    severity: "warning",
    what: "The kernel's command line is not known.",
    why: "The disks have links to a kernel and its initramfs, and no configuration of a loader that says with which arguments they start.",
    next: "In the guest, write the loader's configuration anew (update-grub), or name the kernel with kernel=, ramdisk= and root= in the config.",
    undecided: true,
  };
}

function bringsRoot({ config }: PlannedBoot["initramfs"][number]): boolean {
  const files = [...(config ?? [])];
  return files.some(
    ([path, text]) => /cmdline|^conf\/|\.conf$/.test(path) && /(^|\s)(root|ROOT)=\S/m.test(text),
  );
}

function judgeBy(facts: GuestFacts, boot: PlannedBoot): Omit<RuleFinding, "code" | "where"> {
  const what = "There is no root= on the kernel's command line.";
  const next = `${suggestionText(facts)} ${changeRoot(facts)}`;
  if (!hasRamdisk(boot)) {
    return {
      severity: "error",
      what,
      why: 'Without an initramfs nothing else can say what the root is: "VFS: Unable to mount root fs on unknown-block(0,0)".',
      next,
    };
  }
  // Live systems are told by boot=live or boot=casper where to look.
  const boots = lastValue(parseCommandLine(boot.args).args, "boot") ?? "local";
  if (boots === "local" && boot.initramfs.some((image) => image.generator === "initramfs-tools")) {
    return {
      severity: "error",
      what,
      why: 'The initramfs stops with "No root device specified. Boot arguments must include a root= parameter."',
      next,
    };
  }
  return {
    severity: "warning",
    what,
    why: "Some initramfs images find the root by themselves (systemd by its partition type) or are the whole system (installers, rescue systems); whether this one does cannot be told from outside.",
    next: `If it is one of those, nothing. Otherwise: ${next}`,
    undecided: true,
  };
}
