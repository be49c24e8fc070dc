/** Kernels that nobody built: nothing but headers and Xen notes, for questions that no real kernel asks. */

export type MadeUpKernel = {
  readonly bits: 32 | 64;
  readonly virtBase: bigint;
  /** In pages. */
  readonly start: number;
  readonly pages: number;
  readonly tail: number;
  readonly initP2m: bigint | undefined;
  readonly modStartPfn: boolean;
};

/** The smallest ELF that the builder takes for a PV kernel: one segment, mostly bss, and its notes. */
export function madeUpKernel({
  bits,
  virtBase,
  start,
  pages,
  tail,
  initP2m,
  modStartPfn,
}: MadeUpKernel): Buffer {
  const wide = bits === 64;
  const paddr = BigInt(start * 4096);
  const notes = [
    note(6, Buffer.from("linux\0\0\0")),
    note(5, Buffer.from("xen-3.0\0")),
    note(8, Buffer.from("generic\0")),
    note(9, Buffer.from("yes\0")),
    note(3, word(virtBase, wide)),
    note(4, word(0n, wide)),
    note(1, word(virtBase + paddr, wide)),
    ...(initP2m === undefined ? [] : [note(15, word(initP2m, wide))]),
    ...(modStartPfn ? [note(16, word(1n, wide))] : []),
  ];
  const noteBytes = Buffer.concat(notes);
  const size = BigInt((pages - 1) * 4096 + tail);
  const image = Buffer.alloc(0x2000);
  image.set([0x7f, 0x45, 0x4c, 0x46, wide ? 2 : 1, 1, 1]);
  const [ehsize, phsize, shsize] = wide ? [64, 56, 64] : [52, 32, 40];
  const header = [
    half(2),
    half(wide ? 62 : 3),
    full(1),
    word(virtBase + paddr, wide),
    word(BigInt(ehsize), wide),
    word(0n, wide),
    full(0),
    half(ehsize),
    half(phsize),
    half(2),
    half(shsize),
    half(0),
    half(0),
  ];
  image.set(Buffer.concat(header), 16);
  const load = {
    type: 1,
    offset: 0x1000,
    vaddr: virtBase + paddr,
    paddr,
    filesz: 0x1000n,
    memsz: size,
  };
  const notePart = {
    type: 4,
    offset: 0x400,
    vaddr: 0n,
    paddr: 0n,
    filesz: BigInt(noteBytes.length),
    memsz: BigInt(noteBytes.length),
  };
  image.set(Buffer.concat([load, notePart].map((part) => programHeader(part, wide))), ehsize);
  image.set(noteBytes, 0x400);
  return image;
}

function programHeader(
  part: {
    type: number;
    offset: number;
    vaddr: bigint;
    paddr: bigint;
    filesz: bigint;
    memsz: bigint;
  },
  wide: boolean,
): Buffer {
  const { type, offset, vaddr, paddr, filesz, memsz } = part;
  const sizes = [
    word(BigInt(offset), wide),
    word(vaddr, wide),
    word(paddr, wide),
    word(filesz, wide),
    word(memsz, wide),
  ];
  return Buffer.concat(
    wide
      ? [full(type), full(7), ...sizes, word(0x1000n, true)]
      : [full(type), ...sizes, full(7), full(0x1000)],
  );
}

function note(type: number, desc: Buffer): Buffer {
  return Buffer.concat([full(4), full(desc.length), full(type), Buffer.from("Xen\0"), desc]);
}

function half(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(value);
  return bytes;
}

function full(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}

function word(value: bigint, wide: boolean): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return bytes.subarray(0, wide ? 8 : 4);
}
