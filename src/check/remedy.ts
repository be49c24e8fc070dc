/** The commands that mend, as the distributions have them. Used by several rules so that they read the same. */
import { fileName } from "../base/path.ts";
import { MIB } from "../base/units.ts";
import type { Compression } from "../bytes/decompress/format.ts";
import type { InitramfsFacts, InitramfsGenerator } from "../boot/initramfs/initramfs-facts.ts";
import { filesAreInDom0 } from "./guest-boot.ts";
import type { GuestFacts } from "./facts.ts";

/** Where a command is meant to be run when the guest's own system has to do it. */
export const IN_THE_GUEST = "In the guest, before it reboots, or in a chroot from a rescue system";

/** A word as a shell wants it: quoted when it is not plain. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}

/** A clause as the start of a sentence. */
export function capitalized(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

/** At most `length` characters of what a guest wrote; it may be of any size. */
export function shorten(text: string, length = 160): string {
  return text.length <= length ? text : `${text.slice(0, length - 3)}...`;
}

/** `a, b and c`; more than `limit` are counted. */
export function listText(items: readonly string[], limit = 6): string {
  const shown = items.slice(0, limit);
  const rest = items.length - shown.length;
  if (rest > 0) return `${shown.join(", ")} and ${rest} more`;
  if (shown.length < 2) return shown.join("");
  return `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
}

export function rebuildCommand(generator: InitramfsGenerator, version: string | undefined): string {
  const kernel = version === undefined ? "VERSION" : shellWord(version);
  switch (generator) {
    case "initramfs-tools":
      return `update-initramfs -u -k ${kernel}`;
    case "dracut":
      return `dracut --force --kver ${kernel}`;
    case "mkinitcpio":
      return "mkinitcpio -P";
    case "booster":
      return "/usr/lib/booster/regenerate_images";
    case "busybox":
    case "unknown":
      return "the tool that made this image";
  }
}

/** The setting that has the image compressed in another way, as the start of a sentence. */
function compressionSetting(generator: InitramfsGenerator, compression: Compression): string {
  switch (generator) {
    case "initramfs-tools":
      return `set COMPRESS=${compression} in /etc/initramfs-tools/initramfs.conf`;
    case "dracut":
      return `put compress="${compression}" into /etc/dracut.conf.d/compress.conf`;
    case "mkinitcpio":
      return `set COMPRESSION="${compression}" in /etc/mkinitcpio.conf`;
    case "booster":
      return `set compression: ${compression} in /etc/booster.yaml`;
    case "busybox":
    case "unknown":
      return `choose ${compression}`;
  }
}

/** `In the guest, ...: set COMPRESSION="gzip" in /etc/mkinitcpio.conf, then run mkinitcpio -P.` */
export function recompress(facts: GuestFacts, image: InitramfsFacts, to: Compression): string {
  const setting = compressionSetting(image.generator, to);
  const command = rebuildCommand(image.generator, facts.boot?.kernel?.version);
  const copy = filesAreInDom0(facts) ? ` Then copy the new image to ${image.path} in dom0.` : "";
  return `${IN_THE_GUEST}: ${setting}, then run ${command}.${copy}`;
}

/** `In the guest, ...: run mkinitcpio -P.` */
export function rebuild(facts: GuestFacts, image: InitramfsFacts): string {
  const command = rebuildCommand(image.generator, facts.boot?.kernel?.version);
  const copy = filesAreInDom0(facts) ? ` Then copy the new image to ${image.path} in dom0.` : "";
  return `${IN_THE_GUEST}: run ${command}.${copy}`;
}

const UNPACK: Readonly<Record<Compression, string>> = {
  gzip: "gzip -dc",
  bzip2: "bzip2 -dc",
  lzma: "xz --format=lzma -dc",
  xz: "xz -dc",
  lzo: "lzop -dc",
  lz4: "lz4 -dc",
  "lz4-frame": "lz4 -dc",
  zstd: "zstd --long=31 -dc",
};

/**
 * How to get such a guest up from dom0 without touching its disk: both files out, the image packed anew, and the
 * config pointed at them. Empty when the image is more than one archive: then packing it anew takes more than a pipe.
 */
export function repackInDom0(facts: GuestFacts, image: InitramfsFacts): string {
  const [only, ...others] = image.segments;
  const kernel = facts.boot?.kernel;
  if (!only || others.length > 0 || only.compression === "none" || !kernel) return "";
  const pipe = `${UNPACK[only.compression]} ${shellWord(image.path)} | gzip > NEW`;
  if (filesAreInDom0(facts)) return ` Or pack it anew in dom0: ${pipe}, and name NEW in ramdisk=.`;
  const target = shellWord(facts.name);
  const copies = [kernel.path, image.path].map(
    (path) => `domus disk cp ${target} ${shellWord(path)} .`,
  );
  const name = shellWord(fileName(image.path));
  // domus unpacks no more than the kernel does.
  const helps = !facts.mendsBoot && (only.zstdWindowBytes ?? 0) <= 128 * MIB;
  const mend = helps ? 'bootloader = "domus-pygrub" hands over a repacked copy. By hand: ' : "";
  return ` Or from dom0, without touching the disk: ${mend}${copies.join(" && ")}, then ${UNPACK[only.compression]} ${name} | gzip > ${name}.gz, and start it once with kernel=, ramdisk= and cmdline= in the config in place of bootloader=.`;
}

/** `domus disk ls pandora /boot` */
export function listCommand(facts: GuestFacts, directory: string): string {
  return filesAreInDom0(facts)
    ? `ls -l ${shellWord(directory)}`
    : `domus disk ls ${shellWord(facts.name)} ${shellWord(directory)}`;
}
