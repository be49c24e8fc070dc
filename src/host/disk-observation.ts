/** What the system says of a disk without reading it. Docs: docs/design/fingerprint.md. */

/** Of a device, as the running kernel counts. */
export type DeviceCounter = {
  /** `major:minor` */
  readonly device: string;
  /** Another device of the same number has another one. */
  readonly diskseq: string;
  /** In units of 512 bytes. Decimal: they go beyond 2^53 on paper only, but nothing is calculated with them. */
  readonly sectorsWritten: string;
  readonly sectorsDiscarded: string;
};

/** Times in nanoseconds since 1970, decimal. */
export type FileTimes = {
  readonly inode: string;
  readonly sizeBytes: string;
  readonly mtimeNs: string;
  readonly ctimeNs: string;
};

export type DiskWrites = {
  /** Counters mean nothing under another. Empty without counters. */
  readonly bootId: string;
  /** The device itself, then the disk that it is a partition of. */
  readonly counters: readonly DeviceCounter[];
  /** The disk, or the file behind its loop device. */
  readonly file?: FileTimes;
};

export type DiskObservation = {
  /** 64 hex digits: the same for all names of a disk, and after a restart of the host. */
  readonly identity: string;
  /** Absent: the system cannot tell, or it is being written to this very moment. */
  readonly writes?: DiskWrites;
};
