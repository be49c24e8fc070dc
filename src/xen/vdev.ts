/**
 * Names of virtual disks: what stands in `vdev=` (xen-vbd-interface(7); xen: libxl_device.c,
 * libxl__device_disk_dev_number).
 */

export type Vdev = {
  /** `number`: a bare device number, written to xenstore as it is. */
  readonly kind: "xvd" | "hd" | "sd" | "number";
  /** From 0. */
  readonly disk: number;
  /** 0 is the whole disk. */
  readonly partition: number;
  /** The number in xenstore: 51712 for xvda. */
  readonly number: number;
  /** What a Linux guest with PV drivers calls it, whatever the kind: `xvda1`. */
  readonly guestName: string;
};

type Kind = {
  readonly prefix: "xvd" | "hd" | "sd";
  readonly disks: number;
  readonly partitions: number;
};

const KINDS: readonly Kind[] = [
  { prefix: "xvd", disks: 1 << 20, partitions: 256 },
  { prefix: "hd", disks: 4, partitions: 64 },
  { prefix: "sd", disks: 16, partitions: 16 },
];

const INT_MAX = 0x7fffffff;

/** Undefined where libxl says `Invalid or unsupported virtual disk identifier`. */
export function parseVdev(text: string): Vdev | undefined {
  return parseNumbered(text) ?? parseLettered(text) ?? parseBare(text);
}

/** `d0p1`: disk and partition in any base that C knows. */
function parseNumbered(text: string): Vdev | undefined {
  const match = /^d([0-9][0-9a-fx]*)p([0-9][0-9a-fx]*)$/i.exec(text);
  if (!match) return undefined;
  const disk = parseInteger(match[1]!);
  const partition = parseInteger(match[2]!);
  if (disk === undefined || partition === undefined) return undefined;
  return disk < 1 << 20 && partition < 256 ? vdev("xvd", disk, partition) : undefined;
}

/** `xvda`, `xvdtq37`, `hdc2`, `sdb`: the disk in letters (a-z, aa-zz, ...), no leading zero in the partition. */
function parseLettered(text: string): Vdev | undefined {
  const match = /^(xvd|hd|sd)([a-z]{1,5})([1-9][0-9]{0,3})?$/.exec(text);
  if (!match) return undefined;
  const kind = KINDS.find(({ prefix }) => prefix === match[1])!;
  let disk = -1;
  for (const letter of match[2]!) disk = (disk + 1) * 26 + letter.charCodeAt(0) - 97;
  const partition = Number(match[3] ?? 0);
  if (disk >= kind.disks || partition >= kind.partitions) return undefined;
  return vdev(kind.prefix, disk, partition);
}

/** `51712`, `0xca00`: taken apart by the ranges of the interface; others are nobody's disk 0. */
function parseBare(text: string): Vdev | undefined {
  const number = parseInteger(text);
  if (number === undefined || number > INT_MAX) return undefined;
  const [disk, partition] = takeApart(number);
  return { kind: "number", disk, partition, number, guestName: guestName(disk, partition) };
}

function takeApart(number: number): [disk: number, partition: number] {
  if (number >>> 28 === 1) return [(number >> 8) & 0xfffff, number & 0xff];
  const minor = number & 0xff;
  switch (number >> 8) {
    case 3:
      return [minor >> 6, minor & 63];
    case 22:
      return [2 + (minor >> 6), minor & 63];
    default:
      return [minor >> 4, minor & 15];
  }
}

function vdev(kind: Kind["prefix"], disk: number, partition: number): Vdev {
  return {
    kind,
    disk,
    partition,
    number: numberOf(kind, disk, partition),
    guestName: guestName(disk, partition),
  };
}

function numberOf(kind: Kind["prefix"], disk: number, partition: number): number {
  switch (kind) {
    case "xvd":
      return disk < 16 && partition < 16
        ? (202 << 8) | (disk << 4) | partition
        : (1 << 28) | (disk << 8) | partition;
    case "hd":
      return ((disk < 2 ? 3 : 22) << 8) | ((disk & 1) << 6) | partition;
    case "sd":
      return (8 << 8) | (disk << 4) | partition;
  }
}

function guestName(disk: number, partition: number): string {
  let letters = "";
  for (let left = disk; left >= 0; left = Math.floor(left / 26) - 1) {
    letters = String.fromCharCode(97 + (left % 26)) + letters;
  }
  return `xvd${letters}${partition === 0 ? "" : partition}`;
}

/** strtoul(base 0), of at most 20 digits. */
function parseInteger(text: string): number | undefined {
  if (!/^(?:0x[0-9a-f]{1,16}|0[0-7]{0,20}|[1-9][0-9]{0,19})$/i.test(text)) return undefined;
  return /^0[0-7]/.test(text) ? Number.parseInt(text, 8) : Number(text);
}
