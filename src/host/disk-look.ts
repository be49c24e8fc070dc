/** What the system says of a disk without opening it. */

/** `block 8:1` for a device, `file 2049:131` (device and inode) for a file: the same under all names. */
export type DiskIdentity = string;

export type DiskLook = {
  readonly kind: "file" | "block-device";
  readonly sizeBytes: number;
  /** Of a file: when it was last written, in milliseconds since 1970. */
  readonly modifiedMs?: number;
  readonly identity: DiskIdentity;
  /**
   * What its bytes lie in: the disk around a partition, what is behind a loop device, what a device-mapper or md device is made of,
   * and so on down. Who writes to one of these may write to the disk.
   */
  readonly on: readonly DiskIdentity[];
  /** It is a classic LVM snapshot, or has some. */
  readonly snapshot?: {
    /** The volume that snapshots and origin have in common. */
    readonly origin: DiskIdentity;
    readonly isOrigin: boolean;
  };
  /** It is a thin volume of LVM: its pool. */
  readonly thinPool?: DiskIdentity;
};
