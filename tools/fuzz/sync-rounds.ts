/** Damaged streams into one side of a sync run: a failure or the right bytes, never a bug, a hang or a write outside the device. */
import { attempt } from "../../src/base/failure.ts";
import { BLOCK_BYTES, SEGMENT_BYTES } from "../../src/sync/geometry.ts";
import { receive } from "../../src/sync/receiver.ts";
import { send } from "../../src/sync/sender.ts";
import { randomSource } from "../../test/support/mutate.ts";
import { diskBytes, memoryDevice } from "../../test/unit/sync/memory-device.ts";
import { damage, record, REPLAY_KEY, scripted } from "../../test/unit/sync/replay.ts";
import type { Recording } from "../../test/unit/sync/replay.ts";

export type Side = "source" | "destination";
export type Ends = { done: number; failed: number; wrote: number };

type Image = {
  readonly old: Uint8Array;
  readonly wanted: Uint8Array;
  readonly recording: Recording;
};

/** Longer than any machine takes for a few MiB. */
const LONGEST_MS = 60_000;
/** The large image is for one round in so many. */
const LARGE_EVERY = 20;

export class SyncRounds {
  readonly ends: Ends = { done: 0, failed: 0, wrote: 0 };
  readonly #side: Side;
  readonly #images: readonly Image[];

  private constructor(side: Side, images: readonly Image[]) {
    this.#side = side;
    this.#images = images;
  }

  static async for(side: Side): Promise<SyncRounds> {
    const images: Image[] = [];
    for (const { old, wanted } of makeImages())
      images.push({ old, wanted, recording: await record(wanted, old) });
    return new SyncRounds(side, images);
  }

  /** What is wrong, if something is. The same seed is the same round. */
  async run(seed: number): Promise<string | undefined> {
    const last = this.#images.length - 1;
    const image = this.#images[seed % LARGE_EVERY === LARGE_EVERY - 1 ? last : seed % last]!;
    const random = randomSource(Math.imul(seed + 1, 0x9e37_79b1));
    try {
      return await inTime(
        this.#side === "source" ? this.#source(image, random) : this.#destination(image, random),
      );
    } catch (error) {
      return error instanceof Error ? (error.stack ?? error.message) : String(error);
    }
  }

  async #destination({ old, wanted, recording }: Image, random: Random) {
    const device = memoryDevice(Uint8Array.from(old));
    const { size } = device;
    let outside: string | undefined;
    const judge = (what: string, offset: number, length: number) => {
      if (offset >= 0 && length > 0 && offset + length <= size) return;
      outside = `${what} of ${length} bytes at ${offset}`;
    };
    const target = {
      ...device,
      write(offset: number, bytes: Uint8Array) {
        judge("a write", offset, bytes.length);
        return device.write(offset, bytes);
      },
      zero(offset: number, length: number) {
        judge("a zero", offset, length);
        return device.zero(offset, length);
      },
    };
    const channel = scripted(damage(recording.source, random));
    const { ok } = await attempt(() =>
      receive({ target, channel, program: "fuzz", key: REPLAY_KEY }),
    );
    this.ends[ok ? "done" : "failed"] += 1;
    if (device.writes.length > 0) this.ends.wrote += 1;
    // Nobody can make a tag without the key: whatever was said, a success is the wanted bytes.
    if (ok && Buffer.compare(device.bytes, wanted) !== 0) return "it is done, with other bytes";
    return outside;
  }

  async #source({ wanted, recording }: Image, random: Random) {
    const source = memoryDevice(wanted);
    const channel = scripted(damage(recording.destination, random));
    const identity = new Uint8Array(32);
    const { ok } = await attempt(() => send({ source, channel, identity, program: "fuzz" }));
    this.ends[ok ? "done" : "failed"] += 1;
    return source.writes.length > 0 ? "the source was written to" : undefined;
  }
}

type Random = (below: number) => number;

async function inTime<T>(work: Promise<T>): Promise<T | string> {
  const late = Promise.withResolvers<string>();
  const timer = setTimeout(() => late.resolve("it hangs"), LONGEST_MS);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Old and wanted contents: of a few blocks, where a run is short, and, last, of some segments of every kind. */
function makeImages(): readonly { readonly old: Uint8Array; readonly wanted: Uint8Array }[] {
  const small = diskBytes(5 * BLOCK_BYTES + 9, 1).fill(5, 3, 9);
  const changed = Uint8Array.from(small)
    .fill(0, 0, BLOCK_BYTES)
    .fill(8, 3 * BLOCK_BYTES);
  const old = diskBytes(4 * SEGMENT_BYTES + 5000, 2).fill(1, SEGMENT_BYTES, SEGMENT_BYTES + 99);
  old.fill(0, 3 * SEGMENT_BYTES, 4 * SEGMENT_BYTES);
  const wanted = Uint8Array.from(old)
    .fill(3, 70, 90)
    .fill(0, SEGMENT_BYTES, 2 * SEGMENT_BYTES);
  wanted.fill(9, 3 * SEGMENT_BYTES + 5000, 4 * SEGMENT_BYTES + 7);
  return [
    { old: small, wanted: changed },
    { old: Uint8Array.from(changed).fill(0), wanted: changed },
    { old, wanted },
  ];
}
