/**
 * A program: opens the filesystem in an image with nothing kept in between, and prints how far its memory grew, in MiB:
 *
 *     node --expose-gc test/support/peak-memory.ts ext4|xfs|btrfs IMAGE
 *
 * `liveMib` is what the reader holds; `peakMib` has the garbage too, which is what the machine has to have, but depends on when
 * it is collected. Memory is looked at whenever the reader reads.
 */
import { attempt } from "../../src/base/failure.ts";
import type { FileSystem } from "../../src/disk/fs/filesystem.ts";
import { openBtrfs } from "../../src/disk/fs/btrfs/btrfs.ts";
import { openExt4 } from "../../src/disk/fs/ext4/ext4.ts";
import { walk } from "../../src/disk/fs/walk.ts";
import { openXfs } from "../../src/disk/fs/xfs/xfs.ts";
import { imageSource } from "./fs/mounted.ts";

const OPENERS = { ext4: openExt4, xfs: openXfs, btrfs: openBtrfs } as const;

const usedMib = () => {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return (heapUsed + arrayBuffers) / 1048576;
};

const [kind, image] = process.argv.slice(2);
using source = imageSource(image!);
const before = usedMib();
/** Garbage is told from what is held each time that so much has come together. */
const COLLECT_EVERY_MIB = 8;
let peakMib = 0;
let liveMib = 0;
let collectAt = 0;
let reads = 0;
const look = () => {
  const grown = usedMib() - before;
  peakMib = Math.max(peakMib, grown);
  if (grown < collectAt) return;
  globalThis.gc!();
  const live = usedMib() - before;
  liveMib = Math.max(liveMib, live);
  collectAt = Math.max(liveMib, live) + COLLECT_EVERY_MIB;
};
const watched = {
  ...source,
  async read(offset: number, length: number) {
    if (reads++ % 16 === 0) look();
    return source.read(offset, length);
  },
};

const open: (watched: typeof source) => Promise<FileSystem> = OPENERS[kind as keyof typeof OPENERS];
const started = performance.now();
const fs = await open(watched);
look();
const openMib = peakMib;
const openMs = performance.now() - started;
let files = 0;
for await (const _ of walk(fs, { maxEntries: 1_000_000, onFailure: () => {} })) files += 1;
look();
const used = await attempt(async () => {
  let extents = 0;
  for await (const _ of fs.usedExtents()) extents += 1;
  return extents;
});
look();
console.log(
  JSON.stringify({
    openMib: Math.round(openMib),
    liveMib: Math.round(liveMib),
    peakMib: Math.round(peakMib),
    openMs: Math.round(openMs),
    files,
    extents: used.ok ? used.value : used.failure.kind,
    state: fs.state.text,
  }),
);
