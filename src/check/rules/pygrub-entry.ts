import { singleSlashes } from "../../base/path.ts";
import { shorten } from "../remedy.ts";
import type { ConfiguredBoot } from "../facts.ts";
import type { PygrubView } from "../../boot/pygrub-view.ts";
import type { Rule } from "../rule.ts";

export const pygrubEntry: Rule = {
  code: "pygrub-entry",
  severity: "warning",
  summary: "pygrub starts another entry than the guest's own loader configuration asks for.",
  check: ({ pygrub, configured, config }) => {
    const entry = pygrub?.entry;
    if (!entry || !configured) return [];
    const difference = differenceOf(entry, configured);
    if (difference === undefined) return [];
    const wanted = configured.entry === undefined ? "another" : `"${shorten(configured.entry)}"`;
    return [
      {
        code: "pygrub-entry",
        severity: "warning",
        where: [...config.where, "bootloader"],
        what: `pygrub starts "${shorten(entry.title)}" (entry ${entry.index}), not ${wanted}, which the loader configuration asks for.`,
        why: `pygrub reads ${entry.configPath} by rules of its own: it takes a numeric default only and flattens submenus, otherwise it starts entry 0. ${difference} The guest's GRUB would take its entry because of ${configured.because}. This check judges what pygrub starts.`,
        next: "Make both agree: in the guest, move the wanted entry to the top (or set GRUB_DEFAULT=0 and GRUB_DISABLE_SUBMENU=y and run update-grub). For one boot, xl create -c shows pygrub's menu.",
      },
    ];
  },
};

function differenceOf(
  entry: NonNullable<PygrubView["entry"]>,
  configured: ConfiguredBoot,
): string | undefined {
  if (singleSlashes(entry.kernelPath) !== configured.kernel) {
    return `Its kernel is ${entry.kernelPath}, not ${configured.kernel}.`;
  }
  const own = entry.ramdiskPath === undefined ? [] : [singleSlashes(entry.ramdiskPath)];
  if (own.join("\n") !== configured.ramdisks.join("\n")) {
    return `Its initramfs is ${entry.ramdiskPath ?? "none"}, not ${configured.ramdisks.join(" + ") || "none"}.`;
  }
  // libxl appends what the config says; only a difference in the entry itself counts.
  if (words(configured.args).startsWith(words(entry.args))) return undefined;
  return `The kernel is the same, but its command line is "${shorten(entry.args)}".`;
}

function words(args: string): string {
  return args.trim().split(/\s+/).join(" ");
}
