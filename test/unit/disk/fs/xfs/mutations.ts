/** What is done to damaged images: a few times with the unit tests, many times in test/real. */
import { expect } from "vitest";
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { survivesMutation } from "../../../../support/mutate.ts";
import { BLOCK, DATA_BLOCK, INODE, LOG_BLOCK, makeImage, ROOT_BLOCK, setMapped } from "./image.ts";
import type { Image } from "./image.ts";
import { look, renamed } from "./log-view.ts";
import {
  cancelItem,
  createItem,
  inodeItem,
  intentItem,
  LogWriter,
  sealRecords,
} from "./log-writer.ts";

export async function useEverything(image: Image): Promise<string[]> {
  const fs = await openXfs(image.source());
  const seen: string[] = [];
  for await (const entry of fs.list(await fs.root())) {
    const inode = await fs.inode(entry);
    seen.push(`${entry.name} ${inode.kind} ${inode.size}`);
    if (inode.kind === "file") {
      await fs.read(inode, 0, 100_000);
      await fs.read(inode, Math.max(0, inode.size - 5000), 5000);
    }
    if (inode.kind === "symlink") seen.push((await fs.readLink(inode)).slice(0, 8));
    if (inode.kind === "directory") {
      for await (const { name } of fs.list(inode)) seen.push(`${entry.name}/${name}`);
    }
  }
  for await (const { offset, length } of fs.usedExtents()) {
    seen.push(`${offset / BLOCK}+${length / BLOCK}`);
  }
  return seen;
}

const LINE = 32;

/** Where the structures are, contents of files left out. */
function usedLines(bytes: Uint8Array): number[] {
  return Array.from({ length: (14 * BLOCK) / LINE }, (_, i) => i * LINE).filter((at) =>
    bytes.subarray(at, at + LINE).some((byte) => byte !== 0),
  );
}

/** `count` damaged images with right checksums: failures and values, each in some number. */
export async function mutateStructures(version: 4 | 5, count: number): Promise<void> {
  const { bytes } = makeImage(version);
  const lines = usedLines(bytes);
  const input = Uint8Array.from(lines.flatMap((at) => [...bytes.subarray(at, at + LINE)]));
  const run = await survivesMutation(
    [input],
    (damaged) => {
      const image = makeImage(version);
      for (const [i, place] of lines.entries()) {
        image.bytes.set(damaged.subarray(i * LINE, (i + 1) * LINE), place);
      }
      image.seal();
      return useEverything(image);
    },
    { count, seed: version },
  );
  expect(run.failures).toBeGreaterThan(count / 6);
  expect(run.values).toBeGreaterThan(count / 12);
}

/** `count` damaged logs of four transactions: a filesystem with them, or without. */
export async function mutateLog(version: 4 | 5, count: number): Promise<void> {
  const later = makeImage(version);
  setMapped(later, INODE.large, { mode: 0o40711, size: BLOCK }, [[0, DATA_BLOCK + 1, 1]]);
  const log = new LogWriter(makeImage(version))
    .transaction(renamed("one", DATA_BLOCK, version), inodeItem(later, INODE.large))
    .transaction(cancelItem(ROOT_BLOCK * 2, 2), intentItem(0x1244, 3));
  if (version === 5) log.transaction(createItem(0, 150, 4));
  log.transaction(renamed("two", DATA_BLOCK, version));
  const at = LOG_BLOCK * BLOCK;
  let replayed = 0;
  const run = await survivesMutation(
    [log.image.bytes.slice(at, at + log.head * 512)],
    async (damaged) => {
      const image = makeImage(version);
      image.bytes.set(damaged, at);
      if (version === 5) sealRecords(image);
      const { state } = await look(image);
      if (state.startsWith("log replayed")) replayed += 1;
    },
    { count, seed: 30 + version },
  );
  expect(replayed).toBeGreaterThan(count / 9);
  expect(run.values).toBeGreaterThan(count / 3);
}
