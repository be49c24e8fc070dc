/** A change that a log can carry, and what domus makes of it. */
import { openXfs } from "../../../../../src/disk/fs/xfs/xfs.ts";
import { BLOCK, DATA_BLOCK, INODE, makeImage, setDirectory } from "./image.ts";
import type { Image } from "./image.ts";
import { bufferItem } from "./log-writer.ts";
import type { Item } from "./log-writer.ts";

export const LARGE = { block: DATA_BLOCK, owner: INODE.large, form: "data" } as const;

/** A change of the first block of the directory `large`: its one name, the whole block. */
export function renamed(name: string, block = DATA_BLOCK, version: 4 | 5 = 5): Item {
  const image = makeImage(version);
  setDirectory(image, { ...LARGE, block }, [[name, INODE.file, 1]]);
  const bytes = image.bytes.slice(block * BLOCK, (block + 1) * BLOCK);
  return bufferItem(block * 2, 2, [{ at: 0, bytes }]);
}

export async function look(image: Image) {
  const fs = await openXfs(image.source());
  const large = await fs.inode((await fs.lookup(await fs.root(), "large"))!);
  const names: string[] = [];
  for await (const { name } of fs.list(large)) names.push(name);
  return { names: names.join(" "), state: fs.state.text, notes: fs.notes, fs };
}

/** What the state says after a replay. */
export const REPLAYED = (count: number) =>
  `log replayed in memory (${count} ${count === 1 ? "transaction" : "transactions"})`;
