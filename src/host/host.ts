/**
 * The one door to the operating system. Use cases get a `Host` and nothing else, so they run the same on this
 * machine, over ssh, on a dead host's file tree (`--root`), and in tests.
 */
import type { BlockDevice } from "../disk/source.ts";
import type { DiskLook } from "./disk-look.ts";
import type { DiskObservation } from "./disk-observation.ts";
import type { DiskReach } from "./disk-reach.ts";

export type Ran = {
  readonly argv: readonly string[];
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
};

export type RunOptions = {
  readonly stdin?: string;
  readonly signal?: AbortSignal;
  /** Output beyond this many bytes is an error, not a surprise in memory. Default 16 MiB. */
  readonly maxOutputBytes?: number;
  /**
   * It goes on when this process is killed or Ctrl-C is pressed: a session of its own, and no pipe that could break under it.
   * For what must not be ended half-way, such as xl.
   */
  readonly survives?: boolean;
};

export type PathKind = "file" | "block-device" | "directory" | "other" | "missing";

export type FileChange = {
  /** What the file must still hold. */
  readonly expected: Uint8Array;
  readonly bytes: Uint8Array;
  /** Where the old content is kept; nothing may be there yet. */
  readonly copyPath: string;
  /** In the same directory: where the new content is written. What is there is what a cut has left, and goes. */
  readonly temporaryPath: string;
};

export type Host = {
  /** For messages: `this host`, `hostb`, `/mnt/deadhost`. */
  readonly name: string;
  /** False for a file tree: then `run` always fails with `missing`. */
  readonly live: boolean;
  run(argv: readonly string[], options?: RunOptions): Promise<Ran>;
  /** A device or image file, read-only. Relative paths are taken from the current directory. */
  openBlock(path: string): Promise<BlockDevice>;
  /** A whole file; a `limit` failure above `limitBytes` (default 16 MiB). */
  readFile(path: string, limitBytes?: number): Promise<Uint8Array>;
  /** Names in a directory, sorted; `missing` when it is not there. */
  list(path: string): Promise<readonly string[]>;
  kind(path: string): Promise<PathKind>;
  /** The path after following symlinks; `missing` when it leads nowhere. */
  realPath(path: string): Promise<string>;
  /**
   * A new content for a file, with the owner and the mode of the old one, which is kept: all or nothing, also when the power
   * fails. `path` is no link. `refused` when the file is not what was expected. Absent: nothing is written here.
   */
  replaceFile?(path: string, change: FileChange): Promise<void>;
  /**
   * Who a disk is and how much was written to it, as the system says; before that, all that is still to be written to it is
   * flushed, and what was read of it is forgotten. Absent: the system that had the disk is not this one. With `settle: false`
   * nothing is flushed or waited for: what it says of a write is right, that there was none is not proven.
   */
  observeDisk?(path: string, options?: { readonly settle?: boolean }): Promise<DiskObservation>;
  /** What a disk is, without opening it; undefined when nothing is there. Absent: it has to be opened. */
  lookAtDisk?(path: string): Promise<DiskLook | undefined>;
  /**
   * Which disks are changed by who writes to one of these; nothing for a path at which nothing is. Absent: names are all there is
   * to go by.
   */
  reachesOf?(paths: readonly string[]): Promise<ReadonlyMap<string, DiskReach>>;
  /**
   * Of a file: another text whenever it is written to, replaced, or its times are set. Undefined where that cannot be promised:
   * for what is no file, and for one that was written to within the last seconds. Absent: never.
   */
  stampOf?(path: string): Promise<string | undefined>;
};
