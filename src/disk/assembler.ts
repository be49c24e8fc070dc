/** What puts volumes together from members, one for each system (LVM2, md). `assemble.ts` has the list and the loop. */
import type { Result } from "../base/failure.ts";
import type { Finding } from "../base/finding.ts";
import type { Where } from "../base/where.ts";
import type { Assembly, Member, Volume } from "./content.ts";
import type { ByteSource } from "./source.ts";

export type Assembler = {
  readonly system: Member["system"];
  /**
   * Puts together what it can from `members`, all of its system. Never fails: what is wrong with members is a finding,
   * what is wrong with a part is in the part.
   */
  assemble(members: readonly Volume[], options: AssembleOptions): Promise<PartsMade>;
};

export type AssembleOptions = {
  /**
   * False: only groups of which every member is there, since what is lacking may turn up inside of something else.
   * True: all that is left.
   */
  readonly partial: boolean;
  readonly signal?: AbortSignal;
};

export type PartsMade = {
  readonly parts: readonly Part[];
  /** Members that are accounted for: everything in them is in `parts`, or there is nothing in them. */
  readonly used: readonly Volume[];
  /** Members that nothing could be made of. With `partial`, every member is in one of the two lists. */
  readonly opaque: readonly Volume[];
  readonly findings: readonly Finding[];
};

/** Of all groups together; what an assembler gives beyond it is not looked at. */
export const MAX_VOLUMES = 1024;

/** A logical volume or an array. */
export type Part = {
  /** `vg0/root`, `md0` */
  readonly name: string;
  readonly where: Where;
  /** What it is called when it cannot be read: `LVM2 volume`. */
  readonly format: string;
  readonly sizeBytes: number;
  readonly source: Result<ByteSource>;
  readonly assembly: Assembly;
  /** Whether Linux looks for a partition table in it, as it does in arrays. */
  readonly partitionable: boolean;
};
