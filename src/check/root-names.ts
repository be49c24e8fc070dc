/** Names of root devices: what the config's disks are called in the guest, and what root= could say instead. */
import { listText, shellWord } from "./remedy.ts";
import type { GuestFacts, VolumeFacts } from "./facts.ts";
import { parseVdev } from "../xen/vdev.ts";

/**
 * The name that a Linux guest with PV drivers gives to a disk or partition: hda, sda and xvda are all xvda to it
 * (drivers/block/xen-blkfront.c). `undefined` for what is no disk name.
 */
export function pvName(device: string): string | undefined {
  return parseVdev(device.replace(/^\/dev\//, ""))?.guestName;
}

/** What could be the root: those that look like one, else every filesystem that one is usually on. */
function rootCandidates({ disks }: GuestFacts): VolumeFacts[] {
  const volumes = disks.flatMap((disk) => disk.volumes);
  const roots = volumes.filter((volume) => volume.looksLikeRoot === true);
  if (roots.length > 0) return roots;
  return volumes.filter((volume) => /^(ext[234]|xfs|btrfs|f2fs|jfs|reiserfs)$/.test(volume.format));
}

/** `root=UUID=... (xvda1, ext4)`, best first; for advice. */
function rootSuggestions(facts: GuestFacts): string[] {
  return rootCandidates(facts).map((volume) => {
    const device = volume.device === undefined ? "" : `${volume.device}, `;
    const name =
      volume.uuid !== ""
        ? `root=UUID=${volume.uuid}`
        : `root=/dev/${pvName(volume.device ?? "") ?? volume.device ?? "?"}`;
    return `${name} (${device}${volume.format})`;
  });
}

/** Where root= is written, and how it is changed there. */
export function changeRoot({ boot, config, name }: GuestFacts): string {
  if (boot?.loader === "direct") return "Change root= in the config (cmdline=, or root=).";
  const own = config.bootloader && config.cmdline.includes("root=");
  if (own) return "Change root= in the config (cmdline=, or root=): it overrules the loader's.";
  return `Change it where the menu comes from: in the guest /etc/default/grub and /etc/fstab, then update-grub (grub2-mkconfig -o /boot/grub2/grub.cfg). For one boot: xl create -c ${shellWord(name)}.cfg, and edit the entry.`;
}

export function suggestionText(facts: GuestFacts): string {
  const suggestions = rootSuggestions(facts);
  return suggestions.length === 0
    ? `domus disk parts ${shellWord(facts.name)} shows what there is.`
    : `There ${suggestions.length === 1 ? "is" : "are"}: ${listText(suggestions, 4)}.`;
}
