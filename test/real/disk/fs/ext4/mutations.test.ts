/** The unit tests damage the images made by hand a few times, this does it many times. */
import { test } from "vitest";
import { mutateJournal, mutateStructures } from "../../../../unit/disk/fs/ext4/mutations.ts";

test("mutations of all structures", () => mutateStructures(10_000));
test("every field of the journal's superblock and of the log, changed", () => mutateJournal(5000));
