/** The unit tests damage the images made by hand a few times, this does it many times. */
import { describe, test } from "vitest";
import { mutateLog, mutateStructures } from "../../../../unit/disk/fs/xfs/mutations.ts";

describe.each([4, 5] as const)("version %i", (version) => {
  test("mutations of all structures, sealed again", () => mutateStructures(version, 2000));
  test("mutations of all of a log, sealed again", () => mutateLog(version, 1200));
});
