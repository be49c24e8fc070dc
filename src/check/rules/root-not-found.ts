import type { GuestFacts, PlannedBoot } from "../facts.ts";
import { opaqueVolumes } from "../opaque-volumes.ts";
import { listText, shorten } from "../remedy.ts";
import { changeRoot, pvName, suggestionText } from "../root-names.ts";
import { foreignName } from "./root-device-name.ts";
import type { Rule } from "../rule.ts";

const code = "root-not-found";

export const rootNotFound: Rule = {
  code,
  severity: "error",
  summary: "Nothing on the guest's disks is what root= names.",
  check: (facts) => {
    const { boot } = facts;
    const root = boot?.root;
    if (!boot || !root || root.where || foreignName(facts) !== undefined) return [];
    const text = shorten(root.spec.text);
    const base = { code, where: boot.source };
    if (root.complete && !isThereByAnotherName(facts)) {
      return [
        {
          ...base,
          severity: "error",
          what: `Nothing on this guest's disks is root=${text}.`,
          why: `All of them were read. ${waitText(boot, text)}`,
          next: `${suggestionText(facts)} ${changeRoot(facts)} Or a disk is missing in the config's disk= list.`,
        },
      ];
    }
    if (root.complete) return [];
    return [
      {
        ...base,
        severity: "note",
        what: `domus did not find root=${text}, but could not look everywhere.`,
        why: reasonText(facts),
        next: "If the guest has booted like this before, its root is most likely there. Look from inside: findmnt /",
        undecided: true,
      },
    ];
  },
};

/** xvda1 in root=, and sda in the config: the same disk to the guest. */
function isThereByAnotherName({ boot, disks }: GuestFacts): boolean {
  const spec = boot?.root?.spec;
  const wanted = spec?.kind === "path" ? pvName(spec.value) : undefined;
  if (wanted === undefined) return false;
  return disks
    .flatMap((disk) => disk.volumes)
    .some((volume) => volume.device !== undefined && pvName(volume.device) === wanted);
}

function waitText({ initramfs }: PlannedBoot, text: string): string {
  switch (initramfs.at(-1)?.generator) {
    case "initramfs-tools":
      return `The boot ends with "ALERT!  ${text} does not exist.  Dropping to a shell!"`;
    case "dracut":
      return `The boot ends with "dracut-initqueue timeout" and "Warning: ${text} does not exist".`;
    case "mkinitcpio":
      return `The boot ends with "ERROR: device '${text}' not found".`;
    case "booster":
    case "busybox":
    case "unknown":
    case undefined:
      return `The boot ends with 'VFS: Cannot open root device "${text}"' or in a shell of the initramfs.`;
  }
}

function reasonText(facts: GuestFacts): string {
  const kind = facts.boot?.root?.spec.kind;
  if (kind === "nfs") return "The root comes over the network; domus looks at disks only.";
  if (kind === "other") return "What this names is decided inside the initramfs.";
  const opaque = opaqueVolumes(facts);
  return opaque.length === 0
    ? "The name exists only while the guest runs."
    : `Not looked into: ${listText(opaque)}.`;
}
