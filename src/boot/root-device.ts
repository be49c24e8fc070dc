/**
 * What a `root=` argument (or the first field of an fstab line) names, and which of the guest's volumes answers to it.
 * The kernel's own forms: Linux init/do_mounts.c and block/early-lookup.c; UUID= and LABEL= are resolved by the
 * initramfs. Names that only the running guest can resolve (/dev/disk/by-id, /dev/dm-0) are recognised, not resolved.
 */
import { contains } from "../base/where.ts";
import type { Where } from "../base/where.ts";
import { encodeText, decodeText } from "../bytes/text.ts";
import { parseCommandLine } from "./command-line.ts";

/** What a `root=` argument names. */
export type RootSpec =
  | {
      readonly kind: "uuid" | "label" | "partuuid" | "partlabel" | "path";
      /** For `path`: normalised, so that equal devices have equal paths: `/dev/mapper/vg-root` for `/dev/vg/root`. */
      readonly value: string;
      /** As written. */
      readonly text: string;
      /** `PARTUUID=.../PARTNROFF=1`: the partition this many numbers after the one that is named. */
      readonly partnroff?: number;
    }
  | { readonly kind: "nfs" | "other"; readonly value: string; readonly text: string };

export type RootDevice = {
  readonly spec: RootSpec;
  /** Where it was found, or undefined when nothing on the guest's disks answers to it. */
  readonly where?: readonly string[];
  readonly format?: string;
  /** Whether everything that could answer was read; when false, an absence proves nothing. */
  readonly complete: boolean;
  /** Further volumes with the same name: clones, snapshots. Which one the guest takes is then chance. */
  readonly rivals?: readonly Where[];
  /** Only where the filesystem has several roots (btrfs). */
  readonly view?: RootView;
};

/** The one of a filesystem's roots that the kernel would mount. */
export type RootView = {
  /** As in `rootflags=`: `subvol=@`, `subvolid=256`. Left out: the default one. */
  readonly option?: string;
  readonly state: "there" | "missing" | "unread";
  /** Undefined where it could not be looked at. */
  readonly looksLikeRoot?: boolean;
};

/** A volume that `root=` could name; `check/` VolumeFacts fit. */
export type RootCandidate = {
  readonly where: Where;
  /** `xvda1` or `/dev/mapper/vg-root` */
  readonly device?: string;
  /** Other names in the guest: `sda1` for an emulated disk. */
  readonly aliases?: readonly string[];
  readonly format: string;
  readonly uuid: string;
  readonly label: string;
  readonly partuuid: string;
  readonly partlabel: string;
};

/** From a kernel command line: its last `root=`; undefined when there is none. */
export function parseRoot(args: string): RootSpec | undefined {
  const { root } = parseCommandLine(args);
  return root === undefined || root === "" ? undefined : parseDevice(root);
}

const TAGS = {
  UUID: "uuid",
  LABEL: "label",
  PARTUUID: "partuuid",
  PARTLABEL: "partlabel",
} as const;

const BY_NAME = {
  "by-uuid": "uuid",
  "by-label": "label",
  "by-partuuid": "partuuid",
  "by-partlabel": "partlabel",
} as const;

/** One device name, as in `root=`, `resume=` or fstab. Takes any text. */
export function parseDevice(text: string): RootSpec {
  // dracut writes block: in front of what it hands on
  const bare = text.startsWith("block:") ? text.slice("block:".length) : text;
  const tag = /^(UUID|LABEL|PARTUUID|PARTLABEL)=(.*)$/s.exec(bare);
  if (tag) return tagSpec(TAGS[tag[1] as keyof typeof TAGS], unquote(tag[2]!), text);
  if (bare === "/dev/nfs" || /^(nfs4?:|dhcp6?$|either6$)/.test(bare)) {
    return { kind: "nfs", value: bare, text };
  }
  const udev = /^\/dev\/disk\/(by-uuid|by-label|by-partuuid|by-partlabel)\/(.+)$/s.exec(bare);
  if (udev) {
    return tagSpec(BY_NAME[udev[1] as keyof typeof BY_NAME], udevDecode(udev[2]!), text);
  }
  if (bare.startsWith("/dev/")) return { kind: "path", value: devicePath(bare), text };
  const path = numberPath(bare);
  if (path !== undefined) return { kind: "path", value: path, text };
  return { kind: "other", value: bare, text };
}

function tagSpec(
  kind: "uuid" | "label" | "partuuid" | "partlabel",
  value: string,
  text: string,
): RootSpec {
  // block/early-lookup.c devt_from_partuuid(): /PARTNROFF=%d
  const offset = kind === "partuuid" ? /^(.*)\/PARTNROFF=([+-]?\d{1,5})$/s.exec(value) : null;
  if (!offset) return { kind, value, text };
  return { kind, value: offset[1]!, text, partnroff: Number(offset[2]) };
}

function unquote(value: string): string {
  return /^(["']).*\1$/s.test(value) && value.length >= 2 ? value.slice(1, -1) : value;
}

/** udev writes a byte that is not safe in a file name as \xNN (systemd src/shared/device-nodes.c). */
function udevDecode(name: string): string {
  return decodeBytes(name, /\\x([0-9a-fA-F]{2})/g, 16);
}

/** Replaces escaped bytes by the text that they and their neighbours are in UTF-8. */
export function decodeBytes(text: string, escape: RegExp, radix: 8 | 16): string {
  const bytes = text.replace(escape, (_, digits: string) => {
    const byte = Number.parseInt(digits, radix);
    return String.fromCharCode(byte < 0x80 ? byte : 0xdc00 + byte);
  });
  return decodeText(encodeText(bytes));
}

/** Directories of /dev whose entries are not logical volumes. */
const NOT_A_GROUP = new Set([
  "block",
  "bsg",
  "char",
  "cciss",
  "disk",
  "ida",
  "input",
  "loop",
  "rd",
]);

/** Equal devices get equal paths. `/dev/vg/lv` is a link to `/dev/mapper/vg-lv`, with `-` in a name doubled. */
export function devicePath(path: string): string {
  const clean = path.replace(/\/{2,}/g, "/");
  const array = /^\/dev\/md\/?(d?\d+)(p\d+)?$/.exec(clean);
  if (array) return `/dev/md${array[1]}${array[2] ?? ""}`;
  const two = /^\/dev\/([^/]+)\/([^/]+)$/.exec(clean);
  if (!two || two[1] === "mapper" || two[1] === "md" || NOT_A_GROUP.has(two[1]!)) return clean;
  return mapperPath(two[1]!, two[2]!);
}

/** `/dev/mapper/vg--0-root` for `vg-0` and `root`. */
export function mapperPath(group: string, volume: string): string {
  return `/dev/mapper/${group.replaceAll("-", "--")}-${volume.replaceAll("-", "--")}`;
}

/** `202:1`, and the hexadecimal form that loaders once wrote: `0xca01`, `ca01` (init/do_mounts.c). */
function numberPath(text: string): string | undefined {
  const pair = /^(\d{1,4}):(\d{1,7})$/.exec(text);
  if (pair) return numberedDevice(Number(pair[1]), Number(pair[2]));
  const packed = /^(?:0x)?([0-9a-f]{3,8})$/i.exec(text);
  if (!packed) return undefined;
  // new_decode_dev(): 12 bits of major, 20 of minor, wrapped around it
  const dev = Number.parseInt(packed[1]!, 16);
  return numberedDevice((dev >>> 8) & 0xfff, (dev & 0xff) | ((dev >>> 12) & 0xfff00));
}

/** Only majors whose names are fixed; others the kernel gives out as it likes. */
function numberedDevice(major: number, minor: number): string | undefined {
  if (major === 202) {
    // include/xen/interface/io/blkif.h, drivers/block/xen-blkfront.c: 16 minors for each of the first 16 disks
    const per = minor < 256 ? 16 : 256;
    return diskName("xvd", Math.floor(minor / per), minor % per);
  }
  if (major === 8) return diskName("sd", minor >>> 4, minor & 15);
  if (major === 3) return minor < 128 ? diskName("hd", minor >>> 6, minor & 63) : undefined;
  if (major === 22) return minor < 128 ? diskName("hd", 2 + (minor >>> 6), minor & 63) : undefined;
  if (major === 9) return `/dev/md${minor}`;
  return undefined;
}

/** xvda ... xvdz, xvdaa ... */
function diskName(prefix: string, index: number, partition: number): string {
  let letters = "";
  // `index` is below 2^20 / 16, so this is at most four letters.
  for (let rest = index; rest >= 0; rest = Math.floor(rest / 26) - 1) {
    letters = String.fromCharCode(97 + (rest % 26)) + letters;
  }
  return `/dev/${prefix}${letters}${partition === 0 ? "" : partition}`;
}

/**
 * Names that exist only while the guest runs: whoever cannot look there cannot say that they lead nowhere. The number
 * of an array is what mdadm.conf in the initramfs gives it, whatever its superblock says.
 */
function onlyTheGuestKnows(spec: RootSpec): boolean {
  if (spec.kind === "other") return true;
  if (spec.kind !== "path") return false;
  return /^\/dev\/(root$|dm-\d|disk\/|block\/|loop|zvol\/|mapper\/(?!.*-)|mapper\/(luks|crypt)|md[d\d/])/.test(
    spec.value,
  );
}

/**
 * The volume that answers to `spec`. Ids match whatever their case (FAT serial numbers are written in both),
 * labels exactly. `complete` tells whether `volumes` is all there is; it stays true only for names that can be
 * looked up without running the guest.
 */
export function findRoot(
  spec: RootSpec,
  volumes: readonly RootCandidate[],
  complete: boolean,
): RootDevice {
  const matches = volumes.filter((volume) => answers(spec, volume, volumes));
  const [first, ...others] = matches;
  const sure = complete && !onlyTheGuestKnows(spec);
  if (!first) return { spec, complete: sure };
  // The devices of one btrfs share its UUID and are one filesystem.
  const rivals = others.filter(
    (other) =>
      !(other.format === "btrfs" && first.format === "btrfs" && spec.kind === "uuid") &&
      !isSameImage(first, other),
  );
  return {
    spec,
    where: first.where,
    format: first.format,
    complete: sure,
    ...(rivals.length > 0 && { rivals: rivals.map((rival) => rival.where) }),
  };
}

/** A partition of a hybrid ISO image holds the filesystem that is also on the whole disk. */
function isSameImage(disk: RootCandidate, partition: RootCandidate): boolean {
  const both = disk.format === "iso9660" && partition.format === "iso9660";
  return both && contains(disk.where, partition.where);
}

function answers(
  spec: RootSpec,
  volume: RootCandidate,
  volumes: readonly RootCandidate[],
): boolean {
  switch (spec.kind) {
    case "uuid":
      return spec.value !== "" && sameId(volume.uuid, spec.value) && !isMember(volume);
    case "label":
      return spec.value !== "" && volume.label === spec.value && !isMember(volume);
    case "partuuid":
      return spec.value !== "" && answersPartuuid(spec.value, spec.partnroff, volume, volumes);
    case "partlabel":
      return spec.value !== "" && volume.partlabel === spec.value;
    case "path":
      return namesOf(volume).includes(spec.value);
    case "nfs":
    case "other":
      return false;
  }
}

function answersPartuuid(
  value: string,
  partnroff: number | undefined,
  volume: RootCandidate,
  volumes: readonly RootCandidate[],
): boolean {
  if (partnroff === undefined || partnroff === 0) return sameId(volume.partuuid, value);
  const named = volumes.find((other) => sameId(other.partuuid, value));
  const base = named && partitionOf(named);
  const own = partitionOf(volume);
  return (
    base !== undefined &&
    own !== undefined &&
    base.disk === own.disk &&
    base.number + partnroff === own.number
  );
}

function partitionOf(volume: RootCandidate): { disk: string; number: number } | undefined {
  const name = /^(?:\/dev\/)?(.*?\D)(\d{1,4})$/.exec(volume.device ?? "");
  return name ? { disk: name[1]!, number: Number(name[2]) } : undefined;
}

function namesOf(volume: RootCandidate): string[] {
  const names = [
    ...(volume.device === undefined ? [] : [volume.device]),
    ...(volume.aliases ?? []),
  ];
  return names.map((name) => devicePath(name.startsWith("/") ? name : `/dev/${name}`));
}

function sameId(a: string, b: string): boolean {
  return a !== "" && a.toLowerCase() === b.toLowerCase();
}

/** udev makes no by-uuid link for a part of something larger (60-persistent-storage.rules). */
function isMember(volume: RootCandidate): boolean {
  return /\bmember\b/i.test(volume.format);
}
