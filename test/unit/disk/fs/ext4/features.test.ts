import { expect, test } from "vitest";
import { driverName, unknownFeatures } from "../../../../../src/disk/fs/ext4/features.ts";
import {
  groupHasSuperblock,
  groupHeadBlocks,
} from "../../../../../src/disk/fs/ext4/group-descriptor.ts";
import { parseSuperblock } from "../../../../../src/disk/fs/ext4/superblock.ts";
import { makeImage } from "./image.ts";

function name(compat: number, incompat: number, roCompat: number): string {
  return driverName({ compat, incompat, roCompat });
}

test("the driver's name, as blkid decides it", () => {
  expect(name(0, 0, 0)).toBe("ext2");
  expect(name(0x38, 0x2, 0x3)).toBe("ext2");
  expect(name(0x3c, 0x6, 0x3)).toBe("ext3");
  expect(name(0x3c, 0x42, 0x3)).toBe("ext4");
  expect(name(0x38, 0x2, 0x8)).toBe("ext4");
});

test("unknown features are named", () => {
  const features = { compat: 0x8000_0004, incompat: 0x2, roCompat: 0x80 };
  expect(unknownFeatures(features)).toEqual([
    "compat feature 0x80000000",
    "ro_compat feature 0x80",
  ]);
});

test("which groups begin with a copy of the superblock", () => {
  const plain = parseSuperblock(makeImage().bytes.subarray(1024, 2048), []);
  const having = (superblock: typeof plain) =>
    Array.from({ length: 130 }, (_, group) => group).filter((group) =>
      groupHasSuperblock(superblock, group),
    );
  expect(having(plain)).toHaveLength(130);
  expect(having({ ...plain, roCompat: 1 })).toEqual([0, 1, 3, 5, 7, 9, 25, 27, 49, 81, 125]);
  expect(having({ ...plain, compat: 0x200, roCompat: 1, backupGroups: [1, 77] })).toEqual([
    0, 1, 77,
  ]);
  expect(groupHeadBlocks({ ...plain, roCompat: 1, reservedGdtBlocks: 7 }, 2)).toBe(0);
  expect(groupHeadBlocks({ ...plain, roCompat: 1, reservedGdtBlocks: 7 }, 3)).toBe(9);
});
