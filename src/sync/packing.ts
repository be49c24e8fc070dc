/**
 * zstd for the blocks of a patch, in Node's thread pool (RFC 8878; node:zlib). What packs or unpacks is kept and used again, and
 * its results are copied into the caller's arrays: new ones for each patch were 100 MiB of garbage on a side (measured).
 */
import { constants, createZstdCompress, createZstdDecompress } from "node:zlib";
import type { ZstdCompress, ZstdDecompress } from "node:zlib";
import { corrupt } from "../base/failure.ts";
import { KIB } from "../base/units.ts";
import type { Where } from "../base/where.ts";

/** The fastest of zstd's usual levels: what it leaves is what the wire saves. */
const LEVEL = 1;
/** Of the array that zlib fills, piece by piece. */
const CHUNK_BYTES = 128 * KIB;
/** A segment. Who unpacks makes room for no larger window, whatever a peer's frame asks for (zstd's own limit is 128 MiB). */
const WINDOW_LOG_MAX = 20;

/** Packs `blocks` into `into`, as one zstd frame. Undefined when it does not fit: then packing is of no use. */
export class Packer {
  readonly #frames = new Frames(() =>
    createZstdCompress({
      chunkSize: CHUNK_BYTES,
      // Every write is a frame of its own.
      flush: constants.ZSTD_e_end,
      // Its window is 512 KiB then.
      params: { [constants.ZSTD_c_compressionLevel]: LEVEL },
    }),
  );

  async pack(blocks: Uint8Array, into: Uint8Array): Promise<Uint8Array | undefined> {
    const length = await this.#frames.run(blocks, into);
    return length > into.length ? undefined : into.subarray(0, length);
  }

  close(): void {
    this.#frames.close();
  }
}

/** Unpacks what a peer has packed. */
export class Unpacker {
  readonly #frames = new Frames(() =>
    createZstdDecompress({
      chunkSize: CHUNK_BYTES,
      params: { [constants.ZSTD_d_windowLogMax]: WINDOW_LOG_MAX },
    }),
  );

  /** Fills `into`, or fails with `corrupt`: neither more nor less may come. Makes room for no more than that. */
  async unpack(packed: Uint8Array, into: Uint8Array, where: Where): Promise<Uint8Array> {
    const expected = `a zstd frame of ${into.length} bytes`;
    if (packed.length === 0) throw corrupt(where, "nothing", expected);
    const length = await this.#frames.run(packed, into).catch((error: NodeJS.ErrnoException) => {
      throw corrupt(where, `blocks that do not unpack (${error.code ?? error.message})`, expected);
    });
    if (length > into.length) throw corrupt(where, "more bytes of blocks", expected);
    if (length < into.length) throw corrupt(where, `${length} bytes of blocks`, expected);
    return into;
  }

  close(): void {
    this.#frames.close();
  }
}

/** One stream of zlib, through which frames go one at a time. */
class Frames {
  readonly #make: () => ZstdCompress | ZstdDecompress;
  #stream: ZstdCompress | ZstdDecompress | undefined;
  /** What zlib fills at the moment, or has filled last. */
  #filled: ArrayBufferLike | undefined;
  #take: (piece: Uint8Array) => void = () => {};
  #fail: (error: unknown) => void = () => {};

  constructor(make: () => ZstdCompress | ZstdDecompress) {
    this.#make = make;
  }

  /** How much came of `input`; a number above `into.length` when it was more than that, and the rest was left. */
  async run(input: Uint8Array, into: Uint8Array): Promise<number> {
    const stream = (this.#stream ??= this.#start());
    const over = Promise.withResolvers<number>();
    let length = 0;
    this.#fail = over.reject;
    this.#take = (piece) => {
      if (length + piece.length <= into.length) into.set(piece, length);
      length += piece.length;
      if (length <= into.length) return;
      // What is in it is of no use any more, and there may be gigabytes.
      this.close();
      over.resolve(length);
    };
    stream.write(input, (error) => (error ? over.reject(error) : over.resolve(length)));
    return over.promise;
  }

  close(): void {
    this.#stream?.destroy();
    this.#stream = undefined;
  }

  #start(): ZstdCompress | ZstdDecompress {
    const stream = this.#make();
    stream.on("error", (error) => {
      this.#stream = undefined;
      this.#fail(error);
    });
    stream.on("data", (piece: Uint8Array) => {
      // Zlib has begun another one. The memory is given back at once, not when the collector comes.
      if (this.#filled !== piece.buffer && this.#filled instanceof ArrayBuffer)
        this.#filled.transfer(0);
      this.#filled = piece.buffer;
      if (stream === this.#stream) this.#take(piece);
    });
    return stream;
  }
}
