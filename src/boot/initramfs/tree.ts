/**
 * The file tree that an initramfs unpacks to, as names and modes; of contents only the few small files that say
 * something about it. Later entries replace earlier ones, as in the kernel.
 */
import { Budget } from "../../base/budget.ts";
import { MIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { decodeText } from "../../bytes/text.ts";
import { isRegular, isSymlink } from "./cpio.ts";
import type { CpioEntry, CpioSink } from "./cpio.ts";

/** 300,000 names of 4 KiB would be a gigabyte; the names of a whole distribution are 20 MB. */
const MAX_NAME_CHARS = 32 * MIB;
/** All contents that are kept: several kernels' module indexes. */
const MAX_KEPT_BYTES = 64 * MIB;
/** MAXSYMLINKS of the kernel. */
const MAX_LINKS = 40;
const MAX_PATH_CHARS = 4096;

type File = { readonly mode: number; readonly target?: string };

/** How much of a file is kept, in bytes; a larger one is not kept at all. 0: not wanted. */
export type KeepRule = (path: string) => number;

export class InitramfsTree implements CpioSink {
  /** Path without a leading slash -> what is there. */
  readonly #files = new Map<string, File>();
  readonly #kept = new Map<string, Uint8Array[]>();
  /** Wanted files whose content comes with another of their names. */
  readonly #waiting = new Map<string, string[]>();
  readonly #keep: KeepRule;
  readonly #names: Budget;
  #keptBytes = 0;
  #collect: ((piece: Uint8Array) => void) | undefined;

  constructor(keep: KeepRule, where: Where) {
    this.#keep = keep;
    this.#names = new Budget(MAX_NAME_CHARS, where, "the total length of the names in the archive");
  }

  entry({ name, mode, links, inode, sizeBytes }: CpioEntry): boolean {
    const path = cleanPath(name);
    this.#names.spend(path.length);
    this.#collect = undefined;
    if (path === "") return false;
    if (isSymlink(mode)) return this.#link(path, mode, sizeBytes);
    this.#files.set(path, { mode });
    return isRegular(mode) && this.#wants(path, sizeBytes, links > 1 ? inode : undefined);
  }

  #link(path: string, mode: number, sizeBytes: number): boolean {
    // do_header() passes over a symlink with a longer target.
    if (sizeBytes > MAX_PATH_CHARS) return false;
    this.#names.spend(sizeBytes);
    this.#files.set(path, { mode, target: "" });
    const pieces: Uint8Array[] = [];
    this.#collect = (piece) => {
      pieces.push(piece);
      this.#files.set(path, { mode, target: decodeText(Buffer.concat(pieces)) });
    };
    return true;
  }

  /** GNU cpio puts the content of hard links on the last of the names; content that came before is not had. */
  #wants(path: string, sizeBytes: number, shared: string | undefined): boolean {
    const wanted = this.#keep(path) > 0;
    const waiting = shared === undefined ? undefined : this.#waiting.get(shared);
    if (wanted && sizeBytes === 0 && shared !== undefined) {
      if (waiting) waiting.push(path);
      else this.#waiting.set(shared, [path]);
      return false;
    }
    const paths = [...(wanted ? [path] : []), ...(sizeBytes > 0 ? (waiting ?? []) : [])];
    if (paths.length === 0) return false;
    // Taken out, so that an archive of nothing but links costs linear time.
    if (sizeBytes > 0 && shared !== undefined) this.#waiting.delete(shared);
    const most = paths.reduce((least, one) => Math.min(least, this.#keep(one)), Infinity);
    const pieces: Uint8Array[] = [];
    for (const one of paths) this.#kept.delete(one);
    if (sizeBytes > most || this.#keptBytes + sizeBytes > MAX_KEPT_BYTES) return false;
    this.#keptBytes += sizeBytes;
    for (const one of paths) this.#kept.set(one, pieces);
    // A copy: a small file must not hold the chunk that it came in.
    this.#collect = (piece) => pieces.push(piece.slice());
    return true;
  }

  content(piece: Uint8Array): void {
    this.#collect?.(piece);
  }

  /** Every name, in the order of the archive; directories and links included. */
  paths(): Iterable<string> {
    return this.#files.keys();
  }

  has(path: string): boolean {
    return this.resolve(path) !== undefined;
  }

  /** The content of a file that was kept; undefined when it is not there, was not wanted or was too large. */
  bytes(path: string): Uint8Array | undefined {
    const pieces = this.#kept.get(path);
    return pieces && Buffer.concat(pieces);
  }

  text(path: string): string | undefined {
    const bytes = this.bytes(path);
    return bytes && decodeText(bytes);
  }

  keptPaths(): Iterable<string> {
    return this.#kept.keys();
  }

  /** What `path` leads to through symlinks, by name alone; undefined when that is not in the archive. */
  resolve(path: string): { readonly path: string; readonly mode: number } | undefined {
    const done: string[] = [];
    // The next part of the path is the last: a link's parts are pushed on top.
    const todo = cleanPath(path).split("/").reverse();
    let links = 0;
    // Ends: each step takes one part, and parts are added 40 times at most.
    while (todo.length > 0) {
      const name = todo.pop()!;
      if (name === "" || name === ".") continue;
      if (name === "..") {
        done.pop();
        continue;
      }
      done.push(name);
      const target = this.#files.get(done.join("/"))?.target;
      if (target === undefined) continue;
      if (++links > MAX_LINKS || done.length + todo.length > MAX_PATH_CHARS) return undefined;
      done.pop();
      if (target.startsWith("/")) done.length = 0;
      todo.push(...target.split("/").reverse());
    }
    const real = done.join("/");
    const file = this.#files.get(real);
    return file && { path: real, mode: file.mode };
  }
}

/** The kernel opens names as they are, from the root: `./a`, `/a`, `a//b` and `../a` are all valid ways to say it. */
export function cleanPath(name: string): string {
  if (!/(^|\/)\.{0,2}(\/|$)/.test(name)) return name;
  const out: string[] = [];
  for (const part of name.split("/")) {
    if (part === "..") out.pop();
    else if (part !== "" && part !== ".") out.push(part);
  }
  return out.join("/");
}
