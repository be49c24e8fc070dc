import { overLimit } from "./failure.ts";
import type { Where } from "./where.ts";

/**
 * A bound on work whose amount is dictated by untrusted bytes: chain hops, nodes visited, bytes unpacked.
 * Spending more than the limit is a `limit` failure, so a loop on disk ends instead of hanging.
 */
export class Budget {
  #left: number;
  readonly #limit: number;
  readonly #where: Where;
  readonly #what: string;

  constructor(limit: number, where: Where, what: string) {
    this.#left = limit;
    this.#limit = limit;
    this.#where = where;
    this.#what = what;
  }

  spend(amount = 1): void {
    this.#left -= amount;
    if (this.#left < 0) throw overLimit(this.#where, this.#what, String(this.#limit));
  }

  get left(): number {
    return this.#left;
  }
}
