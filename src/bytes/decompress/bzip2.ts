/**
 * One bzip2 stream. There is no official specification; facts: "BZIP2: Format Specification" (J. Tsai, 2016),
 * linux: lib/decompress_bunzip2.c. Block and stream checksums are verified.
 * Not supported: randomised blocks (bzip2 before 0.9.5, 1999); Linux does not take them either.
 */
import { unsupported } from "../../base/failure.ts";
import { hex } from "../../base/units.ts";
import { CHUNK_BYTES } from "./reader.ts";
import type { Reader } from "./reader.ts";

const BLOCK_MAGIC = 0x314159265359;
const END_MAGIC = 0x177245385090;
/** A block holds this many bytes times the digit in the stream's header. */
const LEVEL_BYTES = 100_000;

const MAX_SYMBOLS = 258;
const MAX_CODE_BITS = 20;
/** Codes up to this length are looked up, longer ones (rare) searched. */
const LOOKUP_BITS = 10;
const GROUP_SYMBOLS = 50;
const MAX_TABLES = 6;
const RUN_A = 0;
const RUN_B = 1;

/** CRC-32 with the bits of a byte in the other order than everywhere else (polynomial 04c11db7). */
const CRC = new Uint32Array(256);
for (let byte = 0; byte < 256; byte++) {
  let crc = byte << 24;
  for (let bit = 0; bit < 8; bit++) crc = crc < 0 ? (crc << 1) ^ 0x04c11db7 : crc << 1;
  CRC[byte] = crc;
}

export function* unpackBzip2(reader: Reader): Generator<Uint8Array, void> {
  reader.expect([0x42, 0x5a, 0x68], "the magic of bzip2");
  const level = reader.u8() - 0x30;
  if (level < 1 || level > 9) throw reader.corrupt("a bad level", "1 to 9 in the bzip2 header");
  const bits = new BitReader(reader);
  const links = new Uint32Array(level * LEVEL_BYTES);
  let streamCrc = 0;
  for (;;) {
    const magic = bits.take(24) * 2 ** 24 + bits.take(24);
    const crc = bits.take32();
    if (magic === END_MAGIC) {
      if (crc !== streamCrc) throw reader.corrupt("a wrong CRC-32", "that of the bzip2 stream");
      bits.finish();
      return;
    }
    if (magic !== BLOCK_MAGIC) throw bits.corrupt(`block magic ${hex(magic)}`);
    const block = readBlock(bits, links);
    for (let chunk = block.next(); chunk.length > 0; chunk = block.next()) yield chunk;
    if (block.crc !== crc) throw bits.corrupt("a block with a wrong CRC-32");
    streamCrc = (((streamCrc << 1) | (streamCrc >>> 31)) ^ crc) >>> 0;
  }
}

/** Bits, highest first. The hot loop borrows `at`, `held` and `count`, and gives them back with `resume`. */
class BitReader {
  readonly reader: Reader;
  /** Offset of the next byte that is not in `held` yet. */
  at: number;
  /** The low `count` bits of it are still to be taken. */
  held = 0;
  count = 0;

  constructor(reader: Reader) {
    this.reader = reader;
    this.at = reader.at;
  }

  /** `length` is at most 24. */
  take(length: number): number {
    const { bytes } = this.reader;
    while (this.count < length) {
      if (this.at >= bytes.length) throw this.reader.truncated();
      this.held = (this.held << 8) | bytes[this.at++]!;
      this.count += 8;
    }
    this.count -= length;
    return (this.held >>> this.count) & ((1 << length) - 1);
  }

  take32(): number {
    return ((this.take(16) << 16) | this.take(16)) >>> 0;
  }

  /** Goes on from where a loop has got to that read ahead, and maybe past the end of the data. */
  resume(at: number, held: number, count: number): void {
    const ahead = count >> 3;
    this.at = at - ahead;
    this.held = held >>> (8 * ahead);
    this.count = count & 7;
    if (this.at > this.reader.bytes.length) throw this.reader.truncated();
  }

  /** The stream ends with the byte that its last bit is in. */
  finish(): void {
    this.reader.at = this.at - (this.count >> 3);
  }

  corrupt(found: string) {
    return this.reader.corrupt(`${found} before byte ${this.at}`, "bzip2 data");
  }
}

function readBlock(bits: BitReader, links: Uint32Array): BlockOutput {
  if (bits.take(1) === 1) throw unsupported(bits.reader.where, "a randomised bzip2 block");
  const origin = bits.take(24);
  const used = readUsedBytes(bits);
  const symbols = used.length + 2;
  const tableCount = bits.take(3);
  if (tableCount < 2 || tableCount > MAX_TABLES) throw bits.corrupt(`${tableCount} Huffman tables`);
  const selectors = readSelectors(bits, tableCount);
  const tables = Array.from({ length: tableCount }, () => readTable(bits, symbols));
  const counts = new Uint32Array(256);
  const length = readSymbols(bits, { used, selectors, tables, links, counts });
  if (origin >= length) throw bits.corrupt(`origin ${origin} in a block of ${length}`);
  linkUp(links, length, counts);
  return new BlockOutput(links, length, origin);
}

/** Which byte values the block uses: a bit for each sixteen, then sixteen bits for each that is set. */
function readUsedBytes(bits: BitReader): Uint8Array {
  const groups = bits.take(16);
  const used: number[] = [];
  for (let group = 0; group < 16; group++) {
    if (((groups >> (15 - group)) & 1) === 0) continue;
    const members = bits.take(16);
    for (let i = 0; i < 16; i++) if ((members >> (15 - i)) & 1) used.push(group * 16 + i);
  }
  if (used.length === 0) throw bits.corrupt("a block without bytes");
  return Uint8Array.from(used);
}

/** Which table each group of 50 symbols uses, as places in a move-to-front list. */
function readSelectors(bits: BitReader, tableCount: number): Uint8Array {
  // At most 32767; those beyond the block's end are read and never used, as bzip2 does
  const selectors = new Uint8Array(bits.take(15));
  if (selectors.length === 0) throw bits.corrupt("a block without selectors");
  const order = Array.from({ length: tableCount }, (_, i) => i);
  for (let i = 0; i < selectors.length; i++) {
    let place = 0;
    while (bits.take(1) === 1) {
      place += 1;
      if (place >= tableCount) throw bits.corrupt(`a selector above ${tableCount - 1}`);
    }
    const [table] = order.splice(place, 1) as [number];
    order.unshift(table);
    selectors[i] = table;
  }
  return selectors;
}

/** A canonical Huffman code. */
type HuffmanTable = {
  /** By the next LOOKUP_BITS bits: symbol << 5 | length, 0 when the code is longer. */
  readonly lookup: Uint16Array;
  /** By length: the first code that is longer, as MAX_CODE_BITS bits; of the longest, all that are codes end here. */
  readonly limit: Int32Array;
  /** By length: what to subtract from a code for its place in `sorted`. */
  readonly base: Int32Array;
  readonly sorted: Uint16Array;
};

/** The lengths of a table's codes, each as a difference from the one before. */
function readTable(bits: BitReader, symbols: number): HuffmanTable {
  const lengths = new Uint8Array(symbols);
  let length = bits.take(5);
  for (let symbol = 0; symbol < symbols; symbol++) {
    for (;;) {
      if (length < 1 || length > MAX_CODE_BITS) throw bits.corrupt(`a code of ${length} bits`);
      if (bits.take(1) === 0) break;
      length += bits.take(1) === 0 ? 1 : -1;
    }
    lengths[symbol] = length;
  }
  return buildTable(lengths);
}

function buildTable(lengths: Uint8Array): HuffmanTable {
  const lookup = new Uint16Array(1 << LOOKUP_BITS);
  const limit = new Int32Array(MAX_CODE_BITS + 1);
  const base = new Int32Array(MAX_CODE_BITS + 1);
  const sorted = new Uint16Array(lengths.length);
  let code = 0;
  let place = 0;
  for (let length = 1; length <= MAX_CODE_BITS; length++) {
    base[length] = code - place;
    for (let symbol = 0; symbol < lengths.length; symbol++) {
      if (lengths[symbol] !== length) continue;
      sorted[place++] = symbol;
      if (length <= LOOKUP_BITS) {
        // An oversubscribed code runs over the end; fill() stops there
        const from = code << (LOOKUP_BITS - length);
        lookup.fill((symbol << 5) | length, from, from + (1 << (LOOKUP_BITS - length)));
      }
      code += 1;
    }
    limit[length] = code << (MAX_CODE_BITS - length);
    code <<= 1;
  }
  return { lookup, limit, base, sorted };
}

type SymbolContext = {
  readonly used: Uint8Array;
  readonly selectors: Uint8Array;
  readonly tables: readonly HuffmanTable[];
  /** Receives the bytes of the block. */
  readonly links: Uint32Array;
  /** Receives how often each byte comes. */
  readonly counts: Uint32Array;
};

/**
 * Huffman symbols to bytes: RUNA and RUNB are the digits of a run of the first byte in a move-to-front list, the
 * others are places in that list. Returns the number of bytes. Long, because it is the hot loop: bits in locals.
 * Past the end of the data it reads zeroes, at most for one block, until `resume` sees it.
 */
function readSymbols(bits: BitReader, context: SymbolContext): number {
  const { selectors, tables, links, counts } = context;
  const { bytes } = bits.reader;
  const order = new Uint8Array(256);
  order.set(context.used);
  const endOfBlock = context.used.length + 1;
  let { at, held, count } = bits;
  let length = 0;
  let run = 0;
  let runDigit = 1;
  let problem = "a block without its end";

  decoding: for (let group = 0; group < selectors.length; group++) {
    const { lookup, limit, base, sorted } = tables[selectors[group]!]!;
    for (let left = GROUP_SYMBOLS; left > 0; left--) {
      while (count < MAX_CODE_BITS) {
        held = (held << 8) | (at < bytes.length ? bytes[at]! : 0);
        at += 1;
        count += 8;
      }
      const window = (held >>> (count - MAX_CODE_BITS)) & ((1 << MAX_CODE_BITS) - 1);
      const found = lookup[window >> (MAX_CODE_BITS - LOOKUP_BITS)]!;
      let symbol = found >> 5;
      let codeBits = found & 31;
      if (found === 0) {
        codeBits = LOOKUP_BITS + 1;
        while (codeBits < MAX_CODE_BITS && window >= limit[codeBits]!) codeBits += 1;
        const place = (window >> (MAX_CODE_BITS - codeBits)) - base[codeBits]!;
        // No place in an incomplete or oversubscribed code: a symbol that is none
        symbol = sorted[place] ?? MAX_SYMBOLS;
      }
      count -= codeBits;

      if (symbol <= RUN_B) {
        // Digits of a number in base 2 that are 1 and 2; the bound keeps runDigit below 2^21
        run += runDigit << (symbol === RUN_A ? 0 : 1);
        runDigit <<= 1;
        if (run <= links.length - length) continue;
        problem = "a run past the end of its block";
        break decoding;
      }
      if (run > 0) {
        const byte = order[0]!;
        counts[byte] = counts[byte]! + run;
        links.fill(byte, length, length + run);
        length += run;
        run = 0;
        runDigit = 1;
      }
      if (symbol >= endOfBlock) {
        problem = symbol === endOfBlock ? "" : "no Huffman code";
        break decoding;
      }
      if (length >= links.length) {
        problem = "more bytes than a block may have";
        break decoding;
      }
      const place = symbol - 1;
      const byte = order[place]!;
      if (place > 16) order.copyWithin(1, 0, place);
      else for (let i = place; i > 0; i--) order[i] = order[i - 1]!;
      order[0] = byte;
      counts[byte] = counts[byte]! + 1;
      links[length++] = byte;
    }
  }
  bits.resume(at, held, count);
  if (problem) throw bits.corrupt(problem);
  return length;
}

/**
 * Inverts the Burrows-Wheeler transform: above its byte, each entry gets the index of the entry that follows it
 * (20 bits are enough for a block).
 */
function linkUp(links: Uint32Array, length: number, counts: Uint32Array): void {
  const starts = new Uint32Array(256);
  for (let byte = 0, sum = 0; byte < 256; byte++) {
    starts[byte] = sum;
    sum += counts[byte]!;
  }
  for (let i = 0; i < length; i++) {
    const byte = links[i]! & 0xff;
    const to = starts[byte]!;
    starts[byte] = to + 1;
    links[to] = links[to]! | (i << 8);
  }
}

/** Walks the links of a block and undoes its first step: after four equal bytes comes the number of further ones. */
class BlockOutput {
  /** Over all that `next` has given so far. */
  crc = 0;
  readonly #links: Uint32Array;
  #left: number;
  #link: number;
  #last = -1;
  #equal = 0;

  constructor(links: Uint32Array, length: number, origin: number) {
    this.#links = links;
    this.#left = length;
    this.#link = links[origin]!;
  }

  /** The next chunk of output; empty at the end. */
  next(): Uint8Array {
    const links = this.#links;
    // The longest run may begin one byte before the end
    const out = new Uint8Array(Math.min(CHUNK_BYTES, this.#left * 64) + 255);
    const full = out.length - 255;
    let crc = ~this.crc;
    let link = this.#link;
    let left = this.#left;
    let last = this.#last;
    let equal = this.#equal;
    let position = 0;
    while (left > 0 && position < full) {
      link = links[link >>> 8]!;
      const byte = link & 0xff;
      left -= 1;
      if (equal === 4) {
        out.fill(last, position, position + byte);
        for (let i = 0; i < byte; i++) crc = (crc << 8) ^ CRC[(crc >>> 24) ^ last]!;
        position += byte;
        equal = 0;
        continue;
      }
      equal = byte === last ? equal + 1 : 1;
      last = byte;
      out[position++] = byte;
      crc = (crc << 8) ^ CRC[(crc >>> 24) ^ byte]!;
    }
    this.crc = ~crc >>> 0;
    this.#link = link;
    this.#left = left;
    this.#last = last;
    this.#equal = equal;
    return out.subarray(0, position);
  }
}
