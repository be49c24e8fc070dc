/** A channel over two of Node's streams: a child's stdio, our own stdin and stdout, a socket. */
import { ioFailure } from "../base/failure.ts";
import type { FailureError } from "../base/failure.ts";
import type { Where } from "../base/where.ts";
import type { Channel } from "./channel.ts";

export type Streams = {
  readonly input: NodeJS.ReadableStream & { destroy(): unknown };
  readonly output: NodeJS.WritableStream & { cork(): void; uncork(): void; destroyed?: boolean };
  readonly where: Where;
};

export function streamChannel({ input, output, where }: Streams): Channel {
  const chunks = input[Symbol.asyncIterator]();
  /** Writes that have not been taken. */
  const waiting = new Set<PromiseWithResolvers<void>>();
  let broken: FailureError | undefined;
  // Whoever waits gets it; when nobody does, the next who writes.
  const breakOff = (errno: string, cause?: unknown) => {
    broken ??= ioFailure(where, "write", errno, cause);
    for (const taken of waiting) taken.reject(broken);
    waiting.clear();
  };
  const broke = (error: NodeJS.ErrnoException) => breakOff(error.code ?? error.message, error);
  output.on("error", broke);
  output.on("close", () => breakOff("EPIPE"));
  let closed = false;

  return {
    async read() {
      try {
        const { done, value } = await chunks.next();
        return done ? undefined : (value as Uint8Array);
      } catch (error) {
        if (closed) return undefined;
        const { code = String(error) } = error as NodeJS.ErrnoException;
        throw ioFailure(where, "read", code, error);
      }
    },
    async write(pieces) {
      if (broken) throw broken;
      const taken = Promise.withResolvers<void>();
      waiting.add(taken);
      output.cork();
      for (const [index, piece] of pieces.entries()) {
        if (index < pieces.length - 1) output.write(piece);
        else
          output.write(piece, (error) => {
            if (error) broke(error);
            waiting.delete(taken);
            taken.resolve();
          });
      }
      output.uncork();
      await taken.promise;
    },
    close() {
      if (closed) return;
      closed = true;
      breakOff("EPIPE");
      output.end();
      input.destroy();
    },
  };
}
