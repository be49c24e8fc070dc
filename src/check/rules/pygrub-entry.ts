import { shorten } from "../remedy.ts";
import type { PlannedBoot } from "../facts.ts";
import type { PygrubView } from "../../boot/pygrub-view.ts";
import type { Rule } from "../rule.ts";

export const pygrubEntry: Rule = {
  code: "pygrub-entry",
  severity: "warning",
  summary: "pygrub starts another entry than the guest's own loader configuration asks for.",
  check: ({ pygrub, boot, config }) => {
    const entry = pygrub?.entry;
    if (!entry || !boot || boot.loader === "direct") return [];
    const difference = differenceOf(entry, boot);
    if (difference === undefined) return [];
    const wanted = boot.entry === undefined ? "another" : `"${shorten(boot.entry)}"`;
    return [
      {
        code: "pygrub-entry",
        severity: "warning",
        where: [...config.where, "bootloader"],
        what: `pygrub starts "${shorten(entry.title)}" (entry ${entry.index}), not ${wanted}, which the loader configuration asks for.`,
        why: `pygrub reads ${entry.configPath} by rules of its own: it takes a numeric default only and flattens submenus, otherwise it starts entry 0. ${difference.text}`,
        next: "Make both agree: in the guest, move the wanted entry to the top (or set GRUB_DEFAULT=0 and GRUB_DISABLE_SUBMENU=y and run update-grub). For one boot, xl create -c shows pygrub's menu.",
        ...(difference.files && { undecided: true as const }),
      },
    ];
  },
};

/** `files`: it would start other files, which domus has not read. */
function differenceOf(
  entry: NonNullable<PygrubView["entry"]>,
  boot: PlannedBoot,
): { files: boolean; text: string } | undefined {
  const kernel = boot.files.find((file) => file.role === "kernel")?.path;
  const ramdisks = boot.files.filter((file) => file.role === "ramdisk").map((file) => file.path);
  if (kernel !== undefined && normal(entry.kernelPath) !== normal(kernel)) {
    return {
      files: true,
      text: `Its kernel is ${entry.kernelPath}, the planned one ${kernel}; this check is about the planned one.`,
    };
  }
  const own = entry.ramdiskPath === undefined ? [] : [normal(entry.ramdiskPath)];
  if (kernel !== undefined && own.join("\n") !== ramdisks.map(normal).join("\n")) {
    return {
      files: true,
      text: `Its initramfs is ${entry.ramdiskPath ?? "none"}, the planned one ${ramdisks.join(" + ") || "none"}; this check is about the planned one.`,
    };
  }
  // libxl appends what the config says; only a difference in the entry itself counts.
  if (words(boot.args).startsWith(words(entry.args))) return undefined;
  return {
    files: false,
    text: `The same kernel, but its command line is "${shorten(entry.args)}".`,
  };
}

/** pygrub keeps a double slash; both lead to the same file. */
function normal(path: string): string {
  return path.replace(/\/{2,}/g, "/");
}

function words(args: string): string {
  return args.trim().split(/\s+/).join(" ");
}
