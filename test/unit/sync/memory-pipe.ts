/** Two ends of a connection in memory, for tests: bounded like a pipe, in chunks of any size, cut off where it is said. */
import { ioFailure } from "../../../src/base/failure.ts";
import type { Channel } from "../../../src/sync/channel.ts";

/** Bytes in one direction that nobody has read: as much as a pipe of Linux holds. */
const CAPACITY_BYTES = 65_536;

export type PipeOptions = {
  /** The connection ends after so many bytes from the source side. */
  readonly cutSourceAt?: number;
  readonly cutDestinationAt?: number;
  /** The connection ends with the first bytes of the source side at which this is true: how many there are depends on packing. */
  readonly cutWhen?: () => boolean;
  /** Chunks are at most this long. */
  readonly chunkBytes?: (direction: "source" | "destination") => number;
  /** Sees, and may change, what passes. */
  readonly tap?: (direction: "source" | "destination", bytes: Uint8Array) => Uint8Array;
};

class Pipe {
  readonly #chunks: Uint8Array[] = [];
  #heldBytes = 0;
  #wake: (() => void)[] = [];
  #writing: Promise<void> = Promise.resolve();
  passedBytes = 0;
  closed = false;
  cutAt = Infinity;
  cutWhen: () => boolean = () => false;

  write(pieces: readonly Uint8Array[], onCut: () => void): Promise<void> {
    const turn = this.#writing.then(async () => {
      for (const piece of pieces) {
        for (let at = 0; at < piece.length;) {
          while (!this.closed && this.#heldBytes >= CAPACITY_BYTES) await this.#change();
          if (this.closed) throw ioFailure(["pipe"], "write", "EPIPE");
          if (this.cutWhen()) {
            onCut();
            throw ioFailure(["pipe"], "write", "EPIPE");
          }
          const room = Math.min(CAPACITY_BYTES - this.#heldBytes, this.cutAt - this.passedBytes);
          const part = piece.slice(at, at + room);
          this.#chunks.push(part);
          this.#heldBytes += part.length;
          this.passedBytes += part.length;
          at += part.length;
          if (this.passedBytes >= this.cutAt) {
            onCut();
            throw ioFailure(["pipe"], "write", "EPIPE");
          }
          this.#changed();
        }
      }
    });
    this.#writing = turn.catch(() => {});
    return turn;
  }

  /** Ends when all that was written has been read. */
  end(): void {
    void this.#writing.then(() => this.close());
  }

  async read(maxBytes: number): Promise<Uint8Array | undefined> {
    while (this.#chunks.length === 0 && !this.closed) await this.#change();
    const chunk = this.#chunks.shift();
    if (!chunk) return undefined;
    const taken = chunk.subarray(0, maxBytes);
    if (taken.length < chunk.length) this.#chunks.unshift(chunk.subarray(taken.length));
    this.#heldBytes -= taken.length;
    this.#changed();
    return taken;
  }

  close(): void {
    this.closed = true;
    this.#changed();
  }

  #change(): Promise<void> {
    return new Promise((resolve) => this.#wake.push(resolve));
  }

  #changed(): void {
    const wake = this.#wake;
    this.#wake = [];
    for (const resolve of wake) resolve();
  }
}

export type Connection = {
  readonly source: Channel;
  readonly destination: Channel;
  /** How much has passed in both directions. */
  passed(): { readonly source: number; readonly destination: number };
};

export function memoryConnection(options: PipeOptions = {}): Connection {
  const up = new Pipe();
  const down = new Pipe();
  up.cutAt = options.cutSourceAt ?? Infinity;
  down.cutAt = options.cutDestinationAt ?? Infinity;
  if (options.cutWhen) up.cutWhen = options.cutWhen;
  const cut = () => {
    up.close();
    down.close();
  };
  const end = (direction: "source" | "destination", out: Pipe, into: Pipe): Channel => {
    const other = direction === "source" ? "destination" : "source";
    const closed = Promise.withResolvers<never>();
    closed.promise.catch(() => {});
    return {
      async read() {
        const chunk = await into.read(options.chunkBytes?.(other) ?? CAPACITY_BYTES);
        return chunk && options.tap ? options.tap(other, chunk) : chunk;
      },
      write: (pieces) => Promise.race([out.write(pieces, cut), closed.promise]),
      // As with a process that ends: what it has written is still there, and writing to it fails.
      close() {
        closed.reject(ioFailure(["pipe"], "write", "EPIPE"));
        out.end();
        into.close();
      },
    };
  };
  return {
    source: end("source", up, down),
    destination: end("destination", down, up),
    passed: () => ({ source: up.passedBytes, destination: down.passedBytes }),
  };
}
