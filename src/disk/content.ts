/**
 * What was found on a disk, a partition or a volume, and the shape of a prober that finds it.
 *
 * Adding a format is one folder with a `Prober` and one line in `probers.ts`.
 */
import type { Failure } from "../base/failure.ts";
import type { Finding } from "../base/finding.ts";
import type { FileSystem } from "./fs/filesystem.ts";
import type { ByteSource } from "./source.ts";

export type Content =
  | {
      readonly kind: "filesystem";
      readonly fs: FileSystem;
      /** Set for images that boot from CDs and USB sticks: a table in front of ISO 9660, see hybrid.ts. */
      readonly table?: PartitionTable;
    }
  | { readonly kind: "table"; readonly table: PartitionTable }
  | {
      readonly kind: "swap";
      readonly uuid: string;
      readonly label: string;
      readonly sizeBytes: number;
    }
  /** Part of something that needs other parts: an LVM2 physical volume, an md component. */
  | { readonly kind: "member"; readonly member: Member }
  /** Recognised by name, not read: LUKS, bcache, ZFS, squashfs. `why` says what follows for the user. */
  | { readonly kind: "named"; readonly format: string; readonly uuid: string; readonly why: string }
  /** Nothing but zeroes where a format would begin. */
  | { readonly kind: "empty" }
  | { readonly kind: "unknown" };

export type PartitionTable = {
  readonly type: "mbr" | "gpt";
  /** The logical sector size that the table was written for. */
  readonly sectorSizeBytes: number;
  /** Disk identifier: 8 hex digits for MBR, GUID text for GPT. */
  readonly id: string;
  readonly partitions: readonly Partition[];
  /** Damage that did not stop the reading: a broken primary header, a wrong CRC, overlapping partitions. */
  readonly findings: readonly Finding[];
};

export type Partition = {
  /** As the kernel numbers them: 1 to 4, logical from 5 on; GPT entry index + 1. */
  readonly number: number;
  readonly offset: number;
  readonly size: number;
  /** `0x83`, or the GUID in lower case. */
  readonly type: string;
  /** `Linux filesystem`, `EFI system`; the type itself when it is not known. */
  readonly typeName: string;
  /** MBR: active flag. GPT: legacy BIOS bootable (attribute bit 2). */
  readonly bootable: boolean;
  /** What `PARTUUID=` matches, in lower case: the GPT GUID, or `<disk id>-<number in hex, two digits>` for MBR. */
  readonly partuuid: string;
  /** The GPT partition name; empty for MBR. */
  readonly label: string;
  readonly logical: boolean;
};

export type Member = {
  readonly system: "lvm2" | "md";
  /** The id of the whole (volume group, array) that it belongs to, when the member says so. */
  readonly group: string;
  /** The member's own id. */
  readonly id: string;
};

/** Why a prober that recognised its magic could not read on, or said no. */
export type Tried = { readonly name: string; readonly failure: Failure };

/** How a volume was put together from members, and what the whole is called. */
export type Assembly =
  | {
      readonly system: "lvm2";
      readonly group: Named;
      readonly volume: Named;
      /** The physical volumes of the group that are there. */
      readonly members: readonly Volume[];
      /** Those of them that it lies on; all where that is not known. */
      readonly under: readonly Volume[];
      /** The modules of Linux that map it: `dm_mod`, `raid1`. */
      readonly modules?: readonly string[];
    }
  | {
      readonly system: "md";
      readonly array: Named;
      /** `0` where the array's name is `host:0`, or has no name and this number. Empty when it has neither. */
      readonly localName: string;
      readonly members: readonly Volume[];
      readonly under: readonly Volume[];
      readonly modules?: readonly string[];
    };

export type Named = { readonly name: string; readonly id: string };

/** A disk, partition, logical volume or array, and what it holds. */
export type Volume = {
  /** `whole disk`, `partition 2`, `vg0/root`, `md0` */
  readonly name: string;
  readonly source: ByteSource;
  readonly content: Content;
  /** When `content` is unknown: who recognised it and failed. */
  readonly tried: readonly Tried[];
  /** Set when this volume is a partition of `parent`. */
  readonly partition?: Partition;
  /** Set when it is no part of one disk but made of several volumes. */
  readonly assembly?: Assembly;
  /** Volumes inside: the partitions of a table. */
  readonly children: readonly Volume[];
};

/** The partition table of a disk, also where a filesystem lies around it. */
export function tableOf(content: Content): PartitionTable | undefined {
  return content.kind === "table" || content.kind === "filesystem" ? content.table : undefined;
}

export type Magic = {
  /** In bytes; a function of the volume's size for what lies at its end (below 0: there is no room for it). */
  readonly offset: number | ((sizeBytes: number) => number);
  readonly bytes: Uint8Array;
};

export type ProbeContext = {
  /** The device's logical sector size where it is known, else undefined: a table prober then tries 512 and 4096. */
  readonly sectorSizeBytes?: number;
  /** Who is asked, in this order; `probers.ts` by default. */
  readonly probers?: readonly Prober[];
  readonly signal?: AbortSignal;
};

export type Prober = {
  /** The name that people know the format by: `ext4`, `GPT`, `LVM2`. */
  readonly name: string;
  /** The prober is asked only when one of these is found. */
  readonly magics: readonly Magic[];
  /** `undefined` when it is not this format after all; a failure when it is but cannot be read. */
  probe(source: ByteSource, context: ProbeContext): Promise<Content | undefined>;
};
