/** Small ELF files and bzImages, made by the specification, for tests of readers. */

export type NoteSpec = {
  readonly owner?: string;
  readonly type: number;
  /** A string gets its NUL; a number is stored in 4 bytes, a bigint in 8. */
  readonly value: string | number | bigint | Uint8Array;
};

export type ElfSpec = {
  readonly bits?: 32 | 64;
  readonly machine?: number;
  readonly entry?: bigint;
  /** The one PT_LOAD segment: virtual and physical address of `content`. */
  readonly vaddr?: bigint;
  readonly paddr?: bigint;
  readonly content?: Uint8Array;
  /** In a PT_NOTE segment. */
  readonly notes?: readonly NoteSpec[];
  readonly sections?: readonly { name: string; type: number; content: Uint8Array }[];
};

/** Where `content` begins in the file, so that tests can compute with it. */
export const CONTENT_OFFSET = 0x200;

/** Virtual address of a 64-bit Linux, and the physical one that it is loaded at. */
export const KERNEL_VADDR = 0xffffffff81000000n;
export const KERNEL_PADDR = 0x1000000n;

export function elfFile(spec: ElfSpec = {}): Buffer {
  const { bits = 64, content = Buffer.alloc(64), notes, sections = [] } = spec;
  const noteBytes = Buffer.concat((notes ?? []).map(note));
  const names = Buffer.from(["", ...sections.map(({ name }) => name), ".shstrtab", ""].join("\0"));
  const all = [...sections, { name: ".shstrtab", type: 3, content: names }];
  const parts: Buffer[] = [Buffer.alloc(CONTENT_OFFSET), Buffer.from(content), padding(content)];
  let at = CONTENT_OFFSET + content.length + padding(content).length;
  const place = (bytes: Uint8Array) => {
    const offset = at;
    parts.push(Buffer.from(bytes), padding(bytes));
    at += bytes.length + padding(bytes).length;
    return offset;
  };
  const noteOffset = place(noteBytes);
  const placed = all.map((section) => ({ ...section, offset: place(section.content) }));
  const shoff = at;
  parts.push(sectionHeader(bits, { name: 0, type: 0, offset: 0, size: 0 }));
  for (const { name, type, offset, content: bytes } of placed) {
    const nameAt = names.indexOf(`\0${name}\0`) + 1;
    parts.push(sectionHeader(bits, { name: nameAt, type, offset, size: bytes.length }));
  }
  const file = Buffer.concat(parts);
  const { vaddr = KERNEL_VADDR, paddr = KERNEL_PADDR } = spec;
  const load = { type: 1, flags: 7, offset: CONTENT_OFFSET, vaddr, paddr, size: content.length };
  const segments = [load];
  if (notes)
    segments.push({ ...load, type: 4, flags: 0, offset: noteOffset, size: noteBytes.length });
  header(file, { ...spec, bits, phnum: segments.length, shoff, shnum: placed.length + 1 });
  for (const [i, segment] of segments.entries()) programHeader(file, bits, i, segment);
  return file;
}

function padding(bytes: Uint8Array): Buffer {
  return Buffer.alloc(-bytes.length & 7);
}

function header(
  file: Buffer,
  spec: ElfSpec & { bits: 32 | 64; phnum: number; shoff: number; shnum: number },
): void {
  const { bits, machine = bits === 64 ? 62 : 3, entry = KERNEL_PADDR } = spec;
  file.write("\x7fELF", "latin1");
  file.set([bits === 64 ? 2 : 1, 1, 1], 4);
  file.writeUInt16LE(2, 16);
  file.writeUInt16LE(machine, 18);
  if (bits === 64) {
    file.writeBigUInt64LE(entry, 24);
    file.writeBigUInt64LE(64n, 32);
    file.writeBigUInt64LE(BigInt(spec.shoff), 40);
    for (const [i, value] of [64, 56, spec.phnum, 64, spec.shnum, spec.shnum - 1].entries())
      file.writeUInt16LE(value, 52 + i * 2);
    return;
  }
  file.writeUInt32LE(Number(entry), 24);
  file.writeUInt32LE(52, 28);
  file.writeUInt32LE(spec.shoff, 32);
  for (const [i, value] of [52, 32, spec.phnum, 40, spec.shnum, spec.shnum - 1].entries())
    file.writeUInt16LE(value, 40 + i * 2);
}

type SegmentSpec = {
  type: number;
  flags: number;
  offset: number;
  vaddr: bigint;
  paddr: bigint;
  size: number;
};

function programHeader(file: Buffer, bits: 32 | 64, index: number, segment: SegmentSpec): void {
  const { type, flags, offset, vaddr, paddr, size } = segment;
  if (bits === 64) {
    const at = 64 + index * 56;
    file.writeUInt32LE(type, at);
    file.writeUInt32LE(flags, at + 4);
    for (const [i, value] of [BigInt(offset), vaddr, paddr, BigInt(size), BigInt(size)].entries())
      file.writeBigUInt64LE(value, at + 8 + i * 8);
    return;
  }
  const values = [type, offset, Number(vaddr), Number(paddr), size, size, flags];
  for (const [i, value] of values.entries()) file.writeUInt32LE(value, 52 + index * 32 + i * 4);
}

function sectionHeader(
  bits: 32 | 64,
  section: { name: number; type: number; offset: number; size: number },
): Buffer {
  const { name, type, offset, size } = section;
  const bytes = Buffer.alloc(bits === 64 ? 64 : 40);
  bytes.writeUInt32LE(name, 0);
  bytes.writeUInt32LE(type, 4);
  bytes.writeUInt32LE(offset, bits === 64 ? 24 : 16);
  bytes.writeUInt32LE(size, bits === 64 ? 32 : 20);
  return bytes;
}

/** One note: header, owner and contents, each padded to 4 bytes. */
export function note({ owner = "Xen", type, value }: NoteSpec): Buffer {
  const name = padded(Buffer.from(`${owner}\0`, "latin1"));
  const desc = noteValue(value);
  const head = Buffer.alloc(12);
  head.writeUInt32LE(owner.length + 1, 0);
  head.writeUInt32LE(desc.length, 4);
  head.writeUInt32LE(type, 8);
  return Buffer.concat([head, name, padded(desc)]);
}

function noteValue(value: NoteSpec["value"]): Buffer {
  if (typeof value === "string") return Buffer.from(`${value}\0`, "latin1");
  if (value instanceof Uint8Array) return Buffer.from(value);
  const bytes = Buffer.alloc(typeof value === "bigint" ? 8 : 4);
  if (typeof value === "bigint") bytes.writeBigUInt64LE(value);
  else bytes.writeUInt32LE(value);
  return bytes;
}

function padded(bytes: Buffer): Buffer {
  return Buffer.concat([bytes, Buffer.alloc(-bytes.length & 3)]);
}

/** The notes of a 64-bit Linux that boots as PV and PVH: entry at the beginning of the image. */
export const LINUX_NOTES: readonly NoteSpec[] = [
  { type: 6, value: "linux" },
  { type: 7, value: "2.6" },
  { type: 5, value: "xen-3.0" },
  { type: 3, value: 0xffffffff80000000n },
  { type: 15, value: 0x8000000000n },
  { type: 1, value: KERNEL_VADDR },
  // As the kernel's own build leaves it: without the NUL.
  { type: 10, value: Buffer.from("!writable_page_tables|pae_pgdir_above_4gb") },
  { type: 17, value: 0x8801 },
  { type: 9, value: "yes" },
  { type: 8, value: "generic" },
  { type: 16, value: 1 },
  { type: 4, value: 0n },
  { type: 18, value: 0x1000000 },
];

export type FormatEntry = readonly [magic: readonly [number, number], name: string, built: boolean];

/** compressed_formats[] of Linux 5.9 and later. */
export const ALL_FORMATS: readonly FormatEntry[] = [
  [[0x1f, 0x8b], "gzip", true],
  [[0x1f, 0x9e], "gzip", true],
  [[0x42, 0x5a], "bzip2", true],
  [[0x5d, 0x00], "lzma", true],
  [[0xfd, 0x37], "xz", true],
  [[0x89, 0x4c], "lzo", true],
  [[0x02, 0x21], "lz4", true],
  [[0x28, 0xb5], "zstd", true],
];

/** The table at the beginning of a segment, its names behind it; functions point to its first byte. */
export function formatTable(
  entries: readonly FormatEntry[],
  { bits = 64, vaddr = KERNEL_VADDR }: { bits?: 32 | 64; vaddr?: bigint } = {},
): Buffer {
  const pointer = bits / 8;
  const table = Buffer.alloc((entries.length + 1) * pointer * 3);
  const names: Buffer[] = [];
  let nameAt = table.length;
  const put = (value: bigint, at: number) =>
    bits === 64 ? table.writeBigUInt64LE(value, at) : table.writeUInt32LE(Number(value), at);
  for (const [i, [magic, name, built]] of entries.entries()) {
    const at = i * pointer * 3;
    table.set(magic, at);
    put(vaddr + BigInt(nameAt), at + pointer);
    put(built ? vaddr : 0n, at + pointer * 2);
    names.push(Buffer.from(`${name}\0`));
    nameAt += name.length + 1;
  }
  return Buffer.concat([table, ...names]);
}

export type BzImageSpec = {
  readonly payload: Uint8Array;
  readonly version?: number;
  readonly release?: string;
  readonly xloadflags?: number;
  readonly setupSects?: number;
  /** In the header; default: as it is. */
  readonly payloadLength?: number;
};

/** A bzImage without any code: header, release text, payload at 0x40 of the protected-mode part. */
export function bzImageFile(spec: BzImageSpec): Buffer {
  const { payload, version = 0x20f, setupSects = 4, xloadflags = 0x7f } = spec;
  const { release = "6.1.0-50-amd64 (builder@example) #1 SMP" } = spec;
  const setup = Buffer.alloc((setupSects + 1) * 512);
  setup.writeUInt8(setupSects, 0x1f1);
  setup.writeUInt16LE(0xaa55, 0x1fe);
  setup.write("HdrS", 0x202, "latin1");
  setup.writeUInt16LE(version, 0x206);
  setup.writeUInt16LE(0x200, 0x20e);
  setup.writeUInt16LE(xloadflags, 0x236);
  setup.writeUInt32LE(2047, 0x238);
  setup.writeUInt32LE(0x40, 0x248);
  setup.writeUInt32LE(spec.payloadLength ?? payload.length, 0x24c);
  setup.write(`${release}\0`, 0x400, "latin1");
  return Buffer.concat([setup, Buffer.alloc(0x40), payload, Buffer.alloc(64)]);
}

/** The 32-bit unpacked size that the kernel's build appends to a payload. */
export function withSize(packed: Uint8Array, size: number): Buffer {
  const trailer = Buffer.alloc(4);
  trailer.writeUInt32LE(size);
  return Buffer.concat([packed, trailer]);
}

/** A UKI in outline: MZ, PE, the given sections. */
export function peFile(sections: Readonly<Record<string, Uint8Array>>): Buffer {
  const entries = Object.entries(sections);
  const head = Buffer.alloc(0x400);
  head.write("MZ", 0, "latin1");
  head.writeUInt32LE(0x80, 0x3c);
  head.write("PE\0\0", 0x80, "latin1");
  head.writeUInt16LE(0x8664, 0x84);
  head.writeUInt16LE(entries.length, 0x86);
  head.writeUInt16LE(0xf0, 0x94);
  let at = head.length;
  for (const [i, [name, bytes]] of entries.entries()) {
    const entry = 0x80 + 24 + 0xf0 + i * 40;
    const rawSize = Math.ceil(bytes.length / 512) * 512;
    head.write(name, entry, 8, "latin1");
    head.writeUInt32LE(bytes.length, entry + 8);
    head.writeUInt32LE(rawSize, entry + 16);
    head.writeUInt32LE(at, entry + 20);
    at += rawSize;
  }
  const aligned = entries.map(([, bytes]) =>
    Buffer.concat([bytes, Buffer.alloc(-bytes.length & 511)]),
  );
  return Buffer.concat([head, ...aligned]);
}
