import { describe, expect, test } from "vitest";
import { compareContent, compareFingerprints } from "../../../../src/guest/fingerprint/compare.ts";
import { sameWrites } from "../../../../src/guest/fingerprint/compare-writes.ts";
import type {
  DiskFingerprint,
  VolumeFingerprint,
} from "../../../../src/guest/fingerprint/types.ts";
import type { DiskWrites } from "../../../../src/host/disk-observation.ts";

const ROOT: VolumeFingerprint = {
  name: "partition 1",
  format: "ext4",
  sizeBytes: 1000,
  depth: "commits",
  counter: { text: "commit 7", atSeconds: 1_600_000_000 },
  regions: [
    { name: "superblock", bytes: 10, digest: "aa" },
    { name: "journal", bytes: 20, digest: "bb" },
  ],
};
const TABLE: VolumeFingerprint = {
  name: "whole disk",
  format: "partition table (gpt)",
  sizeBytes: 2000,
  depth: "container",
  regions: [{ name: "partition table", bytes: 5, digest: "cc" }],
};
const SWAP: VolumeFingerprint = {
  ...ROOT,
  name: "partition 2",
  format: "swap",
  depth: "sample",
  regions: [{ name: "beginning", bytes: 10, digest: "dd" }],
};

function taken(
  volumes: readonly VolumeFingerprint[],
  more: Partial<DiskFingerprint> = {},
): DiskFingerprint {
  return {
    version: 1,
    takenAtMs: 1_600_000_000_000,
    sizeBytes: 2000,
    digest: "",
    volumes,
    counters: [],
    readBytes: 0,
    ...more,
  };
}

const disk = (more: Partial<DiskFingerprint> = {}) => taken([TABLE, ROOT, SWAP], more);

const device = (written: string, more: Partial<DiskWrites> = {}): DiskWrites => ({
  bootId: "b1",
  counters: [{ device: "7:0", diskseq: "3", sectorsWritten: written, sectorsDiscarded: "0" }],
  ...more,
});
const TIMES = { inode: "12", sizeBytes: "2000", mtimeNs: "1600000000000000000", ctimeNs: "5" };
const file = (more: Partial<typeof TIMES> = {}): DiskWrites => ({
  bootId: "",
  counters: [],
  file: { ...TIMES, ...more },
});

describe("the same", () => {
  test.for([
    ["counters", disk({ writes: device("8") })],
    ["times", disk({ writes: file() })],
    ["commits", disk()],
    ["commits", taken([TABLE, { ...ROOT, depth: "whole" }, SWAP])],
    ["whole", taken([{ ...TABLE, depth: "whole" }, ROOT])],
    ["whole", taken([{ ...ROOT, depth: "whole" }], { writes: file() })],
    ["sample", taken([TABLE, ROOT, { ...SWAP, format: "LUKS2" }])],
    ["sample", taken([TABLE, SWAP])],
    ["sample", taken([TABLE])],
  ] as const)("by %s", ([proof, one]) => {
    const compared = compareFingerprints(one, structuredClone(one));
    expect(compared).toMatchObject({ same: true, proof, changes: [] });
  });

  test("when there is nothing to compare: it is not said that it is", () => {
    const unread = { ...ROOT, regions: [{ name: "journal", bytes: 20 }] };
    expect(compareFingerprints(taken([unread]), taken([unread]))).toEqual({
      same: false,
      proof: "none",
      changes: [],
      doubts: [
        "ext4 on partition 1: not read: journal.",
        "The system did not count what was written to it.",
      ],
    });
  });

  test("with another identity: a doubt", () => {
    const [a, b] = [disk({ identity: "1" }), disk({ identity: "2" })];
    const { same, doubts } = compareFingerprints(a, b);
    expect(same).toBe(true);
    expect(doubts[0]).toBe("It is another file or device than at that time.");
  });
});

describe("changed", () => {
  const changed = (now: DiskFingerprint, then = disk()) => {
    const { same, proof, changes } = compareFingerprints(then, now);
    expect(same).toBe(false);
    return [proof, ...changes];
  };

  test("by a commit, with its number and time", () => {
    const regions = [ROOT.regions[0]!, { name: "journal", bytes: 20, digest: "b2" }];
    const counter = { text: "commit 9", atSeconds: 1_700_000_000 };
    expect(changed(taken([TABLE, { ...ROOT, regions, counter }, SWAP]))).toEqual([
      "content",
      "ext4 on partition 1: commit 9 of 2023-11-14 22:13:20 UTC; it was commit 7 (changed: journal).",
    ]);
    expect(changed(taken([TABLE, { ...ROOT, regions }, SWAP]))).toEqual([
      "content",
      "ext4 on partition 1: changed: journal.",
    ]);
  });

  test("by what is on it", () => {
    expect(changed(taken([TABLE, SWAP]))).toEqual(["content", "ext4 on partition 1 is gone."]);
    expect(changed(disk(), taken([TABLE, SWAP]))).toEqual([
      "content",
      "ext4 on partition 1 is new.",
    ]);
    expect(
      changed(taken([TABLE, { ...ROOT, format: "unknown", note: "bad \u001b[0m" }, SWAP])),
    ).toEqual(["content", "partition 1 was ext4 and is unknown now (bad \\x1b[0m)."]);
    expect(changed(taken([TABLE, { ...ROOT, sizeBytes: 1001 }, SWAP]))).toEqual([
      "content",
      "ext4 on partition 1 had 1000 bytes and has 1001 now.",
    ]);
    expect(changed(disk({ sizeBytes: 4096 }))[1]).toMatch(/^The disk had 2.* \(2000 bytes\) and/);
    const shorter = { ...ROOT, regions: ROOT.regions.slice(0, 1) };
    const longer = {
      ...ROOT,
      regions: [ROOT.regions[0]!, { ...ROOT.regions[1]!, bytes: 21 }],
    };
    for (const one of [shorter, longer])
      expect(changed(taken([TABLE, one, SWAP]))[1]).toBe("ext4 on partition 1: changed: journal.");
    expect(changed(disk(), taken([TABLE, shorter, SWAP]))[1]).toMatch(/changed: journal/);
  });

  test("by the counters alone: a block of data", () => {
    expect(changed(disk({ writes: device("16") }), disk({ writes: device("8") }))).toEqual([
      "counters",
      "Since then 8 sectors of 512 bytes were written to the device.",
    ]);
    expect(compareContent(disk({ writes: device("16") }), disk({ writes: device("8") })).same).toBe(
      true,
    );
  });

  test("when it moved while it was read", () => {
    expect(changed(disk({ moving: true }))).toEqual([
      "content",
      "It was being written to while it was read (2020-09-13 12:26:40 UTC).",
    ]);
    expect(changed(disk(), disk({ moving: true, writes: device("1") }))).toHaveLength(2);
  });
});

describe("what the system says", () => {
  test.for([
    ["nothing", undefined, device("8"), "unknown"],
    ["the same counters", device("8"), device("8"), "not written"],
    ["other counters", device("8"), device("9"), "written"],
    ["the counters of another start", device("8"), device("8", { bootId: "b2" }), "unknown"],
    [
      "the counters of another device of this number",
      device("8"),
      device("8", { counters: [{ ...device("8").counters[0]!, diskseq: "4" }] }),
      "unknown",
    ],
    [
      "another device",
      device("8"),
      device("8", { counters: [{ ...device("8").counters[0]!, device: "7:1" }] }),
      "unknown",
    ],
    [
      "discards",
      device("8"),
      device("8", { counters: [{ ...device("8").counters[0]!, sectorsDiscarded: "1" }] }),
      "written",
    ],
    ["the same times", file(), file(), "not written"],
    ["another mtime", file(), file({ mtimeNs: "1600000000000000001" }), "written"],
    ["another size", file(), file({ sizeBytes: "1999" }), "written"],
    ["another ctime", file(), file({ ctimeNs: "6" }), "unknown"],
    ["another inode", file(), file({ inode: "13", mtimeNs: "9" }), "unknown"],
    ["a file, then a device", file(), device("8"), "unknown"],
  ] as const)("%s", ([, then, now, verdict]) => {
    expect(sameWrites(then, now).verdict).toBe(verdict);
  });

  test("of a loop device: its counters and the times of its file", () => {
    const both = (written: string, mtimeNs: string, bootId = "b1") =>
      device(written, { bootId, file: { ...TIMES, mtimeNs } });
    const verdicts = [
      sameWrites(both("8", "1"), both("8", "1")),
      sameWrites(both("8", "1"), both("9", "2")),
      sameWrites(both("8", "1"), both("8", "2")),
      // Attached again: the times are left.
      sameWrites(both("8", "1"), both("0", "1", "b2")),
      sameWrites(both("8", "1"), both("0", "2", "b2")),
    ].map((one) => [one.verdict, "by" in one && one.by]);
    expect(verdicts).toEqual([
      ["not written", "counters"],
      ["written", "counters"],
      ["written", "times"],
      ["not written", "times"],
      ["written", "times"],
    ]);
  });

  test("of a partition: writes elsewhere on its disk prove nothing", () => {
    const part = (own: string, around: string) =>
      device(own, {
        counters: [device(own).counters[0]!, { ...device(around).counters[0]!, device: "7:9" }],
      });
    expect(sameWrites(part("8", "20"), part("8", "20")).verdict).toBe("not written");
    expect(sameWrites(part("8", "20"), part("8", "21")).verdict).toBe("unknown");
    expect(sameWrites(part("8", "20"), part("9", "21")).verdict).toBe("written");
  });
});
