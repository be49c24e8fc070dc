/** What is kept of a disk. Docs: docs/design/fingerprint.md. */
import type { DiskWrites } from "../../host/disk-observation.ts";

/** The form of the record; another number is not compared. */
export const FINGERPRINT_VERSION = 1;

/** A digested part of a volume. */
export type RegionFingerprint = {
  /** For people: `superblock`, `journal`. One of a volume each. */
  readonly name: string;
  /** Digested; the region can be larger where it was sampled. */
  readonly bytes: number;
  /** 32 hex digits; absent when it could not be read. */
  readonly digest?: string;
};

/**
 * How much of a write to a volume shows: every one; every one that its filesystem knows of; one that hits a sample; or it is
 * no place of data (a partition table, a physical volume whose volumes are there).
 */
export type Depth = "whole" | "commits" | "sample" | "container";

/** The newest change that the volume itself counts. */
export type VolumeCounter = {
  /** `commit 1234`, `generation 99`; the same text is the same state. */
  readonly text: string;
  /** Seconds since 1970 by the guest's clock. */
  readonly atSeconds?: number;
};

export type VolumeFingerprint = {
  /** `whole disk`, `partition 2`, `vg0/root`. From the disk: not escaped. */
  readonly name: string;
  /** `ext4`, `swap`, `LUKS2`, `unknown`, `partition table (gpt)` */
  readonly format: string;
  readonly sizeBytes: number;
  readonly depth: Depth;
  readonly counter?: VolumeCounter;
  readonly regions: readonly RegionFingerprint[];
  /** Why it is coarser than its format lets one hope. From the disk: not escaped. */
  readonly note?: string;
};

export type DiskFingerprint = {
  readonly version: typeof FINGERPRINT_VERSION;
  /** Milliseconds since 1970, of dom0's clock. */
  readonly takenAtMs: number;
  /** 64 hex digits, the same for all names of a disk; absent where the system cannot say. */
  readonly identity?: string;
  /** As the guest sees it. */
  readonly sizeBytes: number;
  /** Of all volumes: equal for equal content. 64 hex digits. */
  readonly digest: string;
  readonly volumes: readonly VolumeFingerprint[];
  /** For people: `ext4 on partition 1: commit 1234`. Not escaped. */
  readonly counters: readonly string[];
  readonly writes?: DiskWrites;
  /** It was written to while it was read. */
  readonly moving?: true;
  /** All that was read from the disk, in bytes. */
  readonly readBytes: number;
};

/** Bounds, in bytes; for tests. Two fingerprints compare only when they were taken with the same. */
export type FingerprintLimits = {
  /** Regions of a disk. */
  readonly diskBytes: number;
  /** All that is read of a disk. */
  readonly readBytes: number;
  /** What is digested whole, whatever it is. */
  readonly wholeBytes: number;
};
