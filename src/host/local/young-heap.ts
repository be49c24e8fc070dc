import { setFlagsFromString } from "node:v8";

/**
 * Keeps V8 from making room for ever more young objects. It does so when they come fast and some of them live a while, as in a copy
 * of a large sparse disk: 190 MiB at 256 GiB in place of 120, for no gain in time (measured). For the whole process.
 */
export function keepYoungHeapSmall(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
}
