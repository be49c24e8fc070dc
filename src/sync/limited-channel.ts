import type { Channel } from "./channel.ts";

/** What is sent at once: the other side hears something at least so often a second. */
const SLICES_PER_SECOND = 10;
const LEAST_SLICE_BYTES = 512;

export type LimitOptions = {
  readonly channel: Channel;
  /** Above 0. */
  readonly bytesPerSecond: number;
  readonly clock?: Clock;
};

export type Clock = {
  /** Milliseconds from any point on. */
  now(): number;
  sleep(ms: number): Promise<void>;
};

type Job = {
  /** What is left to send of it. */
  readonly slices: (readonly Uint8Array[])[];
  readonly sent: PromiseWithResolvers<void>;
};

/**
 * `channel` with a rate that what is written stays under, from the first second on; reading is not held up. Time in which
 * nothing was to be sent is not made up for. The engine takes the limit for a slow wire, so that packing pays earlier.
 */
export function limitedChannel({ channel, bytesPerSecond, clock = CLOCK }: LimitOptions): Channel {
  const sliceBytes = Math.max(LEAST_SLICE_BYTES, Math.floor(bytesPerSecond / SLICES_PER_SECOND));
  const jobs: Job[] = [];
  /** When what was sent is paid for. */
  let freeAt = 0;
  let pumping = false;
  let closed = false;
  let wake = () => {};

  const pause = async () => {
    const waitMs = freeAt - clock.now();
    if (waitMs <= 0) return;
    const over = Promise.withResolvers<void>();
    wake = over.resolve;
    void clock.sleep(waitMs).then(over.resolve);
    await over.promise;
  };
  const pump = async (): Promise<void> => {
    pumping = true;
    while (jobs.length > 0) {
      await pause();
      const job = closed ? undefined : jobs[0];
      if (!job) break;
      const slice = job.slices.shift()!;
      try {
        await channel.write(slice);
        if (job.slices.length === 0) job.sent.resolve();
      } catch (error) {
        job.sent.reject(error);
        job.slices.length = 0;
      }
      freeAt = Math.max(freeAt, clock.now()) + (1000 * lengthOf(slice)) / bytesPerSecond;
      if (job.slices.length === 0) jobs.shift();
    }
    pumping = false;
  };

  return {
    read: () => channel.read(),
    write(pieces) {
      if (closed || lengthOf(pieces) === 0) return channel.write(pieces);
      const job = { slices: slicesOf(pieces, sliceBytes), sent: Promise.withResolvers<void>() };
      jobs.push(job);
      if (!pumping) void pump();
      return job.sent.promise;
    },
    close() {
      if (closed) return;
      closed = true;
      wake();
      // The last words of a side that gives up are among them.
      for (const { slices, sent } of jobs)
        Promise.all(slices.splice(0).map((slice) => channel.write(slice))).then(
          () => sent.resolve(),
          sent.reject,
        );
      channel.close();
    },
  };
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}

/** The pieces, cut and put together so that each slice has `sliceBytes`, the last one fewer. */
function slicesOf(pieces: readonly Uint8Array[], sliceBytes: number): (readonly Uint8Array[])[] {
  const slices: Uint8Array[][] = [];
  let room = 0;
  for (const piece of pieces) {
    for (let at = 0; at < piece.length;) {
      if (room === 0) {
        slices.push([]);
        room = sliceBytes;
      }
      const part = piece.subarray(at, at + room);
      slices.at(-1)!.push(part);
      at += part.length;
      room -= part.length;
    }
  }
  return slices;
}

const CLOCK: Clock = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};
