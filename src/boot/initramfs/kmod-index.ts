/**
 * kmod's binary module indexes (modules.dep.bin, modules.builtin.bin): a trie of names, written by depmod
 * (kmod: libkmod/libkmod-index.c). mkinitcpio leaves nothing else in its images. Big endian:
 * magic, version 2.1, offset of the root; a node is [prefix string] [first, last, offsets] [count, values], each part
 * there only when its flag is set in the upper bits of the offset that leads to the node.
 */
import { Budget } from "../../base/budget.ts";
import { corrupt, unsupported } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";
import { u32be } from "../../bytes/fields.ts";
import { struct } from "../../bytes/struct.ts";
import { decodeText } from "../../bytes/text.ts";

const indexHeader = struct("kmod_index", 12, {
  magic: [0, u32be],
  version: [4, u32be],
  root: [8, u32be],
});

const MAGIC = 0xb007f457;
const VERSION_MAJOR = 2;
const HAS_PREFIX = 0x80000000;
const HAS_VALUES = 0x40000000;
const HAS_CHILDS = 0x20000000;
const OFFSET_MASK = 0x0fffffff;
/** Module names have fewer than 56 characters (MODULE_NAME_LEN); aliases are longer, but not read here. */
const MAX_KEY_BYTES = 256;

type Node = { readonly offset: number; readonly key: string };

/** The keys of the index: module names with `_` for `-`. */
export function parseKmodIndex(bytes: Uint8Array, where: Where): string[] {
  const { magic, version, root } = indexHeader.read(bytes, 0, where);
  if (magic !== MAGIC) throw corrupt(where, `magic ${hex(magic)}`, hex(MAGIC));
  if (version >>> 16 !== VERSION_MAJOR) throw unsupported(where, `index version ${hex(version)}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  // A node takes two bytes at least, so a sound index has fewer nodes than bytes; the bound ends loops.
  const budget = new Budget(bytes.length, where, "the number of nodes in a module index");
  const keys: string[] = [];
  const todo: Node[] = [{ offset: root, key: "" }];
  for (let node = todo.pop(); node; node = todo.pop()) {
    budget.spend();
    let at = node.offset & OFFSET_MASK;
    let key = node.key;
    if (node.offset & HAS_PREFIX) {
      const end = bytes.indexOf(0, at);
      if (end < 0)
        throw corrupt(where, `a node at byte ${at} without end`, "a NUL behind its prefix");
      key += latinPrefix(bytes.subarray(at, end));
      at = end + 1;
    }
    if (key.length > MAX_KEY_BYTES) {
      throw corrupt(where, `a key of more than ${MAX_KEY_BYTES} bytes`, "a module name");
    }
    if (node.offset & HAS_CHILDS) {
      const [first, last] = [bytes[at] ?? 0, bytes[at + 1] ?? 0];
      at += 2;
      const count = Math.max(0, last - first + 1);
      if (at + 4 * count > bytes.length) {
        throw corrupt(where, `a node of ${count} children at byte ${at}`, "a node inside the file");
      }
      for (let child = 0; child < count; child++) {
        const offset = view.getUint32(at + 4 * child);
        if (offset !== 0) todo.push({ offset, key: key + String.fromCharCode(first + child) });
      }
    }
    if (node.offset & HAS_VALUES) keys.push(key);
  }
  return keys;
}

function latinPrefix(bytes: Uint8Array): string {
  return decodeText(bytes.subarray(0, MAX_KEY_BYTES + 1));
}
