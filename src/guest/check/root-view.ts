/**
 * The root of a filesystem that has several: which of them the kernel will mount for the guest. Without `subvol=` or
 * `subvolid=` in `rootflags=` that is the default one (Linux fs/btrfs/super.c).
 */
import { attempt } from "../../base/failure.ts";
import { parseCommandLine } from "../../boot/command-line.ts";
import type { RootView } from "../../boot/root-device.ts";
import type { FileSystem } from "../../disk/fs/filesystem.ts";
import { looksLikeRoot } from "../disks/looks-like-root.ts";

export type OpenRootView = {
  readonly facts: RootView;
  /** Absent when there is no such subvolume, or it cannot be read. */
  readonly fs?: FileSystem;
};

/** `undefined` for a filesystem with one root. `args` is the kernel's command line. */
export async function openRootView(
  fs: FileSystem,
  args: string,
): Promise<OpenRootView | undefined> {
  if (!fs.subvolume) return undefined;
  const option = subvolumeOption(parseCommandLine(args).rootflags ?? "");
  const name = option && nameOf(option);
  const opened = await attempt(() => (name === undefined ? fs : fs.subvolume!(name)));
  const given = option === undefined ? {} : { option };
  if (!opened.ok) {
    return { facts: { ...given, state: opened.failure.kind === "missing" ? "missing" : "unread" } };
  }
  const isRoot = await looksLikeRoot(opened.value);
  return {
    facts: { ...given, state: "there", ...(isRoot !== undefined && { looksLikeRoot: isRoot }) },
    fs: opened.value,
  };
}

/** The last one counts: `subvol=@`. */
function subvolumeOption(rootflags: string): string | undefined {
  return rootflags.split(",").findLast((option) => /^subvol(id)?=./.test(option));
}

/** An id may be written in decimal, with 0x or with a leading 0, as kstrtoull() takes it. */
function nameOf(option: string): string | number {
  const [, key, value] = /^(subvol|subvolid)=(.*)$/s.exec(option)!;
  if (key === "subvol") return value!;
  if (/^0x[0-9a-f]+$/i.test(value!)) return Number(value);
  if (/^0[0-7]+$/.test(value!)) return Number.parseInt(value!, 8);
  return /^[0-9]+$/.test(value!) ? Number(value) : Number.NaN;
}
