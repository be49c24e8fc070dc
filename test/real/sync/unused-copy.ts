/** The proof that what is called unused is: a real copy without it, and worse, a copy with rubbish in its place. */
import {
  appendFileSync,
  closeSync,
  copyFileSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { expect } from "vitest";
import type { Extent } from "../../../src/disk/source.ts";
import { extentsOf } from "../../../src/guest/sync/unused-extents.ts";
import { openUnusedView } from "../../../src/guest/sync/unused-view.ts";
import type { UnusedView, UnusedViewOptions } from "../../../src/guest/sync/unused-view.ts";
import { openSyncSource } from "../../../src/host/local/sync-source.ts";
import { openSyncTarget } from "../../../src/host/local/sync-target.ts";
import { receive } from "../../../src/sync/receiver.ts";
import { send } from "../../../src/sync/sender.ts";
import { randomSource } from "../../support/mutate.ts";
import type { View } from "../../support/fs/view.ts";
import { differences } from "../../support/fs/view.ts";
import { sh } from "../../support/need.ts";
import { memoryConnection } from "../../unit/sync/memory-pipe.ts";

/** Nobody has it, and nobody will come back. */
export const QUIET: UnusedViewOptions = { mayResume: false, findUsers: async () => [] };

/** What is said of an image, without copying it. */
export async function unusedOf(image: string, options = QUIET): Promise<UnusedView> {
  await using source = await openSyncSource(image);
  return await openUnusedView(source, options);
}

/** Why nothing of an image is called unused. */
export async function refusalOf(image: string, options = QUIET): Promise<string> {
  const view = await unusedOf(image, options);
  expect(view.kind).toBe("refused");
  return view.kind === "refused" ? [view.reason, ...view.notes].join("\n") : "";
}

export type Copied = {
  readonly copy: string;
  readonly sizeBytes: number;
  /** Ranges of bytes, ascending. */
  readonly unused: readonly Extent[];
  readonly unusedBytes: number;
  readonly notes: readonly string[];
  /** Blocks that were sent. */
  readonly sentBytes: number;
};

/** Copies `image` over a file that was full of something else. */
export async function copyWithoutUnused(image: string): Promise<Copied> {
  const copy = `${image}.copy`;
  await using source = await openSyncSource(image);
  const view = await openUnusedView(source, QUIET);
  if (view.kind === "refused") throw new Error([view.reason, ...view.notes].join("\n"));
  sh(`head -c ${source.size} /dev/zero | tr '\\000' '\\245' > '${copy}'`);
  const connection = memoryConnection();
  await using target = await openSyncTarget(copy, { sizeBytes: source.size });
  const [sent, received] = await Promise.all([
    send({
      source: view.source,
      channel: connection.source,
      identity: source.identity,
      program: "test",
    }),
    receive({ target, channel: connection.destination, program: "test" }),
  ]);
  expect(received.digest).toEqual(sent.digest);
  return {
    copy,
    sizeBytes: source.size,
    unused: [...extentsOf(view.unused)],
    unusedBytes: view.unused.bytes,
    notes: view.notes,
    sentBytes: sent.blockBytes,
  };
}

/** Leaves free space in very many pieces: of many files every other one is gone, and some have grown in between. */
export function makePieces(root: string, count = 1200): void {
  const random = randomSource(11);
  const noise = Buffer.alloc(20_000);
  for (let i = 0; i < noise.length; i++) noise[i] = random(256);
  mkdirSync(`${root}/pieces`);
  for (let i = 0; i < count; i++)
    writeFileSync(`${root}/pieces/${i}`, noise.subarray(random(9000), 9000 + random(11_000)));
  sh(`sync -f '${root}'`);
  for (let i = 0; i < count; i += 2) rmSync(`${root}/pieces/${i}`);
  for (const path of ["d1", "contents/solid"]) rmSync(`${root}/${path}`, { recursive: true });
  for (let i = 0; i < 300; i++) appendFileSync(`${root}/grown${i % 2}`, noise.subarray(0, 9000));
}

/** A few files with gaps between them. */
export function makeFew(root: string): void {
  const random = randomSource(12);
  mkdirSync(`${root}/a`);
  for (let i = 0; i < 150; i++)
    writeFileSync(`${root}/a/${i}`, Buffer.alloc(i * 300, `${random(1e9)};`));
  for (let i = 3; i < 150; i += 10) rmSync(`${root}/a/${i}`);
  symlinkSync("x".repeat(800), `${root}/a/link`);
}

/** Uses up all that is free: directories, small files, large ones, until nothing more fits. */
export function useUp(root: string, name = "filled"): void {
  const dir = `${root}/${name}`;
  try {
    mkdirSync(dir);
    for (let i = 0; i < 300; i++) {
      mkdirSync(`${dir}/d${i}`);
      writeFileSync(`${dir}/d${i}/f`, `${i}`);
    }
    const file = openSync(`${dir}/rest`, "w");
    try {
      for (const length of [1 << 20, 65_536, 4096, 512])
        for (const piece = Buffer.alloc(length, "Z"); ;) if (!writes(file, piece)) break;
    } finally {
      closeSync(file);
    }
    for (let i = 0; i < 300; i++) writeFileSync(`${dir}/s${i}`, Buffer.alloc(700, "S"));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOSPC") throw error;
  }
  sh(`sync -f '${root}'`);
}

function writes(file: number, piece: Buffer): boolean {
  try {
    return writeSync(file, piece) > 0;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOSPC") return false;
    throw error;
  }
}

/** Writes `fill` over the ranges, in a file that keeps its size. */
export function overwrite(path: string, extents: readonly Extent[], fill: number): void {
  const program = `
    my ($path, $fill) = @ARGV; open(my $file, "+<", $path) or die "$path: $!";
    my $rubbish = chr($fill) x 1048576;
    while (my $line = <STDIN>) {
      my ($at, $left) = split " ", $line;
      sysseek($file, $at, 0) or die $!;
      while ($left > 0) {
        my $done = syswrite($file, $rubbish, $left < 1048576 ? $left : 1048576) or die $!;
        $left -= $done;
      }
    }`;
  const input = extents.map(({ offset, length }) => `${offset} ${length}\n`).join("");
  sh(`perl -e '${program.replaceAll("'", "'\\''")}' '${path}' ${fill}`, { input });
}

export type Proof = {
  readonly image: string;
  /** Every file of an image, by the kernel's mount; it may not change the image. */
  readonly look: (image: string) => Promise<View>;
  /** Fails when fsck finds anything. */
  readonly fsck: (image: string) => void;
  /** What the filesystem's own tools say is free, in bytes of the image: by them alone. */
  readonly freeByTools?: (image: string) => readonly Extent[];
  /** Fills the copy to the last block through the kernel's mount. */
  readonly fill?: (image: string) => Promise<void>;
};

/**
 * The copy passes fsck and has the same files, is the source with zeroes in place of what is unused, and nothing misses what was there: neither with rubbish in
 * its place, nor when all of it is used.
 */
export async function proveCopy({ image, look, fsck, freeByTools, fill }: Proof): Promise<Copied> {
  const before = await look(image);
  expect(before.size).toBeGreaterThan(1);
  fsck(image);
  const copied = await copyWithoutUnused(image);
  const { copy, unused } = copied;
  if (freeByTools) assertInsideOf(unused, freeByTools(image), copied.unusedBytes);
  const masked = `${image}.masked`;
  copyFileSync(image, masked);
  overwrite(masked, unused, 0);
  sh(`cmp '${masked}' '${copy}'`);
  fsck(copy);
  expect(differences(before, await look(copy))).toEqual([]);
  overwrite(copy, unused, 0xa5);
  fsck(copy);
  expect(differences(before, await look(copy))).toEqual([]);
  if (fill) {
    await fill(copy);
    fsck(copy);
    const after = await look(copy);
    for (const path of after.keys()) if (!before.has(path)) after.delete(path);
    expect(differences(withoutTimes(before), withoutTimes(after))).toEqual([]);
  }
  sh(`rm '${masked}' '${copy}'`);
  return copied;
}

/** Directories that something was added to have another time and size. */
function withoutTimes(view: View): View {
  return new Map(
    Array.from(view, ([path, seen]) => [
      path,
      seen.kind === "directory" ? { ...seen, mtime: 0, size: 0, links: 0 } : seen,
    ]),
  );
}

/** `unused` is inside of `free`, and most of `free` is in it. */
export function assertInsideOf(
  unused: readonly Extent[],
  free: readonly Extent[],
  unusedBytes: number,
): void {
  const merged: { offset: number; end: number }[] = [];
  for (const { offset, length } of free.toSorted((a, b) => a.offset - b.offset)) {
    const last = merged.at(-1);
    if (last && offset <= last.end) last.end = Math.max(last.end, offset + length);
    else merged.push({ offset, end: offset + length });
  }
  let at = 0;
  for (const { offset, length } of unused) {
    while (at < merged.length && merged[at]!.end <= offset) at += 1;
    const around = merged[at];
    if (around && around.offset <= offset && offset + length <= around.end) continue;
    throw new Error(`bytes ${offset} to ${offset + length} are called unused and are not free`);
  }
  // All but what is in pieces too small.
  const large = merged.filter(({ offset, end }) => end - offset >= 4096);
  const freeBytes = large.reduce((sum, { offset, end }) => sum + end - offset, 0);
  expect(unusedBytes).toBeGreaterThan(0.97 * freeBytes - 1024 * 1024);
}
