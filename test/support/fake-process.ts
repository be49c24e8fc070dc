/** A process on a dom0 in memory: it counts what it does, can be cut off at any of it, and be overtaken by others in between. */
import type { Ran } from "../../src/host/host.ts";

export type CutKind =
  /** domus is killed. */
  | "before"
  | "after"
  /** domus is killed while xl works; xl comes to its end later. */
  | "during"
  /** xl is killed half-way, domus lives. */
  | "xl"
  /** Both are. */
  | "both"
  | "power before"
  | "power after"
  /** The power fails while xl works. */
  | "power during";

/** Of the effects that a process has; `xl`, `during`, ... count runs of xl that change something. */
export type Cut = { readonly at: number; readonly kind: CutKind };

/** Something else happens before the process comes to its nth touch of the world. */
export type Meanwhile = { readonly at: number; readonly happen: () => Promise<void> };

/** Thrown where a killed process would not come any further. */
export class Killed extends Error {}

/** One process: counts its effects, and ends it at one of them. */
export class Life {
  touches = 0;
  effects = 0;
  xlRuns = 0;
  dead = false;
  onDeath: (power: boolean) => void = () => {};
  readonly #cut: Cut | undefined;
  readonly #meanwhile: Meanwhile | undefined;

  constructor(cut: Cut | undefined, meanwhile: Meanwhile | undefined) {
    this.#cut = cut;
    this.#meanwhile = meanwhile;
  }

  async #touch(): Promise<void> {
    this.touches += 1;
    if (this.touches === this.#meanwhile?.at) await this.#meanwhile.happen();
  }

  #die(power: boolean): void {
    this.dead = true;
    this.onDeath(power);
  }

  /** A killed process never comes back from where it was. */
  async effect<T>(work: () => T): Promise<T> {
    await this.#touch();
    return this.#now(work);
  }

  #now<T>(work: () => T): T | Promise<T> {
    try {
      return this.effectSync(work);
    } catch (error) {
      if (error instanceof Killed) return new Promise<T>(() => {});
      throw error;
    }
  }

  effectSync<T>(work: () => T): T {
    if (this.dead) throw new Killed();
    this.effects += 1;
    const kind = this.effects === this.#cut?.at ? this.#cut.kind : undefined;
    if (kind === "before" || kind === "power before") {
      this.#die(kind === "power before");
      throw new Killed();
    }
    const result = work();
    if (kind === "after" || kind === "power after") {
      this.#die(kind === "power after");
      throw new Killed();
    }
    return result;
  }

  async look<T>(work: () => T | Promise<T>): Promise<T> {
    await this.#touch();
    return this.dead ? new Promise<T>(() => {}) : work();
  }

  async xl(work: (how: "whole" | "half" | "later") => Ran): Promise<Ran> {
    await this.#touch();
    if (this.dead) return new Promise(() => {});
    this.xlRuns += 1;
    const kind = this.xlRuns === this.#cut?.at ? this.#cut.kind : undefined;
    if (kind === "xl") return work("half");
    if (kind === "during" || kind === "both" || kind === "power during") {
      work(kind === "during" ? "later" : "half");
      this.#die(kind === "power during");
      return new Promise(() => {});
    }
    return this.#now(() => work("whole"));
  }
}
