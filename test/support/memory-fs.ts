/**
 * A filesystem from a plain object, for tests of everything that works on a `FileSystem`:
 *
 *     const fs = memoryFs({
 *       "boot/grub/grub.cfg": "set default=0\n",          // a key may be a path: directories in between are made
 *       etc: { fstab: "UUID=... / ext4 defaults 0 1\n" },  // a plain object is a directory
 *       vmlinuz: symlink("boot/vmlinuz-6.1"),
 *       sbin: { init: file(elf, { mode: 0o755 }) },
 *       bad: unreadable(ioFailure(["disk"], "read", "EIO")),
 *     });
 *
 * A `file(...)` that stands at two paths is a hard link. Directories list in the order of the object.
 */
import { missing } from "../../src/base/failure.ts";
import type { FailureError } from "../../src/base/failure.ts";
import type { Finding } from "../../src/base/finding.ts";
import type { Where } from "../../src/base/where.ts";
import { encodeText } from "../../src/bytes/text.ts";
import type {
  Entry,
  FileKind,
  FileSystem,
  FileSystemState,
  Inode,
} from "../../src/disk/fs/filesystem.ts";

type Attributes = {
  readonly mode?: number;
  readonly uid?: number;
  readonly gid?: number;
  /** Seconds since 1970. */
  readonly mtime?: number;
};

const NODE: unique symbol = Symbol("node");

type Special = Attributes & {
  readonly [NODE]: FileKind;
  readonly content?: Uint8Array;
  readonly target?: string;
  readonly device?: { readonly major: number; readonly minor: number };
  readonly failure?: FailureError;
  readonly tree?: Tree;
};

/** Text (encoded with `encodeText`) and bytes are regular files of mode 0644. */
export type Node = string | Uint8Array | Special | Tree;
export type Tree = { readonly [name: string]: Node };

export function file(content: string | Uint8Array, attributes: Attributes = {}): Special {
  return { ...attributes, [NODE]: "file", content: bytesOf(content) };
}

export function symlink(target: string): Special {
  return { [NODE]: "symlink", mode: 0o777, target };
}

/** A directory with attributes; a plain object is enough without. */
export function directory(tree: Tree, attributes: Attributes = {}): Special {
  return { ...attributes, [NODE]: "directory", tree };
}

export function device(kind: "char-device" | "block-device", major: number, minor: number) {
  return { [NODE]: kind, mode: 0o600, device: { major, minor } } satisfies Special;
}

export function fifo(): Special {
  return { [NODE]: "fifo" };
}

/** A file whose inode can be read and whose content cannot. */
export function unreadable(failure: FailureError, sizeBytes = 1): Special {
  return { [NODE]: "file", content: new Uint8Array(sizeBytes), failure };
}

export type MemoryFsOptions = {
  readonly kind?: string;
  readonly where?: Where;
  readonly label?: string;
  readonly uuid?: string;
  readonly state?: FileSystemState;
  readonly notes?: readonly Finding[];
  readonly mtime?: number;
};

/** What stands behind an inode number. */
type Stored = {
  readonly inode: Inode;
  readonly node: Special;
  readonly names: Map<string, number>;
};

const BLOCK = 4096;

export function memoryFs(tree: Tree, options: MemoryFsOptions = {}): FileSystem {
  const where = options.where ?? ["memory"];
  const stored = store(tree, options.mtime ?? 0);

  function nodeOf(inode: Inode, kind: FileKind): Stored {
    const found = stored[inode.number];
    if (found?.inode.kind === kind) return found;
    throw missing([...where, `inode ${inode.number}`], `${kind} (it is a ${found?.inode.kind})`);
  }

  function entry(name: string, number: number): Entry {
    return { name, number, kind: stored[number]!.inode.kind };
  }

  const blocks = stored.map(({ node }) => Math.ceil((node?.content?.length ?? 0) / BLOCK));
  // Block 0 is the superblock, one more holds each inode, then its content.
  const sizeBytes = BLOCK * blocks.reduce((sum, count) => sum + count + 1, 1);

  return {
    kind: options.kind ?? "ext4",
    where,
    label: options.label ?? "",
    uuid: options.uuid ?? "",
    blockSizeBytes: BLOCK,
    sizeBytes,
    state: options.state ?? { clean: true, text: "clean" },
    notes: options.notes ?? [],
    async root() {
      return stored[ROOT]!.inode;
    },
    async inode({ number }) {
      const found = stored[number];
      if (!found) throw missing([...where, `inode ${number}`], "inode");
      return found.inode;
    },
    async lookup(dir, name) {
      const number = nodeOf(dir, "directory").names.get(name);
      return number === undefined ? undefined : entry(name, number);
    },
    async *list(dir, signal) {
      for (const [name, number] of nodeOf(dir, "directory").names) {
        signal?.throwIfAborted();
        yield entry(name, number);
      }
    },
    async read(inode, offset, length, signal) {
      signal?.throwIfAborted();
      const { node } = nodeOf(inode, "file");
      if (node.failure) throw node.failure;
      return node.content!.slice(offset, offset + length);
    },
    async readLink(link) {
      return nodeOf(link, "symlink").node.target!;
    },
    async *usedExtents() {
      yield { offset: 0, length: sizeBytes };
    },
  };
}

/** As in ext4, inodes 0 and 1 are nobody's. */
const ROOT = 2;

function store(tree: Tree, mtime: number): Stored[] {
  const stored: Stored[] = [];
  const numbers = new Map<Special, number>();
  let next = ROOT;

  function add(name: string, node: Node): number {
    const special = specialOf(node);
    // Only a node that was made once and used twice is the same object: a hard link.
    const known = numbers.get(special);
    if (known !== undefined && special[NODE] !== "directory") {
      const { inode } = stored[known]!;
      stored[known] = { ...stored[known]!, inode: { ...inode, links: inode.links + 1 } };
      return known;
    }
    const number = next++;
    numbers.set(special, number);
    const names = new Map<string, number>();
    stored[number] = { inode: inodeOf(special, number, mtime), node: special, names };
    if (special.tree) {
      for (const [child, value] of Object.entries(nested(special.tree))) {
        if (child === "" || child === "." || child === "..")
          throw new Error(`memoryFs: ${JSON.stringify(child)} in ${name} is no file name`);
        names.set(child, add(`${name}/${child}`, value));
      }
      const subdirectories = [...names.values()].filter(
        (n) => stored[n]!.inode.kind === "directory",
      );
      const { inode } = stored[number];
      stored[number] = {
        ...stored[number],
        inode: { ...inode, links: 2 + subdirectories.length },
      };
    }
    return number;
  }

  add("", tree);
  return stored;
}

function inodeOf(node: Special, number: number, mtime: number): Inode {
  const kind = node[NODE];
  const size =
    kind === "directory"
      ? BLOCK
      : kind === "symlink"
        ? encodeText(node.target!).length
        : (node.content?.length ?? 0);
  return {
    number,
    kind,
    mode: node.mode ?? (kind === "directory" ? 0o755 : 0o644),
    size,
    uid: node.uid ?? 0,
    gid: node.gid ?? 0,
    links: 1,
    mtime: node.mtime ?? mtime,
    ...(node.device && { device: node.device }),
  };
}

/** Turns keys that are paths into directories; a directory that is named twice is merged. */
function nested(tree: Tree): Record<string, Node> {
  const out: Record<string, Node> = Object.create(null);
  for (const [path, node] of Object.entries(tree)) {
    const slash = path.indexOf("/");
    const name = slash < 0 ? path : path.slice(0, slash);
    const value: Node = slash < 0 ? node : { [path.slice(slash + 1)]: node };
    const before = out[name];
    if (before === undefined) out[name] = value;
    else if (isTree(before) && isTree(value)) out[name] = merged(before, value);
    else throw new Error(`memoryFs: ${path} is there twice`);
  }
  return out;
}

function merged(a: Tree, b: Tree): Tree {
  const out: Record<string, Node> = { ...a };
  for (const [name, node] of Object.entries(b)) {
    const before = Object.hasOwn(out, name) ? out[name] : undefined;
    if (before === undefined) out[name] = node;
    else if (isTree(before) && isTree(node)) out[name] = merged(before, node);
    else throw new Error(`memoryFs: ${name} is there twice`);
  }
  return out;
}

function isTree(node: Node): node is Tree {
  return typeof node === "object" && !(node instanceof Uint8Array) && !(NODE in node);
}

function specialOf(node: Node): Special {
  if (typeof node === "string" || node instanceof Uint8Array) return file(node);
  return isTree(node) ? { [NODE]: "directory", tree: node } : node;
}

function bytesOf(content: string | Uint8Array): Uint8Array {
  return typeof content === "string" ? encodeText(content) : content;
}
