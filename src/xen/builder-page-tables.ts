/** How many page tables Xen's domain builder gives a PV guest (xen: tools/libs/guest/xg_dom_x86.c, count_pgtables). */
import { hex } from "../base/units.ts";

/** Thrown and caught within `predictBuilderMemory`: the builder gives up with this message. */
export class DoesNotFit extends Error {}

/** Virtual addresses, the last byte included, and the first page of the guest that they map. */
export type Area = { readonly from: bigint; readonly to: bigint; readonly firstPage: number };
type LevelRange = { from: bigint; to: bigint };

/** Counts the page tables of one or two mappings; the second shares those of the first. */
export class PageTables {
  readonly #bits: 32 | 64;
  readonly #totalPages: number;
  #first: { readonly area: LevelRange; readonly levels: readonly LevelRange[] } | undefined;

  constructor(bits: 32 | 64, totalPages: number) {
    this.#bits = bits;
    this.#totalPages = totalPages;
  }

  get #levels(): number {
    return this.#bits === 64 ? 4 : 3;
  }

  get #mask(): bigint {
    return this.#bits === 64 ? (1n << 48n) - 1n : (1n << 32n) - 1n;
  }

  /** For this mapping, beside the first one when there is one. */
  count(area: Area): number {
    return this.#measure(area).count;
  }

  /** Makes this the first mapping. */
  keep(area: Area): void {
    const { from, to } = area;
    const levels = this.#measure(area).ranges;
    this.#first = { area: { from: from & this.#mask, to: to & this.#mask }, levels };
  }

  #measure(area: Area): { count: number; ranges: LevelRange[] } {
    this.#checkEnd(area);
    this.#checkOverlap(area);
    const top = this.#levels - 1;
    const from = area.from & this.#mask;
    const to = area.to & this.#mask;
    let count = this.#first ? 0 : 1; // the top table is there once
    const ranges: LevelRange[] = [];
    for (let level = top - 1; level >= 0; level--) {
      const bits = BigInt(12 + (level + 1) * 9);
      const mask = (1n << bits) - 1n;
      const range = { from: from & ~mask, to: to | mask };
      // PAE: one more table for the last GiB, which is Xen's
      if (this.#bits === 32 && !this.#first && area.to < 0xc0000000n && level === 1) {
        range.to = this.#mask;
      }
      const first = this.#first?.levels[level];
      if (first) subtract(range, first);
      ranges[level] = range;
      if (range.from < range.to) count += Number((range.to - range.from) >> bits) + 1;
    }
    return { count, ranges };
  }

  /** As the builder does it: of one side without its sign extension, of the other with. */
  #checkOverlap({ from, to }: Area): void {
    const first = this.#first?.area;
    if (!first || from >= first.to || to <= first.from) return;
    throw new DoesNotFit("count_pgtables: overlapping mappings");
  }

  #checkEnd({ from, to, firstPage }: Area): void {
    const end = firstPage + Number((to - from) >> 12n);
    if (end < this.#totalPages) return;
    throw new DoesNotFit(
      `count_pgtables: not enough memory for initial mapping (${hex(end)} > ${hex(this.#totalPages)})`,
    );
  }
}

/** What of `range` is not in `first`. */
function subtract(range: LevelRange, first: LevelRange): void {
  if (first.from === first.to) return;
  if (range.from >= first.from && range.to <= first.to) {
    range.from = 0n;
    range.to = 0n;
    return;
  }
  if (range.from >= first.from && range.from <= first.to) range.from = first.to + 1n;
  if (range.to >= first.from && range.to <= first.to) range.to = first.from - 1n;
}
