/** Disk images for the sample host, made by the field's own tools (mkfs.ext4, mkswap, sfdisk), without root. */
import { execFileSync } from "node:child_process";
import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";

const MIB = 1024 * 1024;

/** Files by path; a string that begins with `-> ` is a symlink. */
export type Tree = Readonly<Record<string, string | Uint8Array>>;

const TOOLS_ENV = { ...process.env, PATH: `${process.env["PATH"]}:/usr/sbin:/sbin` };

export function run(program: string, args: readonly string[], input = ""): void {
  execFileSync(program, args, { input, stdio: ["pipe", "ignore", "inherit"], env: TOOLS_ENV });
}

function writeTree(dir: string, tree: Tree): void {
  for (const [path, content] of Object.entries(tree)) {
    const at = join(dir, path);
    mkdirSync(dirname(at), { recursive: true });
    if (typeof content === "string" && content.startsWith("-> ")) symlinkSync(content.slice(3), at);
    else writeFileSync(at, content);
  }
}

export type FileSystemImage = {
  readonly sizeMib: number;
  readonly uuid: string;
  readonly label?: string;
  readonly tree: Tree;
};

/** An ext4 filesystem in a file of its own. */
export function ext4Image(path: string, { sizeMib, uuid, label, tree }: FileSystemImage): void {
  const source = `${path}.tree`;
  mkdirSync(source, { recursive: true });
  writeTree(source, tree);
  run("mkfs.ext4", [
    "-q",
    "-F",
    "-U",
    uuid,
    "-L",
    label ?? "",
    "-E",
    "root_owner=0:0",
    "-d",
    source,
    path,
    `${sizeMib}M`,
  ]);
  rmSync(source, { recursive: true });
}

export type PartitionImage = {
  /** sfdisk's name or number of the type. */
  readonly type: string;
  readonly bootable?: boolean;
  readonly image: string;
};

/** A disk with a partition table, from partition images. */
export function diskImage(
  path: string,
  label: "dos" | "gpt",
  parts: readonly PartitionImage[],
): void {
  let next = MIB;
  const placed = parts.map((part) => {
    const start = next;
    const size = statSync(part.image).size;
    next = start + Math.ceil(size / MIB) * MIB;
    return { ...part, start, size };
  });
  const fd = openSync(path, "w");
  ftruncateSync(fd, next + MIB);
  closeSync(fd);
  const lines = placed.map(
    ({ start, size, type, bootable }) =>
      `start=${start / 512}, size=${Math.ceil(size / 512)}, type=${type}${bootable ? ", bootable" : ""}`,
  );
  run(
    "sfdisk",
    ["-q", "--no-reread", "--no-tell-kernel", path],
    `label: ${label}\n${lines.join("\n")}\n`,
  );
  for (const part of placed) {
    copySparse(part.image, path, part.start);
    rmSync(part.image);
  }
}

function copySparse(from: string, to: string, offset: number): void {
  const source = openSync(from, "r");
  const target = openSync(to, "r+");
  const chunk = Buffer.alloc(MIB);
  let at = 0;
  for (;;) {
    const length = readSync(source, chunk, 0, chunk.length, at);
    if (length === 0) break;
    const bytes = chunk.subarray(0, length);
    if (bytes.some((byte) => byte !== 0)) writeSync(target, bytes, 0, length, offset + at);
    at += length;
  }
  closeSync(source);
  closeSync(target);
}

/** A sparse file of zeroes. */
export function blankImage(path: string, sizeMib: number): void {
  const fd = openSync(path, "w");
  ftruncateSync(fd, sizeMib * MIB);
  closeSync(fd);
}
