/**
 * Whether the blocks of the next patch are packed: as measured while the run goes, not guessed. Packing is worth it
 * when the bytes that it saves would have taken longer on the wire than packing takes. Pure: times come from outside.
 */

/** How much the newest measurement counts: the last five or so decide. */
const WEIGHT = 0.3;
/** While packing is off, one patch in so many is packed to see whether that was right. Odd: contents may alternate. */
const PROBE_EVERY = 31;
/** As long as packing takes less than this part of sending, every patch is tried: contents change from one to the next. */
const CHEAP = 1 / 3;
/** What shrinks by less than this is sent as it is: unpacking costs time too. */
const LEAST_GAIN = 0.03;

export class PackingChoice {
  /** Of packing, in milliseconds for one byte of input. */
  #packMs: number | undefined;
  /** The part of the input that packing saves: 0 to 1. */
  #saved: number | undefined;
  /** Of the wire, in milliseconds for one byte. */
  #wireMs: number | undefined;
  #sincePacked = 0;

  /** Whether to pack the next patch. */
  next(): boolean {
    const pack = this.#worthIt() || this.#sincePacked >= PROBE_EVERY - 1;
    this.#sincePacked = pack ? 0 : this.#sincePacked + 1;
    return pack;
  }

  /** After packing; says whether the packed form is to be sent. */
  packed(rawBytes: number, packedBytes: number, tookMs: number): boolean {
    const saved = 1 - packedBytes / rawBytes;
    this.#packMs = mean(this.#packMs, tookMs / rawBytes);
    this.#saved = mean(this.#saved, Math.max(saved, 0));
    return saved >= LEAST_GAIN;
  }

  /** After sending. */
  sent(bytes: number, tookMs: number): void {
    this.#wireMs = mean(this.#wireMs, tookMs / bytes);
  }

  #worthIt(): boolean {
    if (this.#packMs === undefined || this.#saved === undefined) return true;
    // Nothing sent yet: as if the wire were slow.
    if (this.#wireMs === undefined) return true;
    return Math.max(this.#saved, CHEAP) * this.#wireMs > this.#packMs;
  }
}

function mean(before: number | undefined, now: number): number {
  return before === undefined ? now : before + WEIGHT * (now - before);
}
