/** What is done to damaged images: a few times with the unit tests, many times in test/real. */
import { expect } from "vitest";
import { openExt4 } from "../../../../../src/disk/fs/ext4/ext4.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { BLOCK, FILE_BLOCK, JOURNAL_BLOCK, letters, Log, makeImage } from "./image.ts";
import type { Image } from "./image.ts";

export async function useEverything(image: Image): Promise<void> {
  const fs = await openExt4(image.source());
  for await (const entry of fs.list(await fs.root())) {
    const inode = await fs.inode(entry);
    if (inode.kind === "file") {
      await fs.read(inode, 0, 100_000);
      await fs.read(inode, Math.max(0, inode.size - 5000), 5000);
    }
    if (inode.kind === "symlink") await fs.readLink(inode);
    if (inode.kind === "directory") await Array.fromAsync(fs.list(inode));
  }
  await Array.fromAsync(fs.usedExtents());
}

/** `count` damaged images: failures and values, each in some number. */
export async function mutateStructures(count: number): Promise<void> {
  const { bytes } = makeImage();
  const run = await survivesMutation(
    [bytes.slice(1024, 12 * BLOCK)],
    (damaged) => {
      const image = makeImage();
      image.bytes.set(damaged, 1024);
      return useEverything(image);
    },
    { count, seed: 9 },
  );
  expect(run.failures).toBeGreaterThan(count / 100);
  expect(run.values).toBeGreaterThan(count / 100);
}

/** `count` damaged journals of two transactions. */
export async function mutateJournal(count: number): Promise<void> {
  const { image } = new Log(makeImage(), { checksums: "none", wide: true })
    .copies([
      { block: FILE_BLOCK, contents: letters("b") },
      { block: FILE_BLOCK + 1, contents: letters("c") },
    ])
    .commit()
    .revoke([FILE_BLOCK])
    .copies([{ block: 2, contents: makeImage().block(2) }])
    .commit();
  const at = JOURNAL_BLOCK * BLOCK;
  const run = await survivesMutation(
    [image.bytes.slice(at, at + 8 * BLOCK)],
    async (damaged) => {
      const copy = makeImage();
      copy.bytes.set(image.bytes);
      copy.bytes.set(damaged, at);
      const fs = await openExt4(copy.source());
      for await (const entry of fs.list(await fs.root())) await fs.inode(entry);
    },
    { count },
  );
  expect(run.failures).toBeGreaterThan(0);
}
