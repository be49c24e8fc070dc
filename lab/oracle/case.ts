/** One question of the oracle: a guest, made of named files, on the hosts of some releases. */
import type { LabRelease } from "../releases.ts";

export type OracleCase = {
  /** Unique; what `--filter` looks at. */
  readonly name: string;
  readonly releases: readonly LabRelease[];
  /** Default: `pv`. */
  readonly type?: "pv" | "pvh";
  /** For a direct boot: `6.1-cloud/zstd`, or another name of kernels.ts. */
  readonly kernel?: string;
  /** For a direct boot: `6.1-cloud/good/gzip`, by ramdisks.ts. */
  readonly ramdisk?: string;
  /** For a direct boot: the command line. Default: DEFAULT_ARGS. */
  readonly args?: string;
  /** A disk of disks.ts, as xvda. Default: `root`. */
  readonly disk?: string;
  /** More lines of the config. */
  readonly config?: readonly string[];
  /**
   * In MiB; default 192. `least` is what check calls the least that Xen can build it with, and then only the building is
   * watched; `below-least` is one less.
   */
  readonly memory?: number | "least" | "below-least";
  /** What the case is there for: check must say it, on all of its releases. */
  readonly code?: string;
  /** check cannot decide this one from outside, and says so. */
  readonly open?: true;
  /** Belongs to the subset that CI runs, on Xen 4.17. */
  readonly subset?: true;
};

export const DEFAULT_ARGS = "root=/dev/xvda console=hvc0";
export const DEFAULT_MEMORY_MIB = 192;

/** In dom0, and below the staging directory of this machine. */
export const ORACLE_DIRECTORY = "/srv/oracle";
