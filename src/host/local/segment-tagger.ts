/**
 * Tags for sync in a thread of their own, which reads and hashes in pieces that stay in its processor's cache
 * (docs/design/sync-engine.md).
 */
import { Worker } from "node:worker_threads";
import { ioFailure } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { SegmentTagger } from "../../sync/device.ts";
import { errnoOf } from "./errno.ts";

/** Offset and length of a segment, then of what counts as zero in it, one after the other. */
type SegmentNumbers = readonly [offset: number, length: number, ...zeroes: number[]];
type Opened = { readonly fd: number; readonly key: Uint8Array };
type Question = { readonly id: number; readonly segments: readonly SegmentNumbers[] };
type Answer = {
  readonly id: number;
  readonly tags?: Uint8Array;
  readonly errno?: string;
  readonly offset?: number;
};
type Waiting = {
  readonly resolve: (tags: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
};

export type TaggerOptions = {
  /** Open for reading, and not closed before the tagger is. */
  readonly fd: number;
  /** 16 bytes. */
  readonly key: Uint8Array;
  readonly where: Where;
};

/** Starts the thread of the first tagger ahead: a thread takes as long to start as all else that is opened for a copy. */
export class TagThread implements AsyncDisposable {
  #worker: Worker | undefined;

  /** `ahead`: before anybody asks for it. */
  constructor({ ahead }: { readonly ahead: boolean }) {
    if (ahead) this.#worker = startWorker();
  }

  /** The thread the first time, another one after that. */
  open(options: TaggerOptions): SegmentTagger {
    const worker = this.#worker;
    this.#worker = undefined;
    return openSegmentTagger(options, worker);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#worker?.terminate();
    this.#worker = undefined;
  }
}

/** As text: the single executable has no second script to start. */
function startWorker(): Worker {
  return new Worker(`(${tagWorker.toString()})()`, { eval: true });
}

export function openSegmentTagger(
  { fd, key, where }: TaggerOptions,
  worker = startWorker(),
): SegmentTagger {
  const waiting = new Map<number, Waiting>();
  let next = 0;
  let ended: unknown;
  worker.postMessage({ fd, key } satisfies Opened);
  const end = (error: unknown) => {
    ended ??= error;
    for (const { reject } of waiting.values()) reject(ended);
    waiting.clear();
  };
  worker.on("message", ({ id, tags, errno, offset }: Answer) => {
    const one = waiting.get(id)!;
    waiting.delete(id);
    if (tags) one.resolve(tags);
    else one.reject(ioFailure(where, `read at byte ${offset}`, errno ?? "unknown"));
  });
  worker.on("error", end);
  worker.on("exit", () => end(ioFailure(where, "read", "the reading thread has ended")));
  return {
    tags(segments) {
      if (ended !== undefined) return Promise.reject(ended);
      const id = next++;
      const question: Question = {
        id,
        segments: segments.map(({ offset, length, zeroes = [] }) => [
          offset,
          length,
          ...zeroes.flatMap((zero) => [zero.offset, zero.length]),
        ]),
      };
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        worker.postMessage(question);
      });
    },
    async close() {
      await worker.terminate().catch((error) => {
        throw ioFailure(where, "end reading", errnoOf(error), error);
      });
    },
  };
}

/** Runs in the thread, from its text: it may use nothing from outside. The same tags as of Digester (src/sync/digests.ts). */
function tagWorker(): void {
  const { parentPort } = process.getBuiltinModule("node:worker_threads");
  const { readSync } = process.getBuiltinModule("node:fs");
  const { createCipheriv } = process.getBuiltinModule("node:crypto");
  let opened: Opened | undefined;
  const nonce = new Uint8Array(12);
  const piece = new Uint8Array(262_144);
  const tagBytes = 16;

  /** Makes zero what of `got` bytes at `at` is in `zeroes`; gives how many bytes that were. */
  const clear = (at: number, got: number, zeroes: readonly number[]) => {
    let cleared = 0;
    for (let i = 0; i < zeroes.length; i += 2) {
      const from = Math.max(zeroes[i]! - at, 0);
      const to = Math.min(zeroes[i]! + zeroes[i + 1]! - at, got);
      if (from >= to) continue;
      piece.fill(0, from, to);
      cleared += to - from;
    }
    return cleared;
  };

  const tagOf = ({ fd, key }: Opened, [offset, length, ...zeroes]: SegmentNumbers) => {
    const gmac = createCipheriv("aes-128-gcm", key, nonce);
    for (let done = 0; done < length;) {
      const want = Math.min(piece.length, length - done);
      // What is zero as a whole is not read at all.
      const known = zeroes.length > 0 && clear(offset + done, want, zeroes) === want;
      const got = known ? want : readSync(fd, piece, 0, want, offset + done);
      if (got === 0) throw Object.assign(new Error(), { code: "unexpected end" });
      if (!known) clear(offset + done, got, zeroes);
      gmac.setAAD(got === piece.length ? piece : piece.subarray(0, got));
      done += got;
    }
    gmac.final();
    return gmac.getAuthTag();
  };

  parentPort!.on("message", (message: Opened | Question) => {
    if (!("segments" in message)) {
      opened = message;
      return;
    }
    const { id, segments } = message;
    const tags = new Uint8Array(segments.length * tagBytes);
    let at = 0;
    try {
      for (const [index, segment] of segments.entries()) {
        at = segment[0];
        tags.set(tagOf(opened!, segment), index * tagBytes);
      }
      parentPort!.postMessage({ id, tags } satisfies Answer);
    } catch (error) {
      const errno = (error as NodeJS.ErrnoException).code ?? String(error);
      parentPort!.postMessage({ id, errno, offset: at } satisfies Answer);
    }
  });
}
