/** Which disks of a machine have bytes in common. */

/**
 * Writing to one of two disks changes the other when either reaches the other's identity: one device or file under two names, a
 * partition and its disk, a loop device and what is behind it, a device and what is built on it.
 */
export type DiskReach = {
  /** `block 8:1` or `file 2049:131`: the same under all names of the device or file, until the host is started again. */
  readonly identity: string;
  /** The identities of all through which its bytes can be read or written; its own is one. */
  readonly reaches: readonly string[];
};
