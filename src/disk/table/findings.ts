/**
 * Everything that domus says about partition tables, in one place. Each code has a page in docs/reference/findings/.
 *
 * What Linux makes of a damaged table was read in block/partitions/{efi,msdos,core}.c: it decides whether a guest
 * finds its root filesystem, whatever other programs make of the same bytes.
 */
import type { Finding, Severity } from "../../base/finding.ts";
import { sizeText } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import type { Partition } from "../content.ts";

export function primaryDamaged(where: Where, reason: string): Finding {
  return {
    code: "gpt-primary-damaged",
    severity: "error",
    where,
    what: "The first copy of the GPT is damaged; domus read the second one, at the end of the disk.",
    why: `${reason}. Linux looks at the second copy only when its command line says "gpt", so the guest finds no partitions.`,
    next: "With the guest stopped, let gdisk rebuild the first copy from the second: gdisk DISK, then r, b, c, w.",
  };
}

export function backupDamaged(where: Where, reason: string): Finding {
  return {
    code: "gpt-backup-damaged",
    severity: "warning",
    where,
    what: "The second copy of the GPT, the spare one, is damaged or missing.",
    why: `${reason}. The guest boots, but the table cannot be repaired should the first copy break too.`,
    next: "With the guest stopped, write the copy anew: sgdisk -e DISK",
  };
}

export function copiesDiffer(where: Where): Finding {
  return {
    code: "gpt-copies-differ",
    severity: "warning",
    where,
    what: "The two copies of the GPT describe different partitions; domus used the first, as Linux does.",
    why: "Something wrote one copy only, or another table's second copy is left at the end of the disk.",
    next: "Compare them (gdisk DISK, then r, c loads the second), then write both from the right one.",
  };
}

export function ignoredByLinux(where: Where, reason: string): Finding {
  return {
    code: "gpt-ignored-by-linux",
    severity: "error",
    where,
    what: "domus can read this GPT, but a Linux guest does not accept it and finds no partitions.",
    why: `${reason}.`,
    next: "With the guest stopped, check and rewrite the table: gdisk DISK, then v to verify and w to write.",
  };
}

export function hybridMbr(where: Where): Finding {
  return {
    code: "gpt-hybrid-mbr",
    severity: "note",
    where,
    what: "The disk has a GPT and, beside it, partitions in its MBR (a hybrid MBR). domus used the GPT.",
    why: "Linux and GRUB use the GPT; old BIOS loaders and Windows use the MBR, and may see other partitions.",
    next: "Nothing, if this is wanted. Otherwise make the MBR protective again: gdisk DISK, then x, n, w.",
  };
}

export function numberLimit(where: Where, count: number): Finding {
  return {
    code: "partition-number-limit",
    severity: "warning",
    where,
    what: `${count} partition(s) with numbers above 255 are left out.`,
    why: "Linux makes no device for them, so a guest cannot use them either.",
    next: "Move the entries to lower numbers, with the guest stopped: sgdisk -r A:B DISK",
  };
}

export function badRange(where: Where, found: string): Finding {
  return {
    code: "partition-bad-range",
    severity: "warning",
    where,
    what: "The partition's entry makes no sense; the partition is left out.",
    why: `It says ${found}.`,
    next: "Look at the table with sgdisk -p DISK, and delete or correct the entry with the guest stopped.",
  };
}

export type PastEnd = {
  readonly where: Where;
  readonly partition: Partition;
  readonly diskBytes: number;
  readonly table: "mbr" | "gpt";
};

export function partitionPastEnd({ where, partition, diskBytes, table }: PastEnd): Finding {
  const over = partition.offset + partition.size - diskBytes;
  const outside = partition.offset >= diskBytes;
  const linux =
    table === "gpt" || outside
      ? "Linux leaves such a partition out"
      : "Linux cuts the partition off there, and the filesystem in it then usually refuses to mount";
  return {
    code: "partition-past-end",
    severity: "error",
    where,
    what: outside
      ? `The partition begins after the end of the disk, which has ${sizeText(diskBytes)}.`
      : `The partition ends ${sizeText(over)} after the end of the disk, which has ${sizeText(diskBytes)}.`,
    why: `${linux}. The disk was shrunk, or it is an incomplete copy of a larger one.`,
    next: "Copy the disk again, or give it its old size back (LVM: vgcfgrestore with a file of /etc/lvm/archive).",
  };
}

export function partitionOverlap(where: Where, number: number, other: number): Finding {
  return {
    code: "partition-overlap",
    severity: "warning",
    where,
    what: `Partitions ${other} and ${number} share a part of the disk.`,
    why: "What is written to one damages the other. One of them is usually a leftover that is not in use.",
    next: "Find out which one the guest mounts (blkid, /etc/fstab), and delete the other from the table.",
  };
}

export function chainLoop(where: Where, at: number): Finding {
  return {
    code: "mbr-chain-loop",
    severity: "warning",
    where,
    what: "The chain of logical partitions leads back to itself; domus stopped where it does.",
    why: `The extended boot record at byte ${at} was reached for the second time. Linux would show the same partitions again and again, up to number 255.`,
    next: "Write the table anew with the guest stopped: sfdisk -d DISK > table, correct it, sfdisk DISK < table",
  };
}

export function chainDamaged(where: Where, reason: string, severity: Severity = "error"): Finding {
  return {
    code: "mbr-chain-damaged",
    severity,
    where,
    what: "The chain of logical partitions breaks off; partitions after the break are not found.",
    why: `${reason}. Linux stops there too.`,
    next: "If partitions are missing, testdisk can search for them. Work on a copy or a snapshot of the disk.",
  };
}
