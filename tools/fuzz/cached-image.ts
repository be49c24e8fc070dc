/** Images that take time to make, kept in the cache. */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { cacheDir } from "../../lab/debian.ts";

/** To be raised when images are made otherwise than before. */
const VERSION = "2";
const imageCache = () => cacheDir("fuzz", VERSION);

/** Files in a directory of several blocks, with names long enough for that: each of them costs time in every round. */
export const MANY = 80;
export const manyName = (index: number): string => `${"file-".repeat(8)}${index}`;

/** Enough of everything: a deep path, links, a long name, a directory of several blocks, holes, a large file. */
function makeTree(dir: string): void {
  rmSync(dir, { recursive: true, force: true });
  mkdirSync(join(dir, "a/b/c/d"), { recursive: true });
  mkdirSync(join(dir, "many"));
  for (let i = 0; i < MANY; i++) writeFileSync(join(dir, "many", manyName(i)), `${i}\n`);
  writeFileSync(join(dir, "a/b/c/d/deep"), "x".repeat(5000));
  writeFileSync(join(dir, "n".repeat(200)), "long name");
  writeFileSync(join(dir, "large"), Buffer.alloc(150_000, "domus "));
  symlinkSync("a/b/c/d/deep", join(dir, "short"));
  symlinkSync(`a/${"b/../".repeat(30)}b`, join(dir, "longlink"));
}

/** Makes an image by `make`, which is also given a tree of files, unless it is in the cache. */
export function image(
  name: string,
  sizeMib: number,
  make: (path: string, tree: string) => void,
): Uint8Array {
  const path = join(imageCache(), name);
  if (!existsSync(path)) {
    const tree = join(imageCache(), "tree");
    if (!existsSync(tree)) makeTree(tree);
    const work = `${path}.part`;
    rmSync(work, { force: true });
    execFileSync("truncate", ["-s", `${sizeMib}M`, work]);
    make(work, tree);
    execFileSync("mv", [work, path]);
  }
  return readFileSync(path);
}
