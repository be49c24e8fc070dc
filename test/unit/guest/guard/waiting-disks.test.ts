/** A disk that a memory image of another guest waits for, under whatever name it comes. */
import { describe, expect, test } from "vitest";
import { explainFailure } from "../../../../src/base/explain.ts";
import { attempt, ioFailure } from "../../../../src/base/failure.ts";
import { assertFree } from "../../../../src/guest/guard/disk-guard.ts";
import { imagesThatWait } from "../../../../src/guest/guard/waiting-disks.ts";
import type { DiskOwner } from "../../../../src/guest/guard/waiting-disks.ts";
import { readReaches } from "../../../../src/host/local/block-graph.ts";
import type { ImageRecord } from "../../../../src/host/records.ts";
import { DISK_HOST } from "./disk-host.ts";

const DISK = "/dev/vg0/pandora-disk";
const MAPPED = "/dev/mapper/vg0-pandora--disk";
const SAVED_AT = Date.UTC(2026, 0, 2, 3, 4, 5);

const image = (more: Partial<ImageRecord> = {}, path = DISK): ImageRecord => ({
  ...{ id: 7, guest: "pandora", uuid: "u1", path: "/save/pandora.xl", state: "waiting" },
  ...{ savedAtMs: SAVED_AT, disks: [{ vdev: "xvda", path, readonly: false }] },
  ...more,
});

type Asked = {
  readonly images?: readonly ImageRecord[];
  readonly writes?: boolean;
  readonly owner?: DiskOwner;
};

const OTHER: DiskOwner = { name: "other", uuid: "u2" };

function judge(path: string, { images = [image()], writes = true, owner = OTHER }: Asked = {}) {
  const ports = {
    findUsers: async () => [],
    copyState: async () => undefined,
    reachesOf: (paths: readonly string[]) => readReaches(DISK_HOST, paths),
    waitingImages: async () => images,
  };
  return attempt(() => assertFree(ports, path, { writes, owner }));
}
const isFree = async (path: string, asked?: Asked) => (await judge(path, asked)).ok;

test("is refused to who would write: what it is, why, and the ways out", async () => {
  const judged = await judge(MAPPED);
  if (judged.ok) throw new Error("it is free");
  expect(judged.failure.kind).toBe("refused");
  expect(explainFailure(judged.failure)).toMatchObject({
    what: `${MAPPED} is the disk xvda (${DISK}) of pandora, whose memory image /save/pandora.xl waits since 2026-01-02 03:04:05 UTC.`,
    why: "The image fits the disk as it is. One write makes it worthless: who restores it after that destroys the filesystems.",
    next: "To let pandora go on where it was: domus restore pandora. To give that up: domus start --discard-image pandora, which keeps the image aside. When pandora is stopped then (domus stop pandora), run the command again. Read-only (r) the disk may be had now.",
  });
});

test.each([
  [DISK, DISK],
  [MAPPED, DISK],
  [DISK, MAPPED],
  // The disk around a partition, a partition of the disk, what the volume group of it lies on.
  ["/dev/sda", "/dev/sda1"],
  ["/dev/sda1", "/dev/sda"],
  ["/dev/sda2", DISK],
  [DISK, "/dev/sda2"],
  ["/srv/link.img", "/srv/pandora.img"],
  ["/dev/loop0", "/srv/pandora.img"],
  ["/srv/pandora.img", "/dev/loop0"],
])("%s is not free while an image waits for %s", async (path, saved) => {
  expect(await isFree(path, { images: [image({}, saved)] })).toBe(false);
});

test.each([
  ["/dev/mapper/vg0-mail", DISK],
  ["/dev/sda1", DISK],
  ["/srv/other.img", "/srv/pandora.img"],
  ["/dev/vg0/none", DISK],
  [DISK, "/dev/vg0/gone"],
])("%s has nothing to do with %s", async (path, saved) => {
  expect(await isFree(path, { images: [image({}, saved)] })).toBe(true);
});

describe("is free", () => {
  test("for who only reads", async () => {
    expect(await isFree(DISK, { writes: false })).toBe(true);
  });

  test("where the saved guest could only read it", async () => {
    const disks = [{ vdev: "xvda", path: DISK, readonly: true }];
    expect(await isFree(DISK, { images: [image({ disks })] })).toBe(true);
  });

  test.each<[string, DiskOwner, boolean]>([
    ["by its name", { name: "pandora" }, true],
    ["by its uuid", { name: "renamed", uuid: "u1" }, true],
    ["by the image that the command gives up", { ...OTHER, images: [7] }, true],
    ["and no other one", { ...OTHER, images: [8] }, false],
    ["and none without a uuid", { name: "other" }, false],
  ])("for the guest itself %s", async (_, owner, free) => {
    expect(await isFree(DISK, { owner })).toBe(free);
  });
});

test("of two images that wait for one disk the older one is in nobody's way", async () => {
  const later = image({ id: 8, guest: "other", uuid: "u2", savedAtMs: SAVED_AT + 1 });
  const images = [later, image()];
  expect(await isFree(DISK, { images, owner: OTHER })).toBe(true);
  expect(await isFree(DISK, { images, owner: { name: "pandora", uuid: "u1" } })).toBe(false);
  // An image of its own of another disk says nothing.
  const elsewhere = { ...later, disks: [{ vdev: "xvda", path: "/dev/sda1", readonly: false }] };
  expect(await isFree(DISK, { images: [elsewhere, image()], owner: OTHER })).toBe(false);
});

test("only images that wait, and are there, count", async () => {
  const states = ["saving", "waiting", "restored", "aside", "missing"] as const;
  const images = states.map((state, id) => image({ id, state, path: `/save/${state}` }));
  const gone = image({ id: 9, path: "/save/gone" });
  const broken = image({ id: 10, path: "/save/broken" });
  const kind = async (path: string) => {
    if (path === broken.path) throw ioFailure([path], "look at", "EIO");
    return path === gone.path ? "missing" : "file";
  };
  const records = { images: () => [...images, gone, broken] };
  expect((await imagesThatWait({ kind }, records)).map(({ id }) => id)).toEqual([1, 10]);
});
