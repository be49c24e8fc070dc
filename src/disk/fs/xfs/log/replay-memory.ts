/** What a replay may hold in memory, for all of its parts together: what one does not need, another can have. */
import { overLimit } from "../../../../base/failure.ts";
import { MIB } from "../../../../base/units.ts";
import type { Where } from "../../../../base/where.ts";

/**
 * Logs of filesystems up to 128 GiB have 64 MiB. With the cache over the disk and what waits to be collected, all of it
 * stays below 256 MiB (measured).
 */
const LIMIT_BYTES = 96 * MIB;
/** What an entry of a map or set costs. */
export const ENTRY_COST = 100;

export class ReplayMemory {
  #used = 0;

  /** `limit` when there is no room for so many more bytes. */
  take(bytes: number, where: Where): void {
    this.#used += bytes;
    if (this.#used > LIMIT_BYTES) throw overLimit(where, "what the log changes", "96 MiB");
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
