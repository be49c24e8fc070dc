/** Copies without unused blocks of btrfs in every state that it gets into. */
import { describe, expect, test } from "vitest";
import type { Extent } from "../../../src/disk/source.ts";
import { mountedAs } from "../../support/fs/mounted.ts";
import { makeTree, makeUnwritten } from "../../support/fs/tree.ts";
import { kernelView } from "../../support/fs/view.ts";
import type { View } from "../../support/fs/view.ts";
import { need, needRoot, scratch, sh } from "../../support/need.ts";
import {
  forgetDevices,
  makeBtrfsForms,
  makeSubvolumes,
  mkfsBtrfs,
} from "../disk/fs/btrfs/forms.ts";
import {
  makeFew,
  makePieces,
  proveCopy,
  QUIET,
  refusalOf,
  unusedOf,
  useUp,
} from "./unused-copy.ts";

const MIB = 1024 * 1024;

function write<T>(image: string, work: (root: string) => Promise<T> | T, options = ""): Promise<T> {
  forgetDevices();
  return mountedAs({ image, type: "btrfs", options }, work);
}

async function look(image: string): Promise<View> {
  const view = await write(image, (root) => kernelView(root), "ro");
  // A subvolume that is not there gets the time of the look.
  for (const path of view.keys()) if (path.endsWith("/nested")) view.delete(path);
  return view;
}

const fsck = (image: string) => {
  sh(`btrfs check --check-data-csum '${image}' 2>&1`);
  // Nobody misses a copy of the superblock until the first one is gone.
  for (const copy of [0, 1])
    sh(`btrfs inspect-internal dump-super -s ${copy} '${image}' | grep -q 'csum.*match'`);
};

const fill = (image: string) => write(image, (root) => useUp(root));

/** By btrfs-progs: all but the first MiB, the copies of the superblock and every extent wherever its chunk is. */
function freeByTools(image: string): Extent[] {
  const dump = (tree: string) =>
    sh(`btrfs inspect-internal dump-tree -t ${tree} '${image}'`).toString();
  const nodeSize = Number(
    /^nodesize\s+(\d+)/m.exec(sh(`btrfs inspect-internal dump-super '${image}'`).toString())![1],
  );
  const chunks = [
    ...dump("chunk").matchAll(/CHUNK_ITEM (\d+)\)[^]*?length (\d+) ([^]*?)(?=\titem|$)/g),
  ];
  const parts = chunks.map(([, logical, length, rest]) => ({
    logical: Number(logical),
    length: Number(length),
    places: [...rest!.matchAll(/devid 1 offset (\d+)/g)].map(([, place]) => Number(place)),
  }));
  expect(parts.length).toBeGreaterThan(1);
  const used: [number, number][] = [
    [0, MIB],
    [64 * MIB, 64 * MIB + 4096],
  ];
  const size = Number(sh(`stat -c %s '${image}'`));
  for (const [, at, type, value] of dump("extent").matchAll(
    /key \((\d+) (EXTENT_ITEM|METADATA_ITEM) (\d+)\)/g,
  )) {
    const length = type === "METADATA_ITEM" ? nodeSize : Number(value);
    const part = parts.find(
      (one) => one.logical <= Number(at) && Number(at) < one.logical + one.length,
    )!;
    for (const place of part.places) {
      const from = place + Number(at) - part.logical;
      used.push([from, from + length]);
    }
  }
  used.sort((a, b) => a[0] - b[0]);
  const free: Extent[] = [];
  let end = 0;
  for (const [from, to] of [...used, [size, size] as [number, number]]) {
    if (from > end) free.push({ offset: end, length: from - end });
    end = Math.max(end, to);
  }
  return free;
}

const prove = (image: string) => proveCopy({ image, look, fsck, freeByTools, fill });

async function make(mkfs: string, size = "260M"): Promise<string> {
  need("mkfs.btrfs", "btrfs", "fallocate");
  needRoot("it mounts images");
  const image = `${scratch()}/image`;
  sh(`truncate -s ${size} '${image}'`);
  mkfsBtrfs(image, mkfs);
  return image;
}

const tree = async (root: string) => {
  await makeTree(root, { files: 1200, crowd: 400, sparseSize: 1_000_000_000 });
  makeUnwritten(root);
};

describe("states", () => {
  test("fragmented, then trimmed, then nearly full", async () => {
    const image = await make("");
    await write(image, async (root) => {
      await tree(root);
      makeBtrfsForms(root);
      makeSubvolumes(root);
      makePieces(root);
    });
    const { unused, sentBytes, unusedBytes, sizeBytes } = await prove(image);
    expect(unused.length).toBeGreaterThan(100);
    expect(sentBytes).toBeLessThanOrEqual(sizeBytes - unusedBytes + 8192 * unused.length);
    await write(image, (root) => {
      sh(`rm -r pieces; sync -f .; fstrim '${root}'`, { cwd: root });
    });
    await prove(image);
    await write(image, (root) => {
      useUp(root, "most");
      sh("rm -r d0 grown0 most/d1*; sync -f .", { cwd: root });
    });
    await prove(image);
  });

  test("grown, balanced, shrunk: what is behind it is kept", async () => {
    const image = await make("-m single", "200M");
    await write(image, tree);
    sh(`truncate -s 450M '${image}'`);
    await write(image, (root) => {
      sh(`btrfs filesystem resize max '${root}'`);
      makePieces(root);
      sh(`btrfs balance start --full-balance '${root}'`);
    });
    await prove(image);
    await write(image, (root) => void sh(`btrfs filesystem resize 320M '${root}'`));
    const { unused } = await proveCopy({ image, look, fsck, fill });
    const last = unused.at(-1)!;
    expect(last.offset + last.length).toBeGreaterThan(200 * MIB);
    expect(last.offset + last.length).toBeLessThanOrEqual(320 * MIB);
  });

  test("with a log of synced files, or of somebody who may come back: nothing is called unused", async () => {
    const image = await make("");
    await write(
      image,
      (root) => {
        makeFew(root);
        sh(
          `sync -f .; for i in 100 101 102; do head -c 5000 /dev/urandom >> a/$i; sync a/$i; done
          cp --sparse=always '${image}' '${image}.cut'`,
          { cwd: root },
        );
      },
      "commit=300",
    );
    expect(await refusalOf(`${image}.cut`)).toMatch(/all of it is copied: log replayed/);
    expect(await refusalOf(image, { ...QUIET, mayResume: true })).toMatch(/goes on where it was/);
    expect((await unusedOf(image)).kind).toBe("view");
  });

  test("one of several devices: nothing is called unused", async () => {
    const image = await make("");
    sh(`truncate -s 260M '${image}.2'; mkfs.btrfs -q -f -m raid1 -d raid1 '${image}' '${image}.2'`);
    forgetDevices();
    expect(await refusalOf(image)).toMatch(/filesystem over 2 devices/);
  });
});

describe("where metadata can be: rubbish in place of what is unused, then all of it in use", () => {
  test.for([
    ["-m single", ""],
    ["-M", ""],
    ["-M -m dup -d dup", ""],
    ["-d dup -n 4096", ""],
    ["-n 65536 -m single", "compress-force=zstd"],
    ["-O ^no-holes,^skinny-metadata -R ^free-space-tree", "space_cache=v1"],
    ["-R quota", ""],
    ["--csum blake2", ""],
  ] as const)("mkfs.btrfs %s, mounted with '%s'", async ([mkfs, options]) => {
    const image = await make(mkfs, "260M");
    await write(image, makeFew, options);
    await prove(image);
  });

  test("made of an ext4", async () => {
    need("mkfs.ext4", "btrfs-convert");
    const image = `${scratch()}/image`;
    sh(`truncate -s 260M '${image}'; mkfs.ext4 -q -F -b 4096 '${image}'`);
    await mountedAs({ image, type: "ext4" }, makeFew);
    sh(`btrfs-convert '${image}'`);
    await prove(image);
  });
});
