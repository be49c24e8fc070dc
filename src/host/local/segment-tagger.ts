/**
 * Tags for sync in a thread of their own, which reads and hashes in pieces that stay in its processor's cache
 * (docs/design/sync-engine.md).
 */
import { Worker } from "node:worker_threads";
import { ioFailure } from "../../base/failure.ts";
import type { Where } from "../../base/where.ts";
import type { SegmentTagger } from "../../sync/device.ts";
import { errnoOf } from "./errno.ts";

type Question = { readonly id: number; readonly segments: readonly (readonly [number, number])[] };
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

export function openSegmentTagger({ fd, key, where }: TaggerOptions): SegmentTagger {
  const waiting = new Map<number, Waiting>();
  let next = 0;
  let ended: unknown;
  // As text: the single executable has no second script to start.
  const worker = new Worker(`(${tagWorker.toString()})()`, { eval: true, workerData: { fd, key } });
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
        segments: segments.map(({ offset, length }) => [offset, length]),
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
  const { parentPort, workerData } = process.getBuiltinModule("node:worker_threads");
  const { readSync } = process.getBuiltinModule("node:fs");
  const { createCipheriv } = process.getBuiltinModule("node:crypto");
  const { fd, key } = workerData as { fd: number; key: Uint8Array };
  const nonce = new Uint8Array(12);
  const piece = new Uint8Array(262_144);
  const tagBytes = 16;

  const tagOf = (offset: number, length: number) => {
    const gmac = createCipheriv("aes-128-gcm", key, nonce);
    for (let done = 0; done < length;) {
      const want = Math.min(piece.length, length - done);
      const got = readSync(fd, piece, 0, want, offset + done);
      if (got === 0) throw Object.assign(new Error(), { code: "unexpected end" });
      gmac.setAAD(got === piece.length ? piece : piece.subarray(0, got));
      done += got;
    }
    gmac.final();
    return gmac.getAuthTag();
  };

  parentPort!.on("message", ({ id, segments }: Question) => {
    const tags = new Uint8Array(segments.length * tagBytes);
    let at = 0;
    try {
      for (const [index, [offset, length]] of segments.entries()) {
        at = offset;
        tags.set(tagOf(offset, length), index * tagBytes);
      }
      parentPort!.postMessage({ id, tags } satisfies Answer);
    } catch (error) {
      const errno = (error as NodeJS.ErrnoException).code ?? String(error);
      parentPort!.postMessage({ id, errno, offset: at } satisfies Answer);
    }
  });
}
