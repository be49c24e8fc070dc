import type { Where } from "../../base/where.ts";
import type { Compression } from "./format.ts";

export type DecompressOptions = {
  /** The most bytes that may come out; more is a `limit` failure. */
  readonly limit: number;
  readonly where: Where;
  /** Checked at least once every 4 MiB of output. */
  readonly signal?: AbortSignal;
};

export type Decompressed = {
  readonly bytes: Uint8Array;
  /** How many bytes of the input the stream took, its trailer included: what follows is not part of it. */
  readonly consumed: number;
};
export type { Compression };
