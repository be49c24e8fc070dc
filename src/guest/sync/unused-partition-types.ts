/** Types of partitions that say: a filesystem or swap of Linux, or FAT. Whatever else a type says, what is in it may be more than it looks like. */
import type { Partition } from "../../disk/content.ts";

/** By the names of src/disk/table/partition-types.ts. */
const NAMES: ReadonlySet<string> = new Set([
  "FAT12",
  "FAT16 below 32 MiB",
  "FAT16",
  "FAT16 (LBA)",
  "FAT32",
  "FAT32 (LBA)",
  "Linux",
  "Linux swap",
  "EFI system",
  "Linux extended boot (BLS)",
  "Linux filesystem",
  "Linux home",
  "Linux server data",
  "Linux variable data",
  "Linux temporary data",
  "Linux root (x86)",
  "Linux root (x86-64)",
  "Linux root (ARM)",
  "Linux root (ARM64)",
  "Linux root (RISC-V 64)",
  "Linux /usr (x86-64)",
  // What Linux programs gave their partitions before Linux had a type of its own.
  "Microsoft basic data",
]);

export function holdsFiles({ typeName }: Partition): boolean {
  return NAMES.has(typeName);
}
