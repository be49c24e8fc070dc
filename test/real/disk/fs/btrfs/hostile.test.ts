/** Damage to every kind of structure that the kernel makes, with right checksums, and of a log that was to be replayed. */
import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { crc32c } from "../../../../../src/bytes/crc32c.ts";
import { openBtrfs } from "../../../../../src/disk/fs/btrfs/btrfs.ts";
import { findSuperblock } from "../../../../../src/disk/fs/btrfs/find-superblock.ts";
import { findRoot } from "../../../../../src/disk/fs/btrfs/root-item.ts";
import { readLogs } from "../../../../../src/disk/fs/btrfs/log/log-tree.ts";
import { placesOf } from "../../../../../src/disk/fs/btrfs/chunk-map.ts";
import { blocksOf } from "../../../../../src/disk/fs/btrfs/tree.ts";
import { openVolume } from "../../../../../src/disk/fs/btrfs/volume.ts";
import { memorySource } from "../../../../../src/disk/source.ts";
import { useEverything } from "../../../../unit/disk/fs/btrfs/use.ts";
import { mountedAs } from "../../../../support/fs/mounted.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { need, needRoot, scratch, sh } from "../../../../support/need.ts";
import { makeBtrfsForms, makeSubvolumes, mkfsBtrfs } from "./forms.ts";

const SUPERBLOCK = 65_536;

/** A small filesystem, in use, with one of everything and a log. */
async function smallImage(mkfs: string, options: string): Promise<Uint8Array> {
  const path = `${scratch()}/image`;
  sh(`truncate -s 128M '${path}'`);
  mkfsBtrfs(path, mkfs);
  const mount = { image: path, type: "btrfs", options: `commit=300,${options}` };
  await mountedAs(mount, (root) => {
    makeBtrfsForms(root);
    makeSubvolumes(root);
    sh(`
      cd '${root}'; mkdir dir many; touch many/{1..150}-a-name-that-takes-some-room
      ln -s short dir/fast; mkfifo dir/fifo; mknod dir/disk b 202 1
      for i in $(seq 0 2 40); do printf x | dd of=dir/fragments bs=1 seek=$((i*4096)) conv=notrunc status=none; done
      sync -f .
      rm many/1*; echo new > dir/new; ln dir/new many/link; truncate -s 50000 dir/fragments
      head -c 30000 /dev/urandom >> forms/text
      sync dir/new dir/fragments forms/text many dir
      cp '${path}' '${path}.cut'
    `);
  });
  return Uint8Array.from(readFileSync(`${path}.cut`));
}

/** The blocks of all trees, the log's among them: what a mutation should hit, rather than contents and free space. */
async function metadataBlocks(image: Uint8Array): Promise<{ size: number; places: number[] }> {
  const source = memorySource(image, ["image"]);
  const { superblock } = await findSuperblock(source, []);
  const volume = await openVolume(source, superblock, []);
  const { rootTree, chunkTree, logTree, nodeSizeBytes: size } = superblock;
  const ids = [2n, 5n, 7n, ...Array.from({ length: 20 }, (_, i) => 256n + BigInt(i))];
  const roots = await Promise.all(ids.map((id) => findRoot(volume, id)));
  expect(logTree).toBeDefined();
  const logs = await readLogs(volume, logTree!);
  const all = [rootTree, chunkTree, logTree!, ...logs.map(({ root }) => root), ...roots];
  const places: number[] = [];
  for (const root of all) {
    if (!root) continue;
    for await (const { bytenr } of blocksOf(volume, root)) {
      places.push(placesOf(volume.chunks, { bytenr, length: size }, [])[0]!);
    }
  }
  return { size, places };
}

describe("mutations", () => {
  test.for([
    ["-m single -n 4096", "compress=zstd", 1],
    ["-m single", "compress=lzo", 2],
    ["-m single -O ^no-holes", "max_inline=0", 3],
  ] as const)("mkfs.btrfs %s, mounted with %s", async ([mkfs, options, seed]) => {
    need("mkfs.btrfs", "btrfs");
    needRoot("it mounts images");
    const image = await smallImage(mkfs, options);
    expect(await useEverything(memorySource(image, ["image"]))).toBeGreaterThan(300);
    expect((await openBtrfs(memorySource(image))).state.text).toMatch(/^log replayed/);
    const { size, places } = await metadataBlocks(image);
    const starts = [SUPERBLOCK, ...new Set(places)];
    const lengthAt = (at: number) => (at === SUPERBLOCK ? 4096 : size);
    // Places that are not just room.
    const bytes = starts.flatMap((start) =>
      Array.from({ length: lengthAt(start) - 40 }, (_, i) => start + 36 + i).filter((at) =>
        image.subarray(at - 4, at + 5).some((value) => value !== 0),
      ),
    );
    const view = new DataView(image.buffer);
    const input = Uint8Array.from(bytes, (at) => image[at]!);
    const run = async (count: number, seal: boolean) =>
      survivesMutation(
        [input],
        async (damaged) => {
          const changed = new Map<number, number>();
          const blocks = new Set<number>();
          for (let i = 0; i < bytes.length; i++) {
            if ((damaged[i] ?? 0) === input[i]) continue;
            const at = bytes[i]!;
            changed.set(at, input[i]!);
            image[at] = damaged[i] ?? 0;
            blocks.add(starts.findLast((start) => start <= at && at < start + lengthAt(start))!);
          }
          for (const at of seal ? blocks : []) {
            for (let i = at; i < at + 4; i++) changed.set(i, image[i]!);
            view.setUint32(at, crc32c(image.subarray(at + 32, at + lengthAt(at))), true);
          }
          try {
            return await useEverything(memorySource(image, ["image"]));
          } finally {
            for (const [at, value] of changed) image[at] = value;
          }
        },
        { count, seed },
      );
    const sealed = await run(400, true);
    const plain = await run(60, false);
    console.log(
      `${mkfs}: ${input.length} bytes of ${starts.length} blocks, ${JSON.stringify({ sealed, plain })}`,
    );
    expect(sealed.failures).toBeGreaterThan(50);
    expect(sealed.values).toBeGreaterThan(50);
    expect(plain.failures).toBeGreaterThan(20);
  });
});

describe("a log that cannot be replayed", () => {
  test("leaves the filesystem readable as it was committed, and says so", async () => {
    need("mkfs.btrfs", "btrfs");
    needRoot("it mounts images");
    const image = await smallImage("-m single", "");
    const source = memorySource(image, ["image"]);
    const { superblock } = await findSuperblock(source, []);
    const volume = await openVolume(source, superblock, []);
    const [at] = placesOf(
      volume.chunks,
      { bytenr: superblock.logTree!.bytenr, length: superblock.nodeSizeBytes },
      [],
    );
    image[at! + 1000] = 1;
    const fs = await openBtrfs(source);
    expect(fs.state).toEqual({ clean: false, text: "log of synced files not replayed" });
    const [note] = fs.notes;
    expect(note).toMatchObject({ code: "btrfs-log-not-replayed", severity: "error" });
    expect(note!.why).toMatch(/log tree > block \d+ is damaged.*Linux will probably refuse/);
    expect(await fs.lookup(await fs.root(), "dir")).toBeDefined();
    await expect(Array.fromAsync(fs.usedExtents())).rejects.toThrow(/a log that cannot be read/);
  });
});
