/** What is to be digested of a volume. */
import type { Region } from "./region-reader.ts";
import type { Depth, VolumeCounter } from "./types.ts";

export type VolumePlan = {
  readonly format: string;
  readonly depth: Depth;
  readonly counter?: VolumeCounter;
  readonly regions: readonly Region[];
  readonly note?: string;
};

export type PlanOptions = {
  /** For the large ones of its regions together; small ones come on top, a few MiB at most. */
  readonly limitBytes: number;
  readonly signal?: AbortSignal;
};
