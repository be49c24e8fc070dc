/**
 * Reads a pipe or a socket into a few arrays that are used again and again. Node's streams make a new one for each 64 KiB, and
 * for a copy of gigabytes that is half of the work of reading (measured).
 */
import { Socket } from "node:net";
import { ioFailure } from "../../base/failure.ts";
import { KIB } from "../../base/units.ts";
import type { Where } from "../../base/where.ts";

/** A pipe holds 64 KiB, a socket some more. */
const CHUNK_BYTES = 256 * KIB;
/** One that the reader has, two that are full, and one that the kernel is to fill, always. */
const CHUNKS = 4;

export class PipeReader {
  /** For who closes it. */
  readonly socket: Socket;
  readonly #where: Where;
  readonly #free = Array.from({ length: CHUNKS }, () => new Uint8Array(CHUNK_BYTES));
  #filling = this.#free.pop()!;
  readonly #full: { readonly array: Uint8Array<ArrayBuffer>; readonly length: number }[] = [];
  #lent: Uint8Array<ArrayBuffer> | undefined;
  #waiting: PromiseWithResolvers<Uint8Array | undefined> | undefined;
  #failure: Error | undefined;
  #ended = false;

  /** Nobody else reads `fd`. An error with the code ERR_INVALID_FD_TYPE when it is neither a pipe nor a socket. */
  constructor(fd: number, where: Where) {
    this.#where = where;
    this.socket = new Socket({
      fd,
      readable: true,
      writable: false,
      // It is asked for when the one before has been filled, also when reading stops then.
      onread: { buffer: () => this.#filling, callback: (length) => this.#take(length) },
    });
    this.socket.on("error", (error: NodeJS.ErrnoException) => {
      this.#failure ??= ioFailure(this.#where, "read", error.code ?? error.message, error);
      this.#end();
    });
    this.socket.on("end", () => this.#end());
    this.socket.on("close", () => this.#end());
  }

  /** As of `Channel`: what came, until the next call; undefined when nothing more will. */
  read(): Promise<Uint8Array | undefined> {
    if (this.#lent) this.#free.push(this.#lent);
    this.#lent = undefined;
    if (!this.#ended) this.socket.resume();
    const waiting = Promise.withResolvers<Uint8Array | undefined>();
    this.#waiting = waiting;
    this.#answer();
    return waiting.promise;
  }

  /** Whether to go on: as long as there is an array for what comes after the next one. */
  #take(length: number): boolean {
    this.#full.push({ array: this.#filling, length });
    this.#filling = this.#free.pop()!;
    const goOn = this.#free.length > 0;
    this.#answer();
    return goOn;
  }

  #end(): void {
    this.#ended = true;
    this.#answer();
  }

  #answer(): void {
    const chunk = this.#full[0];
    if (!this.#waiting || (!chunk && !this.#ended)) return;
    if (chunk) {
      this.#full.shift();
      this.#lent = chunk.array;
      this.#waiting.resolve(chunk.array.subarray(0, chunk.length));
    } else if (this.#failure) this.#waiting.reject(this.#failure);
    else this.#waiting.resolve(undefined);
    this.#waiting = undefined;
  }
}
