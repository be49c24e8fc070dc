import { describe, expect, test } from "vitest";
import { ioFailure } from "../../../../src/base/failure.ts";
import { memorySource } from "../../../../src/disk/source.ts";
import type { ByteSource } from "../../../../src/disk/source.ts";
import { compareFingerprints } from "../../../../src/guest/fingerprint/compare.ts";
import {
  fingerprintDisk,
  fingerprintDisks,
} from "../../../../src/guest/fingerprint/fingerprint.ts";
import { parseFingerprint } from "../../../../src/guest/fingerprint/parse-fingerprint.ts";
import type { FingerprintLimits } from "../../../../src/guest/fingerprint/types.ts";
import type { DiskObservation } from "../../../../src/host/disk-observation.ts";
import { fingerprintHost } from "../../../support/fingerprint-host.ts";
import { groupText, linear, lvmId, physicalVolume } from "../../../support/lvm.ts";
import { mutate, randomSource } from "../../../support/mutate.ts";
import { mbrSector } from "../../../support/tables.ts";
import { makeImage as btrfsImage } from "../../disk/fs/btrfs/image.ts";
import { FILE_BLOCK, letters, Log, makeImage as ext4Image } from "../../disk/fs/ext4/image.ts";
import { makeImage as fatImage } from "../../disk/fs/fat/image.ts";
import { makeImage as xfsImage } from "../../disk/fs/xfs/image.ts";

/** Nothing is small enough to be digested whole. */
const LIMITS: Partial<FingerprintLimits> = { wholeBytes: 0 };

function take(source: ByteSource | Uint8Array, limits = LIMITS) {
  const disk = source instanceof Uint8Array ? memorySource(source, ["disk"]) : source;
  return fingerprintDisk(fingerprintHost({ disk }), { path: "disk" }, { limits });
}

/** An ext4 whose journal has to be replayed. */
function dirtyExt4(): Uint8Array {
  const image = ext4Image();
  new Log(image, { checksums: "v3", wide: true })
    .copies([{ block: FILE_BLOCK, contents: letters("a") }])
    .commit()
    .copies([{ block: FILE_BLOCK + 1, contents: letters("b") }])
    .commit();
  return image.bytes;
}

/** A disk with an ext4 in its first partition, and 64 KiB of nothing known in the second. */
function partitioned(root = dirtyExt4()): Uint8Array {
  const sectors = root.length / 512;
  const disk = new Uint8Array((64 + sectors + 128 + 8) * 512);
  disk.set(
    mbrSector([
      { slot: 1, type: 0x83, start: 64, sectors },
      { slot: 2, type: 0x83, start: 64 + sectors, sectors: 128 },
    ]),
  );
  disk.set(root, 64 * 512);
  disk.fill(0xa5, (64 + sectors) * 512, (64 + sectors + 128) * 512);
  return disk;
}

describe("what is digested", () => {
  test("of ext4: its journal; the newest commit is named", async () => {
    const { volumes, counters } = await take(dirtyExt4());
    expect(volumes).toMatchObject([
      {
        name: "whole disk",
        format: "ext4",
        depth: "commits",
        counter: { text: "commit 4294967295" },
        regions: [
          { name: "superblock", bytes: 4096 },
          { name: "group descriptors", bytes: 1024 },
          { name: "journal", bytes: 65_536 },
        ],
      },
    ]);
    expect(counters[0]).toMatch(/^ext4 on whole disk: commit 4294967295 of 1970-01-01 00:1/);
  });

  test("of XFS: its log; of btrfs: its superblocks; of FAT: its tables and directories", async () => {
    const formats = [];
    for (const { bytes } of [xfsImage(), btrfsImage(), fatImage(16)]) {
      const [{ format, depth, regions } = {}] = (await take(bytes)).volumes;
      formats.push([format, depth, ...regions!.map(({ name, bytes: n }) => `${name} ${n}`)]);
    }
    expect(formats).toEqual([
      ["xfs", "commits", "group headers 4096", "log 65536"],
      ["btrfs", "commits", "superblocks 4096"],
      ["vfat", "commits", expect.stringMatching(/^allocation tables/), expect.anything()],
    ]);
  });

  test("of a disk: its table, and each partition", async () => {
    const { volumes } = await take(partitioned());
    expect(volumes.map(({ name, format, depth }) => [name, format, depth])).toEqual([
      ["whole disk", "partition table (mbr)", "container"],
      ["partition 1", "ext4", "commits"],
      ["partition 2", "unknown", "sample"],
    ]);
  });

  test("of what is small: everything", async () => {
    const disk = partitioned();
    const then = await take(disk, {});
    disk[100_000] = 0x77;
    const { same, changes } = compareFingerprints(then, await take(disk, {}));
    expect([same, then.volumes[0]!.depth]).toEqual([false, "whole"]);
    expect(changes).toContain(
      "partition table (mbr) on whole disk: its content is not the same any more.",
    );
  });

  test("of a volume group on two disks: its volumes, with the disk that has their first part", async () => {
    const ids = [lvmId("P"), lvmId("Q")];
    const text = groupText({
      name: "vg0",
      id: lvmId("G"),
      seqno: 3,
      extentSize: 8,
      pvs: ids.map((id, index) => ({ name: `pv${index}`, id, start: 128, count: 60 })),
      lvs: [
        {
          name: "root",
          id: lvmId("R"),
          segments: [linear(0, 30, "pv1", 0), linear(30, 18, "pv0", 5)],
        },
      ],
    });
    const disks = ids.map((uuid) => {
      const areas = [{ offset: 4096, size: 16_384, text }];
      return physicalVolume({ size: 65_536 + 60 * 4096, uuid, areas });
    });
    const root = dirtyExt4();
    disks[1]!.set(root.subarray(0, 30 * 4096), 65_536);
    disks[0]!.set(root.subarray(30 * 4096), 65_536 + 5 * 4096);
    const host = () =>
      fingerprintHost({ a: memorySource(disks[0]!, ["a"]), b: memorySource(disks[1]!, ["b"]) });
    const both = () => fingerprintDisks(host(), [{ path: "a" }, { path: "b" }], { limits: LIMITS });
    const [a, b] = await both();
    expect(a!.volumes.map(({ name, depth }) => [name, depth])).toEqual([
      ["whole disk", "container"],
      ["vg0/root", "commits"],
    ]);
    expect(b!.volumes.map(({ depth }) => depth)).toEqual(["container"]);
    // The journal is on the second disk.
    disks[1]!.fill(7, 65_536 + 50 * 1024, 65_536 + 51 * 1024);
    const [now] = await both();
    expect(compareFingerprints(a!, now!).changes).toEqual(["ext4 on vg0/root: changed: journal."]);
    // Without the other disk there is no such volume to look into.
    const alone = await fingerprintDisk(host(), { path: "b" }, { limits: LIMITS });
    expect(alone.volumes.map(({ depth }) => depth)).not.toContain("commits");
  });
});

describe("while it is read", () => {
  const observed = (counts: readonly number[]) => {
    let turn = 0;
    const reads: number[] = [];
    const disk = memorySource(dirtyExt4(), ["disk"]);
    const host = fingerprintHost({ disk }, (): DiskObservation => {
      const sectorsWritten = String(counts[turn++] ?? counts.at(-1));
      reads.push(turn);
      const counters = [{ device: "7:0", diskseq: "1", sectorsWritten, sectorsDiscarded: "0" }];
      return { identity: "i", writes: { bootId: "b", counters } };
    });
    return { host, turns: () => turn };
  };

  test("a write makes it read again", async () => {
    const { host, turns } = observed([1, 2, 2, 2]);
    const taken = await fingerprintDisk(host, { path: "disk" });
    expect(turns()).toBe(4);
    expect(taken).not.toHaveProperty("moving");
    expect(taken).toMatchObject({ identity: "i", writes: { counters: [{ sectorsWritten: "2" }] } });
  });

  test("writes without end are told", async () => {
    const { host, turns } = observed([1, 2, 3, 4, 5, 6, 7, 8, 9]);
    const taken = await fingerprintDisk(host, { path: "disk" });
    expect(turns()).toBe(6);
    expect(taken.moving).toBe(true);
    expect(compareFingerprints(taken, taken).same).toBe(false);
  });
});

describe("hostile and damaged disks give a coarser one", () => {
  const images: readonly (readonly [string, Uint8Array])[] = [
    ["ext4", dirtyExt4()],
    ["ext2", ext4Image().bytes],
    ["XFS", xfsImage().bytes],
    ["btrfs", btrfsImage().bytes],
    ["FAT", fatImage(12).bytes],
    ["a partitioned disk", partitioned()],
  ];

  test.for(images)("%s, damaged where it has its structures", async ([, image]) => {
    const random = randomSource(7);
    // Nothing of interest is behind the first 192 KiB of any of them.
    const head = image.subarray(0, 196_608);
    const depths = new Set<string>();
    for (let i = 0; i < 25; i++) {
      const damaged = Uint8Array.from(image);
      damaged.set(mutate(head, random).subarray(0, head.length));
      const taken = await take(damaged);
      for (const { depth } of taken.volumes) depths.add(depth);
      expect(taken.readBytes).toBeLessThanOrEqual(512 * 1024 * 1024);
      expect(parseFingerprint(JSON.parse(JSON.stringify(taken)), ["record"])).toEqual(taken);
    }
    expect(depths.size).toBeGreaterThan(0);
  });

  test("a superblock that is damaged: sampled, and why", async () => {
    const { bytes } = xfsImage();
    bytes[100] = 0x77;
    const taken = await take(bytes);
    expect(taken.volumes).toMatchObject([
      { format: "unknown", depth: "sample", note: expect.stringMatching(/^superblock: /) },
    ]);
    expect(compareFingerprints(taken, await take(bytes))).toMatchObject({
      same: true,
      proof: "sample",
    });
  });

  test("a journal that is damaged: sampled, and why", async () => {
    const bytes = dirtyExt4();
    bytes[40 * 1024] = 0x77;
    expect((await take(bytes)).volumes).toMatchObject([
      { format: "ext4", depth: "sample", note: expect.stringMatching(/expected 0xc03b3998/) },
    ]);
  });

  test("a disk that fails: what can be read is compared, the rest is a doubt", async () => {
    const good = partitioned();
    const failing: ByteSource = {
      ...memorySource(good, ["disk"]),
      async read(offset, length) {
        // The end of the journal in the first partition, behind what tells the partitions apart.
        if (offset + length > 64 * 512 + 97 * 1024 && offset < 64 * 512 + 98 * 1024)
          throw ioFailure(["disk"], "read", "EIO");
        return good.subarray(offset, offset + length);
      },
    };
    const [then, now] = [await take(good), await take(failing)];
    const compared = compareFingerprints(then, now);
    expect(now.volumes[1]!.depth).toBe("sample");
    expect(compared).toMatchObject({ same: true, proof: "sample", changes: [] });
    expect(compared.doubts).toContain("ext4 on partition 1: not read: journal.");
    const nothing: ByteSource = {
      ...memorySource(good, ["disk"]),
      read: () => Promise.reject(ioFailure(["disk"], "read", "EIO")),
    };
    const unread = await take(nothing);
    expect(compareFingerprints(unread, unread)).toMatchObject({ same: false, proof: "none" });
  });

  test("more than may be read: no more is", async () => {
    const taken = await take(partitioned(), { wholeBytes: 0, readBytes: 100_000 });
    expect(taken.readBytes).toBeLessThanOrEqual(100_000);
  });

  test("a disk that is not there is a failure", async () => {
    await expect(fingerprintDisk(fingerprintHost({}), { path: "x" })).rejects.toThrow("no such");
  });
});

describe("the record", () => {
  test("comes back as it was", async () => {
    const taken = { ...(await take(partitioned())), identity: "ab", moving: true as const };
    expect(parseFingerprint(JSON.parse(JSON.stringify(taken)), ["record"])).toEqual(taken);
  });

  test("of a later version, or another form, is refused", async () => {
    const taken = JSON.parse(JSON.stringify(await take(partitioned()))) as Record<string, unknown>;
    const refusal = (value: unknown) => {
      try {
        parseFingerprint(value, ["record"]);
        return "taken";
      } catch (error) {
        return (error as Error).message;
      }
    };
    expect(refusal({ ...taken, version: 2 })).toBe(
      "record: version 2 of fingerprints is not supported",
    );
    for (const other of [null, 1, "x", [], {}, { ...taken, volumes: {} }, { version: 1 }])
      expect(refusal(other)).toMatch(/^record.*: found (another|no text)/);
    // Each field in turn, by something of another kind.
    for (const name of Object.keys(taken))
      for (const wrong of [null, {}, -1, [[[]]]]) {
        expect(refusal({ ...taken, [name]: wrong }), name).not.toBe("taken");
      }
  });
});
