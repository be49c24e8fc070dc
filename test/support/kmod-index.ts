/** Writes a module index as depmod does, one letter a node, for tests that have no depmod. */
type Trie = { leaf: boolean; readonly children: Map<number, Trie> };

function word(value: number): number[] {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return [...bytes];
}

export function kmodIndex(names: readonly string[]): Buffer {
  const root: Trie = { leaf: false, children: new Map() };
  for (const name of names) {
    let node = root;
    for (const byte of Buffer.from(name)) {
      let child = node.children.get(byte);
      if (!child) node.children.set(byte, (child = { leaf: false, children: new Map() }));
      node = child;
    }
    node.leaf = true;
  }
  const parts: Buffer[] = [Buffer.alloc(12)];
  let length = 12;
  function write(node: Trie): number {
    const codes = [...node.children.keys()].toSorted((a, b) => a - b);
    const out: number[] = [];
    if (codes.length > 0) {
      const [first, last] = [codes[0]!, codes.at(-1)!];
      out.push(first, last);
      for (let code = first; code <= last; code++) {
        const child = node.children.get(code);
        out.push(...word(child ? write(child) : 0));
      }
    }
    // One value: priority 0 and an empty string.
    if (node.leaf) out.push(...word(1), ...word(0), 0);
    const at = length;
    parts.push(Buffer.from(out));
    length += out.length;
    return (at | (codes.length > 0 ? 0x20000000 : 0) | (node.leaf ? 0x40000000 : 0)) >>> 0;
  }
  const start = write(root);
  parts[0]!.writeUInt32BE(0xb007f457, 0);
  parts[0]!.writeUInt32BE(0x00020001, 4);
  parts[0]!.writeUInt32BE(start, 8);
  return Buffer.concat(parts);
}
