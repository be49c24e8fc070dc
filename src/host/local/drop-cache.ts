/** So that reading comes from the disk, not from what the kernel has in memory. */
import { attempt } from "../../base/failure.ts";
import { runLocal } from "./run.ts";

/**
 * Asks the kernel to forget what it has read of a file or device, by dd(1): Node has no posix_fadvise(2). Everything has to be
 * flushed before: what is still to be written stays. False when that cannot be asked for. A tmpfs has no other place.
 */
export async function dropCache(path: string): Promise<boolean> {
  // coreutils' manual: with count=0, nocache speaks of the whole file.
  const ran = await attempt(() => runLocal(["dd", `if=${path}`, "iflag=nocache", "count=0"]));
  return ran.ok && ran.value.exitCode === 0;
}
