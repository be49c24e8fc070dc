import type { Where } from "../base/where.ts";
import { assertRange } from "./source.ts";
import type { ByteSource } from "./source.ts";

export type Stripes = {
  /** At least one, all of one size. */
  readonly areas: readonly ByteSource[];
  /** Above 0. */
  readonly stripeBytes: number;
  readonly where: Where;
};

/**
 * A source whose chunks of `stripeBytes` go around the areas, as dm-stripe lays them out (Linux
 * drivers/md/dm-stripe.c). The layout is computed for each read: a list of its chunks could have millions.
 */
export function stripedSource({ areas, stripeBytes, where }: Stripes): ByteSource {
  const striped: ByteSource = {
    size: areas.length * areas[0]!.size,
    where,
    async read(offset, length, signal) {
      assertRange(striped, offset, length);
      const out = new Uint8Array(length);
      let done = 0;
      while (done < length) {
        const chunk = Math.floor((offset + done) / stripeBytes);
        const inChunk = (offset + done) % stripeBytes;
        const at = Math.floor(chunk / areas.length) * stripeBytes + inChunk;
        const part = Math.min(length - done, stripeBytes - inChunk);
        out.set(await areas[chunk % areas.length]!.read(at, part, signal), done);
        done += part;
      }
      return out;
    },
  };
  return striped;
}
