/**
 * The LZMA coding that .lzma and .xz have in common: a range coder with adaptive bit models drives an LZ77 decoder.
 * Facts: the LZMA specification (lzma-specification.txt of the LZMA SDK, public domain), linux: lib/xz/xz_dec_lzma2.c.
 */
import { copyMatch } from "./copy-match.ts";
import type { Window } from "./window.ts";

/** A symbol takes at most 48 bits: 4 of type, 10 of length, 6 of slot, 26 direct, 4 aligned; each reads <= 1 byte. */
export const LONGEST_SYMBOL_BYTES = 64;

/** Where each kind of bit model lies in `#models`. */
const STATES = 12;
const IS_MATCH = 0; // [state][position & 15]
const IS_REP = IS_MATCH + (STATES << 4); // [state], as the next three
const IS_REP0 = IS_REP + STATES;
const IS_REP1 = IS_REP0 + STATES;
const IS_REP2 = IS_REP1 + STATES;
const IS_REP0_LONG = IS_REP2 + STATES; // [state][position & 15]
const SLOT = IS_REP0_LONG + (STATES << 4); // [length class][64]
const SPECIAL = SLOT + (4 << 6); // distances of slots 4 to 13
const ALIGN = SPECIAL + 128; // the low 4 bits of longer distances
const MATCH_LENGTH = ALIGN + 16;
const REP_LENGTH = MATCH_LENGTH + 2 + 128 + 128 + 256; // choice, choice2, low, middle, high
const LITERAL = REP_LENGTH + 2 + 128 + 128 + 256; // [context][0x300]

const LENGTH_LOW = 2; // [position & 15][8]
const LENGTH_MIDDLE = 2 + 128;
const LENGTH_HIGH = 2 + 256;

const MODEL_HALF = 1024; // of 2048
/** The distance that marks the end of the data. */
const END_MARKER = -1;

export type LzmaProperties = {
  /** High bits of the previous byte in a literal's context, 0 to 8. */
  readonly lc: number;
  /** Low bits of the position in a literal's context, 0 to 4. */
  readonly lp: number;
  /** Low bits of the position in the context of a match, 0 to 4. */
  readonly pb: number;
};

/** The properties byte: (pb * 5 + lp) * 9 + lc; undefined when it is none. */
export function parseLzmaProperties(byte: number): LzmaProperties | undefined {
  if (byte >= 9 * 5 * 5) return undefined;
  return { lc: byte % 9, lp: Math.floor(byte / 9) % 5, pb: Math.floor(byte / 45) };
}

/**
 * `stopped`: the output wanted is there. `starved`: there may be less than a symbol of input left.
 * `ended`: the end marker was read. `corrupt`: a match points before the history.
 */
export type LzmaOutcome = "stopped" | "starved" | "ended" | "corrupt";

/** The coder's state between calls; `decode` holds it in locals. */
export class LzmaDecoder {
  /**
   * The input is read from here, not from the file: so the hot loop never reads outside an array. Whoever fills it
   * leaves `LONGEST_SYMBOL_BYTES` free at the end.
   */
  readonly input: Uint8Array;
  /** Index of the next byte in `input`. */
  inputPosition = 0;
  /** A symbol is begun only while `inputPosition` is at most this. */
  inputLimit = 0;
  /** Length of the part of a match that did not fit before `stop`. */
  pending = 0;

  readonly #window: Window;
  #models = new Uint16Array(0);
  #literalMask = 0;
  #lc = 0;
  #positionMask = 0;
  #state = 0;
  #rep0 = 0;
  #rep1 = 0;
  #rep2 = 0;
  #rep3 = 0;
  #range = 0;
  #code = 0;

  constructor(window: Window, inputBytes: number) {
    this.#window = window;
    this.input = new Uint8Array(inputBytes + LONGEST_SYMBOL_BYTES);
  }

  /** At most 6 MiB of models (lc 8, lp 4); 28 KiB as xz writes it. */
  setProperties({ lc, lp, pb }: LzmaProperties): void {
    const length = LITERAL + (0x300 << (lc + lp));
    if (this.#models.length !== length) this.#models = new Uint16Array(length);
    this.#lc = lc;
    this.#literalMask = (1 << lp) - 1;
    this.#positionMask = (1 << pb) - 1;
    this.resetState();
  }

  resetState(): void {
    this.#models.fill(MODEL_HALF);
    this.#state = 0;
    this.#rep0 = this.#rep1 = this.#rep2 = this.#rep3 = 0;
    this.pending = 0;
  }

  /** Begins a range coder at `inputPosition`, of which the first five bytes must be there; false when it is none. */
  startRangeCoder(): boolean {
    const { input, inputPosition: at } = this;
    this.#range = -1;
    this.#code =
      (input[at + 1]! << 24) | (input[at + 2]! << 16) | (input[at + 3]! << 8) | input[at + 4]!;
    this.inputPosition += 5;
    return input[at] === 0;
  }

  /** Takes the last byte that belongs to the range coder; true when it is where every encoder leaves it. */
  finishRangeCoder(): boolean {
    if ((this.#range & 0xff000000) === 0) {
      this.#range <<= 8;
      this.#code = (this.#code << 8) | this.input[this.inputPosition++]!;
    }
    return this.#code === 0;
  }

  /**
   * Decodes until the window's position is `stop`, which lies inside its buffer.
   *
   * One loop with everything in locals and every bit written out: calls or fields here cost a factor (measured).
   * `range` and `code` are 32-bit unsigned numbers kept as signed ones, which V8 holds in a register; `>>> 0` when
   * they are compared. The pattern of one bit is
   *
   *     if ((range & 0xff000000) === 0) { range <<= 8; code = (code << 8) | input[at++]; }
   *     model = models[i]; bound = imul(range >>> 11, model);
   *     if (code < bound) { range = bound; models[i] = model + ((2048 - model) >> 5); // 0
   *     } else { range -= bound; code -= bound; models[i] = model - (model >> 5); }   // 1
   *
   * A bit tree is walked with `symbol` (1, then one more bit each step), so its index stays below the tree's size.
   */
  decode(stop: number): LzmaOutcome {
    const window = this.#window;
    const out = window.buffer;
    const { start, dictionaryBytes } = window;
    const { input, inputLimit } = this;
    const models = this.#models;
    const positionMask = this.#positionMask;
    const literalMask = this.#literalMask;
    const lc = this.#lc;
    const previousShift = 8 - lc;
    let position = window.position;
    let at = this.inputPosition;
    let state = this.#state;
    let rep0 = this.#rep0;
    let rep1 = this.#rep1;
    let rep2 = this.#rep2;
    let rep3 = this.#rep3;
    let range = this.#range;
    let code = this.#code;
    let length = this.pending;
    let outcome: LzmaOutcome = "stopped";
    // The byte before the first is 0 by definition
    let previous = position > start ? out[position - 1]! : 0;

    let i = 0;
    let model = 0;
    let bound = 0;
    let symbol = 0;

    for (;;) {
      if (length > 0) {
        let count = stop - position;
        if (length < count) count = length;
        length -= count;
        if (count > 128) {
          position = copyMatch(out, position, rep0 + 1, count);
        } else {
          let from = position - rep0 - 1;
          const end = position + count;
          while (position < end) out[position++] = out[from++]!;
        }
        previous = out[position - 1]!;
      }
      if (position >= stop) break;
      if (at > inputLimit) {
        outcome = "starved";
        break;
      }

      const positionState = (position - start) & positionMask;
      i = IS_MATCH + (state << 4) + positionState;
      if ((range & 0xff000000) === 0) {
        range <<= 8;
        code = (code << 8) | input[at++]!;
      }
      model = models[i]!;
      bound = Math.imul(range >>> 11, model);
      if (code >>> 0 < bound >>> 0) {
        // A literal
        range = bound;
        models[i] = model + ((2048 - model) >> 5);
        const base =
          LITERAL +
          0x300 * ((((position - start) & literalMask) << lc) + (previous >> previousShift));
        symbol = 1;
        if (state >= 7) {
          // After a match: the byte that the match would have gone on with helps to guess
          let matched = out[position - rep0 - 1]!;
          let offset = 0x100;
          do {
            matched <<= 1;
            const bit = matched & offset;
            i = base + offset + bit + symbol;
            if ((range & 0xff000000) === 0) {
              range <<= 8;
              code = (code << 8) | input[at++]!;
            }
            model = models[i]!;
            bound = Math.imul(range >>> 11, model);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              models[i] = model + ((2048 - model) >> 5);
              symbol <<= 1;
              offset &= ~bit;
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              models[i] = model - (model >> 5);
              symbol = (symbol << 1) | 1;
              offset &= bit;
            }
          } while (symbol < 0x100);
        } else {
          do {
            i = base + symbol;
            if ((range & 0xff000000) === 0) {
              range <<= 8;
              code = (code << 8) | input[at++]!;
            }
            model = models[i]!;
            bound = Math.imul(range >>> 11, model);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              models[i] = model + ((2048 - model) >> 5);
              symbol <<= 1;
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              models[i] = model - (model >> 5);
              symbol = (symbol << 1) | 1;
            }
          } while (symbol < 0x100);
        }
        previous = symbol & 0xff;
        out[position++] = previous;
        state = state < 4 ? 0 : state < 10 ? state - 3 : state - 6;
        continue;
      }
      range = (range - bound) | 0;
      code = (code - bound) | 0;
      models[i] = model - (model >> 5);

      let lengthModels = MATCH_LENGTH;
      i = IS_REP + state;
      if ((range & 0xff000000) === 0) {
        range <<= 8;
        code = (code << 8) | input[at++]!;
      }
      model = models[i]!;
      bound = Math.imul(range >>> 11, model);
      if (code >>> 0 < bound >>> 0) {
        // A new match: its distance comes after its length
        range = bound;
        models[i] = model + ((2048 - model) >> 5);
        rep3 = rep2;
        rep2 = rep1;
        rep1 = rep0;
      } else {
        // One of the last four distances again
        range = (range - bound) | 0;
        code = (code - bound) | 0;
        models[i] = model - (model >> 5);
        lengthModels = REP_LENGTH;
        i = IS_REP0 + state;
        if ((range & 0xff000000) === 0) {
          range <<= 8;
          code = (code << 8) | input[at++]!;
        }
        model = models[i]!;
        bound = Math.imul(range >>> 11, model);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          models[i] = model + ((2048 - model) >> 5);
          i = IS_REP0_LONG + (state << 4) + positionState;
          if ((range & 0xff000000) === 0) {
            range <<= 8;
            code = (code << 8) | input[at++]!;
          }
          model = models[i]!;
          bound = Math.imul(range >>> 11, model);
          if (code >>> 0 < bound >>> 0) {
            // One byte at the last distance
            range = bound;
            models[i] = model + ((2048 - model) >> 5);
            if (rep0 >>> 0 >= position - start || rep0 >>> 0 >= dictionaryBytes) {
              outcome = "corrupt";
              break;
            }
            state = state < 7 ? 9 : 11;
            previous = out[position - rep0 - 1]!;
            out[position++] = previous;
            continue;
          }
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          models[i] = model - (model >> 5);
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          models[i] = model - (model >> 5);
          i = IS_REP1 + state;
          if ((range & 0xff000000) === 0) {
            range <<= 8;
            code = (code << 8) | input[at++]!;
          }
          model = models[i]!;
          bound = Math.imul(range >>> 11, model);
          let distance: number;
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            models[i] = model + ((2048 - model) >> 5);
            distance = rep1;
          } else {
            range = (range - bound) | 0;
            code = (code - bound) | 0;
            models[i] = model - (model >> 5);
            i = IS_REP2 + state;
            if ((range & 0xff000000) === 0) {
              range <<= 8;
              code = (code << 8) | input[at++]!;
            }
            model = models[i]!;
            bound = Math.imul(range >>> 11, model);
            if (code >>> 0 < bound >>> 0) {
              range = bound;
              models[i] = model + ((2048 - model) >> 5);
              distance = rep2;
            } else {
              range = (range - bound) | 0;
              code = (code - bound) | 0;
              models[i] = model - (model >> 5);
              distance = rep3;
              rep3 = rep2;
            }
            rep2 = rep1;
          }
          rep1 = rep0;
          rep0 = distance;
        }
      }

      // The length: 3 bits, 3 other bits, or 8 bits
      let tree: number;
      let treeSize: number;
      i = lengthModels;
      if ((range & 0xff000000) === 0) {
        range <<= 8;
        code = (code << 8) | input[at++]!;
      }
      model = models[i]!;
      bound = Math.imul(range >>> 11, model);
      if (code >>> 0 < bound >>> 0) {
        range = bound;
        models[i] = model + ((2048 - model) >> 5);
        tree = lengthModels + LENGTH_LOW + (positionState << 3);
        treeSize = 8;
        length = 2 - 8;
      } else {
        range = (range - bound) | 0;
        code = (code - bound) | 0;
        models[i] = model - (model >> 5);
        i = lengthModels + 1;
        if ((range & 0xff000000) === 0) {
          range <<= 8;
          code = (code << 8) | input[at++]!;
        }
        model = models[i]!;
        bound = Math.imul(range >>> 11, model);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          models[i] = model + ((2048 - model) >> 5);
          tree = lengthModels + LENGTH_MIDDLE + (positionState << 3);
          treeSize = 8;
          length = 10 - 8;
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          models[i] = model - (model >> 5);
          tree = lengthModels + LENGTH_HIGH;
          treeSize = 256;
          length = 18 - 256;
        }
      }
      symbol = 1;
      do {
        i = tree + symbol;
        if ((range & 0xff000000) === 0) {
          range <<= 8;
          code = (code << 8) | input[at++]!;
        }
        model = models[i]!;
        bound = Math.imul(range >>> 11, model);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          models[i] = model + ((2048 - model) >> 5);
          symbol <<= 1;
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          models[i] = model - (model >> 5);
          symbol = (symbol << 1) | 1;
        }
      } while (symbol < treeSize);
      length += symbol;

      if (lengthModels === REP_LENGTH) {
        state = state < 7 ? 8 : 11;
        if (rep0 >>> 0 < position - start && rep0 >>> 0 < dictionaryBytes) continue;
        outcome = "corrupt";
        break;
      }

      // The distance: a slot of 6 bits says how many bits follow it
      state = state < 7 ? 7 : 10;
      tree = SLOT + ((length < 6 ? length - 2 : 3) << 6);
      symbol = 1;
      do {
        i = tree + symbol;
        if ((range & 0xff000000) === 0) {
          range <<= 8;
          code = (code << 8) | input[at++]!;
        }
        model = models[i]!;
        bound = Math.imul(range >>> 11, model);
        if (code >>> 0 < bound >>> 0) {
          range = bound;
          models[i] = model + ((2048 - model) >> 5);
          symbol <<= 1;
        } else {
          range = (range - bound) | 0;
          code = (code - bound) | 0;
          models[i] = model - (model >> 5);
          symbol = (symbol << 1) | 1;
        }
      } while (symbol < 64);
      const slot = symbol - 64;
      rep0 = slot;
      if (slot >= 4) {
        let bits = (slot >> 1) - 1;
        rep0 = 2 | (slot & 1);
        if (slot < 14) {
          rep0 <<= bits;
          tree = SPECIAL + rep0 - slot;
        } else {
          // All but the lowest four bits are plain bits, half the range each
          bits -= 4;
          do {
            if ((range & 0xff000000) === 0) {
              range <<= 8;
              code = (code << 8) | input[at++]!;
            }
            range >>>= 1;
            code = (code - range) | 0;
            // Below 0 it was less than the half: the bit is 0, and the half is given back
            const mask = code >> 31;
            code = (code + (range & mask)) | 0;
            rep0 = (rep0 << 1) + (mask + 1);
          } while (--bits > 0);
          rep0 <<= 4;
          tree = ALIGN;
          bits = 4;
        }
        // The low bits, lowest first
        symbol = 1;
        let weight = 0;
        do {
          i = tree + symbol;
          if ((range & 0xff000000) === 0) {
            range <<= 8;
            code = (code << 8) | input[at++]!;
          }
          model = models[i]!;
          bound = Math.imul(range >>> 11, model);
          if (code >>> 0 < bound >>> 0) {
            range = bound;
            models[i] = model + ((2048 - model) >> 5);
            symbol <<= 1;
          } else {
            range = (range - bound) | 0;
            code = (code - bound) | 0;
            models[i] = model - (model >> 5);
            symbol = (symbol << 1) | 1;
            rep0 = (rep0 + (1 << weight)) | 0;
          }
        } while (++weight < bits);
        if (rep0 === END_MARKER) {
          outcome = "ended";
          length = 0;
          break;
        }
      }
      if (rep0 >>> 0 >= position - start || rep0 >>> 0 >= dictionaryBytes) {
        outcome = "corrupt";
        break;
      }
    }

    window.position = position;
    this.inputPosition = at;
    this.#state = state;
    this.#rep0 = rep0;
    this.#rep1 = rep1;
    this.#rep2 = rep2;
    this.#rep3 = rep3;
    this.#range = range;
    this.#code = code;
    this.pending = length;
    return outcome;
  }
}
