/** The same description of every file in a tree, once as the kernel sees it and once as domus does. */
import { createHash } from "node:crypto";
import { closeSync, lstatSync, openSync, readdirSync, readlinkSync, readSync } from "node:fs";
import { decodeText } from "../../../src/bytes/text.ts";
import type { FileKind, FileSystem, Inode } from "../../../src/disk/fs/filesystem.ts";

export type Seen = {
  readonly kind: FileKind;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly links: number;
  readonly mtime: number;
  readonly device: string;
  /** Hash of a file's contents, or a symlink's target. */
  readonly content: string;
};
export type View = Map<string, Seen>;

const BILLION = 1_000_000_000n;
const CHUNK = 1 << 20;
/** Larger files are compared in places. */
const WHOLE = 64 * CHUNK;

/** Where to look in a file of `size` bytes. */
function places(size: number): number[] {
  if (size <= WHOLE) return Array.from({ length: Math.ceil(size / CHUNK) }, (_, i) => i * CHUNK);
  return [0, 4_900_000, 699_999_000, Math.floor(size / 2), size - 100_000];
}

export const FILE_KINDS: Record<number, FileKind> = {
  0o010000: "fifo",
  0o020000: "char-device",
  0o040000: "directory",
  0o060000: "block-device",
  0o100000: "file",
  0o120000: "symlink",
  0o140000: "socket",
};

export function kernelView(root: string, options: { content?: boolean } = {}): View {
  const view: View = new Map();
  const buffer = Buffer.alloc(CHUNK);
  const stack: Buffer[] = [Buffer.from(root)];
  const describe = (path: Buffer): Seen => {
    const stat = lstatSync(path, { bigint: true });
    const kind = FILE_KINDS[Number(stat.mode) & 0o170000]!;
    const size = Number(stat.size);
    const whole = stat.mtimeNs / BILLION;
    // Division rounds towards zero, times before 1970 need the second below.
    const seconds = whole * BILLION > stat.mtimeNs ? whole - 1n : whole;
    let content = "";
    if (kind === "symlink") content = decodeText(readlinkSync(path, { encoding: "buffer" }));
    if (kind === "file" && options.content !== false) {
      const hash = createHash("sha256");
      const fd = openSync(path, "r");
      for (const at of places(size))
        hash.update(buffer.subarray(0, readSync(fd, buffer, 0, CHUNK, at)));
      closeSync(fd);
      content = hash.digest("hex");
    }
    const major = ((stat.rdev >> 8n) & 0xfffn) | ((stat.rdev >> 32n) & ~0xfffn);
    const minor = (stat.rdev & 0xffn) | ((stat.rdev >> 12n) & ~0xffn);
    return {
      kind,
      mode: Number(stat.mode) & 0o7777,
      uid: Number(stat.uid),
      gid: Number(stat.gid),
      size,
      links: Number(stat.nlink),
      mtime: Number(seconds) + Number(stat.mtimeNs - seconds * BILLION) / 1e9,
      device: kind.endsWith("device") ? `${major}:${minor}` : "",
      content,
    };
  };
  view.set("/", describe(Buffer.from(root)));
  while (stack.length > 0) {
    const directory = stack.pop()!;
    for (const name of readdirSync(directory, { encoding: "buffer" })) {
      const path = Buffer.concat([directory, Buffer.from("/"), name]);
      const seen = describe(path);
      view.set(decodeText(path.subarray(root.length)), seen);
      if (seen.kind === "directory") stack.push(path);
    }
  }
  return view;
}

export async function domusView(
  fs: FileSystem,
  options: { content?: boolean } = {},
): Promise<View> {
  const view: View = new Map();
  const root = await fs.root();
  const stack: { path: string; inode: Inode }[] = [{ path: "", inode: root }];
  view.set("/", await describeInode(fs, root, options));
  while (stack.length > 0) {
    const { path, inode: directory } = stack.pop()!;
    for await (const entry of fs.list(directory)) {
      const inode = await fs.inode(entry);
      if (entry.kind && entry.kind !== inode.kind) throw new Error(`${entry.name}: kinds differ`);
      view.set(`${path}/${entry.name}`, await describeInode(fs, inode, options));
      if (inode.kind === "directory") stack.push({ path: `${path}/${entry.name}`, inode });
    }
  }
  return view;
}

async function describeInode(
  fs: FileSystem,
  inode: Inode,
  options: { content?: boolean },
): Promise<Seen> {
  const { kind, mode, uid, gid, size, links } = inode;
  let content = "";
  if (kind === "symlink") content = await fs.readLink(inode);
  if (kind === "file" && options.content !== false) {
    const hash = createHash("sha256");
    for (const at of places(size)) hash.update(await fs.read(inode, at, CHUNK));
    content = hash.digest("hex");
  }
  const device = inode.device ? `${inode.device.major}:${inode.device.minor}` : "";
  return { kind, mode, uid, gid, size, links, mtime: inode.mtime, device, content };
}

/** What differs, as lines to read; empty when the views are equal. At most `limit`. */
export function differences(kernel: View, domus: View, limit = 10): string[] {
  const lines: string[] = [];
  for (const [path, seen] of kernel) {
    const ours = domus.get(path);
    const a = JSON.stringify(seen);
    const b = JSON.stringify(ours);
    if (a !== b) lines.push(`${JSON.stringify(path)}\n  kernel ${a}\n  domus  ${b}`);
  }
  for (const path of domus.keys())
    if (!kernel.has(path)) lines.push(`only domus has ${JSON.stringify(path)}`);
  return lines.slice(0, limit);
}
