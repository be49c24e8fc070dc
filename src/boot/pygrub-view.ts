/**
 * What Xen's own pygrub would do with the same disk: which partitions it sees, which file it reads, which entry it
 * takes. Facts and versions: xen tools/pygrub/src/pygrub and GrubConf.py, as of 4.14 to 4.20.
 */
export type PygrubView = {
  /** Set when pygrub finds an entry with a kernel. */
  readonly entry?: {
    readonly title: string;
    readonly index: number;
    readonly kernelPath: string;
    readonly ramdiskPath?: string;
    readonly args: string;
    readonly configPath: string;
    readonly partitionNumber?: number;
  };
  /** When it finds none: why, in its own terms, one line per partition or volume that it cannot see or read. */
  readonly blind: readonly string[];
};
