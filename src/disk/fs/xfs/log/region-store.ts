/**
 * The items of a transaction that is not complete yet. There can be a million regions of a few bytes, so they are packed
 * one behind the other; an object for each would cost several times its bytes.
 */
import type { Where } from "../../../../base/where.ts";
import type { ReplayMemory } from "./replay-memory.ts";

/** One change: its type and size are in the first region, which is never shorter than 4 bytes. */
export type LogItem = { readonly type: number; readonly regions: readonly Uint8Array[] };

const NOTHING = new Uint8Array(0);
/** Slabs grow with what they are for, in bytes. */
const FIRST_SLAB = 512;
const LARGEST_SLAB = 256 * 1024;
/** Numbers for a piece, a region and an item, in bytes. */
const PIECE_COST = 24;
const REGION_COST = 8;
const ITEM_COST = 16;

export class RegionStore {
  readonly #memory: ReplayMemory;
  #taken = 0;
  readonly #slabs: Uint8Array[] = [];
  #slabUsed = 0;
  /** Slab, offset, length: a region has one piece, or several when it goes on in further operations. */
  readonly #pieces: number[] = [];
  /** The first piece of each region, as an index into `pieces`. */
  readonly #regions: number[] = [];
  /** The first region of each item, and its type. */
  readonly #items: number[] = [];

  constructor(memory: ReplayMemory) {
    this.#memory = memory;
  }

  /** Regions so far of the item that was begun last. */
  get regionsOfLast(): number {
    const first = this.#items.at(-2);
    return first === undefined ? 0 : this.#regions.length - first;
  }

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** The regions that follow are this item's. */
  beginItem(type: number, where: Where): void {
    this.#take(ITEM_COST, where);
    this.#items.push(this.#regions.length, type);
  }

  /** A copy is kept. */
  addRegion(bytes: Uint8Array, where: Where): void {
    this.#take(REGION_COST, where);
    this.#regions.push(this.#pieces.length);
    if (bytes.length > 0) this.continueRegion(bytes, where);
  }

  /** More bytes for the last region. */
  continueRegion(bytes: Uint8Array, where: Where): void {
    this.#take(PIECE_COST, where);
    let slab = this.#slabs.at(-1);
    if (!slab || this.#slabUsed + bytes.length > slab.length) {
      const next = Math.min(LARGEST_SLAB, slab ? 2 * slab.length : FIRST_SLAB);
      const size = Math.max(next, bytes.length);
      this.#take(size, where);
      slab = new Uint8Array(size);
      this.#slabs.push(slab);
      this.#slabUsed = 0;
    }
    slab.set(bytes, this.#slabUsed);
    this.#pieces.push(this.#slabs.length - 1, this.#slabUsed, bytes.length);
    this.#slabUsed += bytes.length;
  }

  /** Can be gone over again and again. The regions are views. */
  *items(): Generator<LogItem> {
    for (let i = 0; i < this.#items.length; i += 2) {
      const last = this.#items[i + 2] ?? this.#regions.length;
      const regions: Uint8Array[] = [];
      for (let region = this.#items[i]!; region < last; region++) regions.push(this.#bytes(region));
      yield { type: this.#items[i + 1]!, regions };
    }
  }

  /** When it is not needed any more. */
  release(): void {
    this.#memory.give(this.#taken);
    this.#taken = 0;
  }

  #bytes(region: number): Uint8Array {
    const first = this.#regions[region]!;
    const end = this.#regions[region + 1] ?? this.#pieces.length;
    if (first === end) return NOTHING;
    if (end - first === 3) return this.#piece(first);
    let length = 0;
    for (let at = first; at < end; at += 3) length += this.#pieces[at + 2]!;
    const whole = new Uint8Array(length);
    let done = 0;
    for (let at = first; at < end; at += 3) {
      whole.set(this.#piece(at), done);
      done += this.#pieces[at + 2]!;
    }
    return whole;
  }

  #piece(at: number): Uint8Array {
    const offset = this.#pieces[at + 1]!;
    return this.#slabs[this.#pieces[at]!]!.subarray(offset, offset + this.#pieces[at + 2]!);
  }

  #take(bytes: number, where: Where): void {
    this.#memory.take(bytes, where);
    this.#taken += bytes;
  }
}
