/**
 * Stand-in kernels for the sample host: the parts of a Linux image that Xen, the loader and domus look at (setup
 * header, packed payload, ELF with Xen notes, version banner, table of initramfs decompressors), and no code.
 * Real kernels are in the tests; a sample must not need a download.
 */
import { gzipSync, zstdCompressSync } from "node:zlib";

export type SampleKernel = {
  /** `4.11.7-1-ARCH` */
  readonly release: string;
  readonly packing: "gzip" | "zstd" | "none";
  /** Built-in initramfs decompressors: [name, built in]. In the order of linux lib/decompress.c. */
  readonly decompressors: readonly (readonly [keyof typeof MAGIC, boolean])[];
  readonly pv?: boolean;
  readonly pvh?: boolean;
};

const MAGIC = {
  gzip: [0x1f, 0x8b],
  "gzip-old": [0x1f, 0x9e],
  bzip2: [0x42, 0x5a],
  lzma: [0x5d, 0x00],
  xz: [0xfd, 0x37],
  lzo: [0x89, 0x4c],
  lz4: [0x02, 0x21],
  zstd: [0x28, 0xb5],
} as const;

const VIRT_BASE = 0xffff_ffff_8000_0000n;
const LOAD_ADDRESS = 0x100_0000;
/** Where the one loaded segment begins in the file. */
const SEGMENT_OFFSET = 0x1000;
const SEGMENT_SIZE = 0x40_0000;
const SEGMENT_MEMORY = 0x200_0000;

/** The unpacked kernel: an ELF64 with one PT_LOAD and one PT_NOTE. */
export function sampleElf(kernel: SampleKernel): Uint8Array {
  const out = new Uint8Array(SEGMENT_OFFSET + SEGMENT_SIZE);
  const view = new DataView(out.buffer);
  fillLikeCode(out.subarray(SEGMENT_OFFSET));
  const vaddr = VIRT_BASE + BigInt(LOAD_ADDRESS);
  // e_ident, then ET_EXEC, EM_X86_64 (ELF-64 object file format, section 4)
  out.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0]);
  view.setUint16(16, 2, true);
  view.setUint16(18, 62, true);
  view.setUint32(20, 1, true);
  view.setBigUint64(24, BigInt(LOAD_ADDRESS), true);
  view.setBigUint64(32, 64n, true);
  view.setUint16(52, 64, true);
  view.setUint16(54, 56, true);
  view.setUint16(56, 2, true);
  const notes = xenNotes(kernel, vaddr);
  const notesAt = SEGMENT_OFFSET + 0x10_0000;
  out.set(notes, notesAt);
  programHeader(view, 64, {
    type: 1,
    offset: SEGMENT_OFFSET,
    vaddr,
    size: SEGMENT_SIZE,
    memory: SEGMENT_MEMORY,
  });
  programHeader(view, 120, {
    type: 4,
    offset: notesAt,
    vaddr: vaddr + 0x10_0000n,
    size: notes.length,
    memory: notes.length,
  });
  const banner = `Linux version ${kernel.release} (builder@sample) (gcc version 7.1.1) #1 SMP PREEMPT\n\0`;
  out.set(Buffer.from(banner, "latin1"), SEGMENT_OFFSET + 0x20_0000);
  decompressorTable(out, kernel);
  return out;
}

type Header = { type: number; offset: number; vaddr: bigint; size: number; memory: number };

function programHeader(
  view: DataView,
  at: number,
  { type, offset, vaddr, size, memory }: Header,
): void {
  view.setUint32(at, type, true);
  view.setUint32(at + 4, 7, true);
  view.setBigUint64(at + 8, BigInt(offset), true);
  view.setBigUint64(at + 16, vaddr, true);
  view.setBigUint64(at + 24, vaddr - VIRT_BASE, true);
  view.setBigUint64(at + 32, BigInt(size), true);
  view.setBigUint64(at + 40, BigInt(memory), true);
  view.setBigUint64(at + 48, 0x20_0000n, true);
}

/** Neither constant nor random, so that it packs about as well as machine code does. */
function fillLikeCode(out: Uint8Array): void {
  let state = 0x2545f491;
  for (let i = 0; i < out.length; i++) {
    if (i % 4 !== 0) {
      out[i] = (i >> 3) & 0x3f;
      continue;
    }
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    out[i] = state & 0xff;
  }
}

/** xen/include/public/elfnote.h */
function xenNotes(kernel: SampleKernel, vaddr: bigint): Uint8Array {
  const text = (type: number, value: string) => note(type, Buffer.from(`${value}\0`, "latin1"));
  const address = (type: number, value: bigint) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64LE(value);
    return note(type, bytes);
  };
  const parts = [text(6, "linux"), text(7, "2.6"), text(5, "xen-3.0"), text(8, "generic")];
  if (kernel.pv !== false) {
    parts.push(address(3, VIRT_BASE), address(1, vaddr), address(2, vaddr + 0x1000n));
    parts.push(address(15, 0xffff_8000_0000_0000n), text(9, "yes"));
    parts.push(text(10, "!writable_page_tables|pae_pgdir_above_4gb"));
  }
  if (kernel.pvh !== false) parts.push(note(18, Buffer.from([0, 0, 0, 1])));
  return Buffer.concat(parts);
}

function note(type: number, value: Uint8Array): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt32LE(4, 0);
  header.writeUInt32LE(value.length, 4);
  header.writeUInt32LE(type, 8);
  const padding = Buffer.alloc(-value.length & 3);
  return Buffer.concat([header, Buffer.from("Xen\0"), value, padding]);
}

/** compressed_formats[] of lib/decompress.c: magic, name, function; 24 bytes an entry, ended by a zero entry. */
function decompressorTable(out: Uint8Array, kernel: SampleKernel): void {
  const view = new DataView(out.buffer);
  const tableAt = SEGMENT_OFFSET + 0x30_0000;
  const namesAt = tableAt + 0x1000;
  const address = (at: number) => VIRT_BASE + BigInt(LOAD_ADDRESS + at - SEGMENT_OFFSET);
  out.fill(0, tableAt, namesAt + 0x1000);
  let name = namesAt;
  for (const [index, [format, builtin]] of kernel.decompressors.entries()) {
    const at = tableAt + index * 24;
    const label = format === "gzip-old" ? "gzip" : format;
    out.set(MAGIC[format], at);
    out.set(Buffer.from(`${label}\0`, "latin1"), name);
    view.setBigUint64(at + 8, address(name), true);
    view.setBigUint64(at + 16, builtin ? address(SEGMENT_OFFSET + 0x1000 * (index + 1)) : 0n, true);
    name += 16;
  }
}

/** A bzImage of boot protocol 2.15 (linux: Documentation/arch/x86/boot.rst). */
export function sampleKernel(kernel: SampleKernel): Uint8Array {
  const payload = pack(kernel);
  const setupSectors = 4;
  const payloadOffset = 0x400;
  const head = Buffer.alloc((setupSectors + 1) * 512 + payloadOffset);
  head.writeUInt8(setupSectors, 0x1f1);
  head.writeUInt16LE(0xaa55, 0x1fe);
  head.write("HdrS", 0x202, "latin1");
  head.writeUInt16LE(0x20f, 0x206);
  head.writeUInt16LE(0x600, 0x20e);
  head.writeUInt8(1, 0x211);
  head.writeUInt32LE(0x20_0000, 0x230);
  head.writeUInt8(1, 0x234);
  head.writeUInt16LE(0x3f, 0x236);
  head.writeUInt32LE(2047, 0x238);
  head.writeUInt32LE(payloadOffset, 0x248);
  head.writeUInt32LE(payload.length, 0x24c);
  head.writeBigUInt64LE(BigInt(LOAD_ADDRESS), 0x258);
  head.writeUInt32LE(SEGMENT_MEMORY, 0x260);
  head.write(`${kernel.release} (builder@sample) #1 SMP PREEMPT\0`, 0x800, "latin1");
  return Buffer.concat([head, payload, Buffer.alloc(512)]);
}

/** The last four bytes of a payload are its unpacked size; gzip brings them along. */
function pack(kernel: SampleKernel): Uint8Array {
  const elf = sampleElf(kernel);
  if (kernel.packing === "none") return elf;
  if (kernel.packing === "gzip") return gzipSync(elf, { level: 6 });
  const size = Buffer.alloc(4);
  size.writeUInt32LE(elf.length);
  return Buffer.concat([zstdCompressSync(elf), size]);
}
